package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"plenum/test/lab/frame"
	"plenum/test/lab/qmp"
)

// Patience is how long anything in a guest may take: a boot, a command, something to show. The guest is 5 to 40 times slower
// than a box and shares the machine's cores with whatever else runs there, so how long it took proves nothing; only that it
// never came does.
const Patience = 10 * time.Minute

// ErrOff: the VM does not run: it was switched off, or QEMU has ended by itself.
var ErrOff = errors.New("the VM is off")

// VM is a guest with its disk, its ports and what is plugged into it. Every PowerOn is a new QEMU process. Power and
// plugs belong to one goroutine; Run, Put, Get and the like may be called from several.
type VM struct {
	image Image
	opt   Options
	dir   *folder
	logs  string  // beginning of the names of the console logs
	disk  *losing // nil without Options.Losing

	mu      sync.Mutex
	proc    *process // nil: off
	boots   int
	devices []Device    // plugged in, also while it is off
	ports   map[key]int // of the host
}

// key is a port of the guest.
type key struct {
	proto string
	guest int
}

// Start makes a VM and switches it on. It must be Closed.
func Start(ctx context.Context, image Image, opt Options) (*VM, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	dir, err := newFolder()
	if err != nil {
		return nil, fmt.Errorf("a folder for the VM: %w", err)
	}
	if opt.Name == "" {
		opt.Name = "lab"
	}
	opt.Name = regexp.MustCompile(`[^A-Za-z0-9_.-]+`).ReplaceAllString(opt.Name, "-")
	opt.Forward = slices.Clone(opt.Forward)
	v := &VM{image: image, opt: opt, dir: dir, devices: slices.Clone(opt.Plugged), ports: map[key]int{},
		logs: filepath.Join(cache, "logs", opt.Name+"."+strings.TrimPrefix(filepath.Base(dir.path), folderPrefix))}
	if v.keeps() {
		err = v.makeDisk(ctx)
	}
	if err == nil && opt.Losing {
		v.disk, err = newLosing(v.Disk(), v.path("nbd"))
	}
	if err == nil && opt.Wire != nil {
		opt.Wire(v)
	}
	if err == nil {
		err = v.PowerOn(ctx)
	}
	if err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// Close ends QEMU, however it fares, and removes what the VM had on the host but for the console logs.
func (v *VM) Close() {
	v.PowerCut()
	if v.disk != nil {
		v.disk.close()
	}
	v.dir.remove()
}

// PowerOn boots and waits until the agent answers and the devices are there.
func (v *VM) PowerOn(ctx context.Context) error {
	if err := v.SwitchOn(ctx); err != nil {
		return err
	}
	if err := v.Await(ctx); err != nil {
		err = v.explain(err)
		v.PowerCut()
		return err
	}
	return nil
}

// SwitchOn is PowerOn that does not wait: the guest has begun to boot.
func (v *VM) SwitchOn(ctx context.Context) error {
	if v.process() != nil {
		return errors.New("the VM is on already")
	}
	v.mu.Lock()
	v.boots++
	log := fmt.Sprintf("%s.%d", v.logs, v.boots)
	v.mu.Unlock()
	// Sockets of the process before would be connected to, in vain.
	for _, name := range append(lines(), "qmp") {
		os.Remove(v.path(name))
	}
	p, err := start(v.arguments(log+".console"), log+".qemu")
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.proc = p
	v.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := v.begin(limited, p); err != nil {
		err = v.explain(err)
		v.PowerCut()
		return err
	}
	return nil
}

// Await waits until the agent answers and the devices are there. When the guest ends the boot before, that is ErrOff:
// Ended tells how.
func (v *VM) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, Patience, fmt.Errorf("it took longer than %v", Patience))
	defer cancel()
	p := v.process()
	if p == nil {
		return ErrOff
	}
	if err := v.await(ctx, p); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w (%w)", err, cause)
		}
		return err
	}
	if out, err := v.Run(ctx, "systemctl is-active -q lab-devices || { journalctl -b -u lab-devices -o cat; false; }"); err != nil {
		return fmt.Errorf("the guest's devices are not there: %s: %w", strings.TrimSpace(out), err)
	}
	return nil
}

// explain adds to an error of a boot what QEMU and the console have said.
func (v *VM) explain(err error) error {
	words := ""
	if p := v.process(); p != nil {
		select {
		case <-p.exited:
			if !p.cmd.ProcessState.Success() { // QEMU itself: the guest has no say in it
				return fmt.Errorf("booting: %w", v.off())
			}
		default:
		}
		words = p.lastWords()
	}
	last, path := v.Console(15)
	return fmt.Errorf("booting %s: %w%s\n%s (all of it: %s)", v.opt.Name, err, words, last, path)
}

// begin plugs everything into a paused machine and lets it run.
func (v *VM) begin(ctx context.Context, p *process) error {
	if err := p.connect(ctx, v.path("qmp")); err != nil {
		return err
	}
	if err := v.readPorts(ctx, p.qmp); err != nil {
		return err
	}
	v.mu.Lock()
	devices := slices.Clone(v.devices)
	v.mu.Unlock()
	for _, d := range devices {
		if err := v.add(ctx, p.qmp, d); err != nil {
			return fmt.Errorf("plugging %s in: %w", d.ID, err)
		}
	}
	return p.qmp.Do(ctx, "cont", nil, nil)
}

// await waits for the agent. QEMU takes connections before the guest can, so only an answer counts.
func (v *VM) await(ctx context.Context, p *process) error {
	for limit := time.Second; ; limit = min(2*limit, 8*time.Second) {
		try, cancel := context.WithTimeout(ctx, limit)
		err := v.call(try, frame.Call{Op: frame.Ping}, nil)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return ErrOff
		case <-ctx.Done():
			return fmt.Errorf("the agent does not answer: %w", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// PowerCut ends QEMU as a power cut ends a box: at once. Done twice it does nothing more.
func (v *VM) PowerCut() {
	v.mu.Lock()
	p := v.proc
	v.proc = nil
	v.mu.Unlock()
	switch {
	case p == nil:
	case v.disk != nil:
		v.disk.cut(p)
	default:
		p.kill()
	}
}

// PowerOff shuts the guest down in order.
func (v *VM) PowerOff(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	p := v.process()
	if p == nil {
		return ErrOff
	}
	_, err := v.Run(ctx, "systemctl poweroff --no-block")
	if _, refused := errors.AsType[*ExitError](err); refused {
		return err
	}
	// Any other error may be the agent that is ended already.
	select {
	case <-p.exited:
		v.PowerCut()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shutting %s down: %w", v.opt.Name, errors.Join(ctx.Err(), err))
	}
}

// Exited is closed when this boot's QEMU has ended: after a cut, a shutdown or a reset (the watchdog's, too: a VM never
// reboots by itself). Nil while it is off.
func (v *VM) Exited() <-chan struct{} {
	if p := v.process(); p != nil {
		return p.exited
	}
	return nil
}

// QMP is the connection to this boot's QEMU, ErrOff when there is none.
func (v *VM) QMP() (*qmp.Conn, error) {
	if p := v.process(); p != nil && p.qmp != nil {
		return p.qmp, nil
	}
	return nil, ErrOff
}

// Port is the port of 127.0.0.1 on the host that leads to a port of the guest; 0 when it is not forwarded.
func (v *VM) Port(proto string, guest int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ports[key{proto, guest}]
}

// Console gives the last lines of this boot's console and the path of all of it.
func (v *VM) Console(lines int) (last, path string) {
	v.mu.Lock()
	path = fmt.Sprintf("%s.%d.console", v.logs, v.boots)
	v.mu.Unlock()
	return tail(path, lines), path
}

// Disk is the VM's own disk on the host, when it keeps one. Nobody but QEMU may write to it while the VM is on.
func (v *VM) Disk() string { return v.path("root.img") }

// Dir is the folder of sockets, disk and WAV on the host. It goes with Close.
func (v *VM) Dir() string { return v.dir.path }

// Forget removes the logs of all boots so far.
func (v *VM) Forget() {
	files, _ := filepath.Glob(v.logs + ".*")
	for _, f := range files {
		os.Remove(f)
	}
}

func (v *VM) process() *process {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.proc
}

func (v *VM) path(name string) string { return filepath.Join(v.dir.path, name) }

func (v *VM) keeps() bool {
	return v.opt.Keep || len(v.opt.Files) > 0 || v.opt.Losing || v.image.Disk != ""
}

// readPorts asks which ports QEMU has got, and keeps to them at the next PowerOn: a browser has them in its address bar.
func (v *VM) readPorts(ctx context.Context, q *qmp.Conn) error {
	text, err := q.Human(ctx, "info usernet")
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range regexp.MustCompile(`(?m)(TCP|UDP)\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+(\d+)`).FindAllStringSubmatch(text, -1) {
		host, _ := strconv.Atoi(m[2])
		guest, _ := strconv.Atoi(m[3])
		v.ports[key{strings.ToLower(m[1]), guest}] = host
	}
	for i, f := range v.opt.Forward {
		v.opt.Forward[i].Host = v.ports[key{f.Proto, f.Guest}]
	}
	if v.ports[key{"tcp", agentPort}] == 0 {
		return fmt.Errorf("QEMU forwards no port to the agent: %q", text)
	}
	return nil
}

// makeDisk gives the VM a disk of its own with Options.Files on it.
func (v *VM) makeDisk(ctx context.Context) error {
	disk := v.path("root.img")
	from := map[string]string{disk: filepath.Join(v.image.Dir, "root.img")}
	if v.image.Disk != "" {
		if len(v.opt.Files) > 0 || v.opt.Append != "" {
			return errors.New("a disk that boots by itself takes neither files nor kernel arguments")
		}
		from = map[string]string{disk: v.image.Disk, v.path("vars.fd"): firmware + "/OVMF_VARS.fd"}
	}
	for to, from := range from {
		if out, err := exec.CommandContext(ctx, "cp", "--sparse=always", from, to).CombinedOutput(); err != nil {
			return fmt.Errorf("copying the disk: %w: %s", err, out)
		}
	}
	for i, f := range v.opt.Files {
		if err := writeFile(ctx, disk, v.path(fmt.Sprintf("file%d", i)), f); err != nil {
			return fmt.Errorf("putting %s on the disk: %w", f.Path, err)
		}
	}
	return nil
}
