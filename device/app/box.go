package app

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"plenum/device/access"
	"plenum/device/config"
	"plenum/device/setup"
)

// Box says where an appliance keeps what is not in its configuration.
type Box struct {
	Config     string      // the configuration file; its folder holds what a setup stick brings
	First      string      // the image's first configuration, for when there is no other that can be read
	State      string      // folder of the last good configuration, of updates and of crash dumps
	Release    string      // what the image says of itself: lines KEY=VALUE
	Cmdline    string      // the kernel's, which names the slot that was booted
	Data       string      // this file says what became of the data partition
	Good       string      // this file is there once the boot was marked good
	Technician string      // this file is there while technician mode is on; udev looks at it
	Sys        string      // sysfs
	Mountinfo  string      // what is mounted where; empty: as the kernel says of this process
	Bus        string      // address of the system bus; empty: the usual one
	PINs       access.Hash // what the owner's PIN costs to check; zero: what it should
}

// ThisBox is the machine we run on.
func ThisBox(configuration string) Box {
	state := os.Getenv("STATE_DIRECTORY") // systemd.exec(5)
	if state == "" {
		state = "/var/lib/plenum"
	}
	return Box{Config: configuration, First: "/usr/share/plenum/plenum.toml", State: state, Release: "/usr/lib/plenum/release", Cmdline: "/proc/cmdline", Good: "/run/plenum-box/good", Data: "/run/plenum-box/data",
		Technician: "/run/plenum/technician", Sys: "/sys"}
}

func (b Box) etc() string       { return filepath.Dir(b.Config) }
func (b Box) kept() string      { return filepath.Join(b.State, "config") }
func (b Box) updateDir() string { return filepath.Join(b.State, "update") }
func (b Box) crashes() string   { return filepath.Join(b.State, "crash") }

// RunBox runs the appliance. A configuration that is bad, or with which the daemon cannot come up, costs nobody the
// sitting: the last good one is used and the fault shown until it is mended.
func RunBox(ctx context.Context, box Box, log *slog.Logger) error {
	if done, err := setup.Finish(box.etc()); err != nil {
		log.Error("a setup that a power cut interrupted", "error", err)
	} else if done {
		log.Info("a setup that a power cut interrupted is in force now")
	}
	a, err := openBox(ctx, box, log)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Run(ctx)
}

// openBox opens the appliance with the first configuration with which it comes up: the one that is in force, the last
// good one, the image's own.
func openBox(ctx context.Context, box Box, log *slog.Logger) (*App, error) {
	var fault error
	for _, load := range []func() (config.Config, error){
		func() (config.Config, error) { return config.Load(box.Config) },
		func() (config.Config, error) { return config.LoadGood(box.kept()) },
		func() (config.Config, error) { return config.Load(box.First) },
	} {
		cfg, err := load()
		var a *App
		if err == nil {
			a, err = newApp(ctx, cfg, log, &boxed{Box: box, fault: fault})
		}
		if err == nil {
			return a, nil
		}
		log.Error("the box does not come up with this configuration", "error", err)
		if fault == nil {
			fault = err // what is wrong with the one that should be in force is what people are to mend
		}
	}
	return nil, fault
}

// release is what the image says of itself.
type release struct{ version, build, compatible, support string }

// readRelease reads the image's file. A box without one is a fault of the image; it is told and works all the same.
func readRelease(path string) (release, error) {
	r := release{version: Version()}
	raw, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("what the image says of itself: %w", err)
	}
	into := map[string]*string{"VERSION": &r.version, "BUILD": &r.build, "COMPATIBLE": &r.compatible, "SUPPORT_UNTIL": &r.support}
	lines := bufio.NewScanner(strings.NewReader(string(raw)))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if field, known := into[strings.TrimSpace(key)]; known {
			*field = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return r, nil
}

// slotOf is the slot the boot loader chose ("A" or "B"), from the kernel's command line; empty when it does not say.
func slotOf(cmdline string) string {
	raw, err := os.ReadFile(cmdline)
	if err != nil {
		return ""
	}
	for word := range strings.FieldsSeq(string(raw)) {
		if slot, ok := strings.CutPrefix(word, "rauc.slot="); ok {
			return slot
		}
	}
	return ""
}
