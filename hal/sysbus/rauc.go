package sysbus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// raucFace is RAUC's interface (src/de.pengutronix.rauc.Installer.xml of RAUC 1.8 and 1.15).
const raucFace = "de.pengutronix.rauc.Installer"

func rauc() object { return object{raucName, "/"} }

// Bundle is what a bundle says of itself. RAUC 1.8 tells compatible and version only.
type Bundle struct {
	Compatible  string
	Version     string
	Description string // "" when RAUC is older than 1.10
	Build       string // the same
}

// Inspect has RAUC check a bundle's signature and read what it says. path must be readable for RAUC. An error without a
// sentinel is RAUC's no; RAUC 1.8 keeps the reason to itself ("rauc info error").
func (b *Bus) Inspect(ctx context.Context, path string) (Bundle, error) {
	info, err := single[props](b.raucCall(ctx, "InspectBundle", path, props{}))
	switch errorName(err) {
	case "org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.DBus.Error.UnknownInterface":
		return b.inspectOld(ctx, path) // RAUC before 1.10
	}
	if err != nil {
		return Bundle{}, fmt.Errorf("inspect %s: %w", path, err)
	}
	update, err := as[props](info["update"], "update")
	r := &reader{props: update, err: err}
	bundle := Bundle{Compatible: clean(take[string](r, "compatible")), Version: clean(take[string](r, "version")),
		Description: clean(take[string](r, "description")), Build: clean(take[string](r, "build"))}
	if r.err != nil {
		return Bundle{}, fmt.Errorf("inspect %s: %w", path, r.err)
	}
	return bundle, nil
}

// inspectOld asks as RAUC 1.8 wants it.
func (b *Bus) inspectOld(ctx context.Context, path string) (Bundle, error) {
	body, err := b.raucCall(ctx, "Info", path)
	if err != nil {
		return Bundle{}, fmt.Errorf("inspect %s: %w", path, err)
	}
	if len(body) != 2 {
		return Bundle{}, fmt.Errorf("inspect %s: %w: %d values", path, errGarbage, len(body))
	}
	r := &reader{props: props{"compatible": dbus.MakeVariant(body[0]), "version": dbus.MakeVariant(body[1])}}
	bundle := Bundle{Compatible: clean(take[string](r, "compatible")), Version: clean(take[string](r, "version"))}
	return bundle, r.err
}

// raucCall calls RAUC. It serves one at a time and may still be putting its things away after it said Completed.
func (b *Bus) raucCall(ctx context.Context, method string, args ...any) ([]any, error) {
	for try := 1; ; try++ {
		body, err := b.callSlowly(ctx, rauc(), raucFace+"."+method, args...)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), "already processing") {
			return body, err
		}
		if try == 20 {
			return nil, fmt.Errorf("%w: %w", ErrBusy, err)
		}
		if err := sleep(ctx, b.limits.first/4); err != nil {
			return nil, err
		}
	}
}

// raucText reads a property of RAUC that is a text.
func (b *Bus) raucText(ctx context.Context, name string) (string, error) {
	return variantText(b.call(ctx, rauc(), busProps+"Get", raucFace, name))
}

// variantText takes a text out of the answer to Properties.Get.
func variantText(body []any, err error) (string, error) {
	v, err := single[dbus.Variant](body, err)
	if err != nil {
		return "", err
	}
	return as[string](v, "the property")
}

// Slot is one of the places the system is installed in.
type Slot struct {
	Name      string    // such as "rootfs.0"
	Bootname  string    // such as "A"; "" when it is not booted from
	Device    string    // such as /dev/disk/by-partlabel/rootfs-a
	Booted    bool      // the running system is in it
	Good      bool      // the boot loader may choose it
	Version   string    // of the bundle installed in it; "" when none was
	Installed time.Time // zero when none was
	Activated time.Time // when it was last made the one that boots next; zero when it never was
}

// Slots lists RAUC's slots by name.
func (b *Bus) Slots(ctx context.Context) ([]Slot, error) {
	rows, err := single[[][]any](b.raucCall(ctx, "GetSlotStatus"))
	if err != nil {
		return nil, fmt.Errorf("read the slots: %w", err)
	}
	var list []Slot
	for _, row := range rows {
		if len(row) != 2 {
			return nil, fmt.Errorf("read the slots: %w: a row of %d", errGarbage, len(row))
		}
		name, err := as[string](row[0], "name")
		if err != nil {
			return nil, fmt.Errorf("read the slots: %w", err)
		}
		status, err := as[props](row[1], "status")
		if err != nil {
			return nil, fmt.Errorf("read the slots: %w", err)
		}
		r := &reader{props: status}
		s := Slot{Name: name, Bootname: take[string](r, "bootname"), Device: take[string](r, "device"),
			Booted: take[string](r, "state") == "booted", Good: take[string](r, "boot-status") == "good",
			Version: clean(take[string](r, "bundle.version"))}
		installed, activated := take[string](r, "installed.timestamp"), take[string](r, "activated.timestamp")
		if r.err != nil {
			return nil, fmt.Errorf("read slot %s: %w", name, r.err)
		}
		// The status file is RAUC's, and a clock that was never set is no trouble of ours: what is no time is none.
		s.Installed, _ = time.Parse(time.RFC3339, installed)
		s.Activated, _ = time.Parse(time.RFC3339, activated)
		list = append(list, s)
	}
	slices.SortFunc(list, func(x, y Slot) int { return cmp.Compare(x.Name, y.Name) }) // RAUC's own order is none
	return list, nil
}

// Primary gives the name of the slot that boots next, such as "rootfs.0".
func (b *Bus) Primary(ctx context.Context) (name string, err error) {
	if name, err = single[string](b.raucCall(ctx, "GetPrimary")); err != nil {
		return "", fmt.Errorf("read the primary slot: %w", err)
	}
	return name, nil
}

// Compatible gives the name of the devices whose bundles this box takes.
func (b *Bus) Compatible(ctx context.Context) (string, error) {
	s, err := b.raucText(ctx, "Compatible")
	if err != nil {
		return "", fmt.Errorf("read what this box is: %w", err)
	}
	return s, nil
}

// Mark sets the state ("good", "bad", "active") of a slot: its name, "booted" or "other".
func (b *Bus) Mark(ctx context.Context, state, slot string) error {
	if _, err := b.raucCall(ctx, "Mark", state, slot); err != nil {
		return fmt.Errorf("mark slot %s %s: %w", slot, state, err)
	}
	return nil
}
