package systemd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// harness stands in for polkit: it knows what rules may use of it, and asks each question of the table.
const harness = `
const results = {NO: "no", YES: "yes", AUTH_ADMIN: "auth_admin", NOT_HANDLED: null};
const rules = [];
const polkit = {Result: results, addRule: f => rules.push(f), addAdminRule() {}, log() {}};
require("vm").runInNewContext(require("fs").readFileSync(process.argv[2], "utf8"), {polkit});
const questions = JSON.parse(require("fs").readFileSync(process.argv[3], "utf8"));
console.log(JSON.stringify(questions.map(q => {
    const action = {id: q.id, lookup: key => (q.details || {})[key]};
    const subject = {user: q.user, local: true, active: true, groups: [], isInGroup: () => false};
    for (const rule of rules) {
        const answer = rule(action, subject);
        if (answer !== null && answer !== undefined) return answer;
    }
    return "default";
})));
`

type question struct {
	ID      string            `json:"id"`
	User    string            `json:"user"`
	Details map[string]string `json:"details"`
	want    string
}

func TestPolkit(t *testing.T) {
	var ask []question
	unit := func(name, verb string) map[string]string { return map[string]string{"unit": name, "verb": verb} }
	const manage = "org.freedesktop.systemd1.manage-units"
	for _, id := range []string{
		"udisks2.filesystem-mount", "udisks2.filesystem-mount-other-seat", "udisks2.filesystem-unmount-others",
		"login1.reboot", "login1.reboot-multiple-sessions", "login1.power-off", "login1.power-off-multiple-sessions",
		"login1.inhibit-block-shutdown", "login1.inhibit-block-sleep", "hostname1.set-hostname", "hostname1.set-static-hostname", "network1.reload",
	} {
		ask = append(ask, question{ID: "org.freedesktop." + id, User: "plenum", want: "yes"})
	}
	ask = append(ask, question{manage, "plenum", unit("plenum-usb.service", "start"), "yes"}, question{manage, "plenum", unit("plenum-reset.service", "start"), "yes"})
	for _, q := range ask { // nobody else may anything of this
		for _, user := range []string{"plenum-kiosk", "nobody", "systemd-network", ""} {
			ask = append(ask, question{q.ID, user, q.Details, "no"})
		}
	}
	for _, q := range []question{
		{ID: manage, Details: unit("plenum-usb.service", "stop")}, {ID: manage, Details: unit("plenum-usb.service", "restart")},
		{ID: manage, Details: unit("plenum-usb.service", "")}, {ID: manage, Details: unit("ssh.service", "start")},
		{ID: manage, Details: unit("constructor", "start")}, {ID: manage}, {ID: "org.freedesktop.systemd1.manage-unit-files"},
		{ID: "org.freedesktop.systemd1.reload-daemon"}, {ID: "org.freedesktop.systemd1.set-environment"},
		{ID: "org.freedesktop.login1.reboot-ignore-inhibit"}, {ID: "org.freedesktop.login1.power-off-ignore-inhibit"},
		{ID: "org.freedesktop.login1.halt"}, {ID: "org.freedesktop.login1.set-reboot-to-firmware-setup"},
		{ID: "org.freedesktop.udisks2.filesystem-mount-system"}, {ID: "org.freedesktop.udisks2.filesystem-fstab"},
		{ID: "org.freedesktop.udisks2.modify-device-system"}, {ID: "org.freedesktop.udisks2.modify-device"},
		{ID: "org.freedesktop.udisks2.loop-setup"}, {ID: "org.freedesktop.udisks2.encrypted-unlock"},
		{ID: "org.freedesktop.network1.set-dns-servers"}, {ID: "org.freedesktop.timedate1.set-time"}, {ID: "org.freedesktop.hostname1.set-machine-info"},
	} {
		q.User, q.want = "plenum", "no"
		ask = append(ask, q)
	}
	ask = append(ask, question{ID: "org.example.something", User: "plenum", want: "default"}, question{ID: "toString", User: "plenum", want: "default"})

	dir := t.TempDir()
	text, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ask.json"), string(text), 0o644)
	write(t, filepath.Join(dir, "polkit.js"), harness, 0o644)
	var got []string
	if err := json.Unmarshal([]byte(run(t, nil, "node", filepath.Join(dir, "polkit.js"), "polkit/50-plenum.rules", filepath.Join(dir, "ask.json"))), &got); err != nil {
		t.Fatal(err)
	}
	for i, q := range ask {
		if got[i] != q.want {
			t.Errorf("%s may %s %v: %s, want %s", q.User, q.ID, q.Details, got[i], q.want)
		}
	}
}

// duktape knows no newer JavaScript than ES5.1, and Buildroot's polkit uses it.
func TestPolkitIsOldJavaScript(t *testing.T) {
	for line := range strings.Lines(read(t, "polkit/50-plenum.rules")) {
		code, _, _ := strings.Cut(line, "//")
		for _, word := range []string{"=>", "let ", "const ", "`", "class ", ".includes(", ".startsWith(", " of "} {
			if strings.Contains(code, word) {
				t.Errorf("%q is too new in %s", word, code)
			}
		}
	}
}

// bus runs a private system bus with the distribution's policy of RAUC and then ours, and gives its address.
func bus(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != "/"; d = filepath.Dir(d) { // others than root come in, too
		if info, err := os.Stat(d); err == nil && info.Mode().Perm()&0o005 != 0o005 && strings.HasPrefix(d, os.TempDir()) {
			if err := os.Chmod(d, info.Mode().Perm()|0o055); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What RAUC ships, in the order of the real bus: /usr/share first. The daemon's user is nobody's here, games is a user
	// that every Debian has.
	write(t, filepath.Join(dir, "share/de.pengutronix.rauc.conf"), `<busconfig>
<policy context="default"><allow send_destination="de.pengutronix.rauc"/></policy>
<policy user="root"><allow own="de.pengutronix.rauc"/></policy></busconfig>`, 0o644)
	write(t, filepath.Join(dir, "etc/plenum.conf"), strings.ReplaceAll(read(t, "dbus/plenum.conf"), `user="plenum"`, `user="games"`), 0o644)
	socket := filepath.Join(dir, "bus")
	write(t, filepath.Join(dir, "bus.conf"), fmt.Sprintf(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=%[1]s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/></policy>
<includedir>share</includedir><includedir>etc</includedir></busconfig>`, socket), 0o644)
	cmd := exec.CommandContext(t.Context(), "dbus-daemon", "--nofork", "--nopidfile", "--config-file="+filepath.Join(dir, "bus.conf"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // ended by us
	})
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) { // the socket's file is there before anybody listens
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("the bus does not come up: ", err)
		}
	}
	if err := os.Chmod(socket, 0o777); err != nil {
		t.Fatal(err)
	}
	return "unix:path=" + socket
}

type installer struct{}

func (installer) Ping() (string, *dbus.Error) { return "here", nil }

func TestBusPolicy(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test speaks as several users: run it as root")
	}
	address := bus(t)
	root, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.Export(installer{}, "/", "de.pengutronix.rauc.Installer"); err != nil {
		t.Fatal(err)
	}
	if reply, err := root.RequestName("de.pengutronix.rauc", 0); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal("root may not be RAUC:", reply, err)
	}
	for user, may := range map[string]bool{"root": true, "games": true, "nobody": false, "bin": false} {
		out, code := try(t, nil, "setpriv", "--reuid="+user, "--clear-groups", "dbus-send", "--bus="+address, "--print-reply", "--reply-timeout=10000",
			"--dest=de.pengutronix.rauc", "/", "de.pengutronix.rauc.Installer.Ping")
		if refused := strings.Contains(out, "AccessDenied"); (code == 0) != may || refused == may {
			t.Errorf("%s may ask RAUC: %v, want %v\n%s", user, code == 0, may, out)
		}
		if user != "root" {
			out, _ := try(t, nil, "setpriv", "--reuid="+user, "--clear-groups", "dbus-send", "--bus="+address, "--print-reply",
				"--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.RequestName", "string:de.pengutronix.rauc", "uint32:3")
			if !strings.Contains(out, "AccessDenied") {
				t.Errorf("%s may take RAUC's name: %s", user, out)
			}
		}
	}
	if err := root.Close(); err != nil && !errors.Is(err, dbus.ErrClosed) {
		t.Fatal(err)
	}
}
