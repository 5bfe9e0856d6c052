// Package fake holds stand-ins for the services of the system bus, on a dbus-daemon of their own, for tests: everything
// but the services themselves is real. They can refuse, talk nonsense, hang, and die in the middle of a call.
package fake

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Bus is a dbus-daemon of its own.
type Bus struct {
	dir string
	cmd *exec.Cmd
}

// config is what dbus-daemon is told: one socket, everybody may do everything, services are started after their files.
const config = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%[1]s/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>%[1]s/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  <limit name="service_start_timeout">5000</limit>
</busconfig>
`

// Start starts a bus whose files are in dir, which must be empty and have a short name: a socket's may have 107 bytes.
func Start(dir string) (*Bus, error) {
	if err := os.MkdirAll(filepath.Join(dir, "services"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), fmt.Appendf(nil, config, dir), 0o644); err != nil {
		return nil, err
	}
	b := &Bus{dir: dir}
	return b, b.Restart()
}

// Address is where the bus listens, also before and after it does.
func (b *Bus) Address() string { return "unix:path=" + filepath.Join(b.dir, "bus") }

// Activate has the bus start a program when a service is called that does not run. The bus must be started anew to see it.
func (b *Bus) Activate(name string, command ...string) error {
	file := fmt.Sprintf("[D-BUS Service]\nName=%s\nExec=%s\n", name, strings.Join(command, " "))
	return os.WriteFile(filepath.Join(b.dir, "services", name+".service"), []byte(file), 0o644)
}

// Restart ends the bus when it runs, and starts it. Everybody loses the connection.
func (b *Bus) Restart() error {
	b.Stop()
	cmd := exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--print-address", "--config-file="+filepath.Join(b.dir, "config"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+b.Address())
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start dbus-daemon (Debian package dbus-daemon): %w", err)
	}
	b.cmd = cmd
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it says its address when it listens
		b.Stop()
		return fmt.Errorf("dbus-daemon did not start: %w", err)
	}
	return nil
}

// Stop ends the bus.
func (b *Bus) Stop() {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait() // it says that it was killed
	b.cmd = nil
	_ = os.Remove(filepath.Join(b.dir, "bus"))
}

// Freeze stops the bus where it is: it holds its socket and answers nobody. Thaw lets it go on.
func (b *Bus) Freeze() error { return b.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (b *Bus) Thaw() error { return b.cmd.Process.Signal(syscall.SIGCONT) }
