package fake

import (
	"sync"

	"github.com/godbus/dbus/v5"
)

// Bundle is what a bundle says of itself.
type Bundle struct {
	Compatible, Version, Description, Build string
	Refusal                                 string // why RAUC does not take it; "": it does
}

// Slot is a slot as GetSlotStatus shows it.
type Slot struct {
	Name   string
	Status map[string]dbus.Variant
}

// RAUC is the installer.
type RAUC struct {
	*Service
	mu        sync.Mutex
	old       bool
	bundles   map[string]Bundle
	props     variants
	slots     []Slot
	primary   string
	onInstall func(path string)
}

// raucFace is RAUC's interface.
const raucFace = "de.pengutronix.rauc.Installer"

// ServeRAUC is RAUC on the bus at address: two slots, A booted and good. old: as RAUC 1.8, without InspectBundle.
func ServeRAUC(address, compatible string, old bool) (*RAUC, error) {
	r := &RAUC{old: old, bundles: map[string]Bundle{}, primary: "rootfs.0"}
	r.props = variants{"Operation": variant("idle"), "LastError": variant(""), "Compatible": variant(compatible),
		"BootSlot": variant("rootfs.0"), "Progress": variant(progress{0, "idle", 0})}
	r.slots = []Slot{
		{"rootfs.0", variants{"class": variant("rootfs"), "device": variant("/dev/disk/by-partlabel/rootfs-a"), "bootname": variant("A"),
			"state": variant("booted"), "boot-status": variant("good")}},
		{"rootfs.1", variants{"class": variant("rootfs"), "device": variant("/dev/disk/by-partlabel/rootfs-b"), "bootname": variant("B"),
			"state": variant("inactive"), "boot-status": variant("bad"), "bundle.version": variant("1.2.0"),
			"installed.timestamp": variant("2026-11-20T08:30:00Z"), "installed.count": variant(uint32(3)),
			"activated.timestamp": variant("2026-11-20T08:31:00Z"), "activated.count": variant(uint32(3))}},
	}
	r.Service = prepare(r.answer)
	return r, r.join(address, "de.pengutronix.rauc")
}

// progress is RAUC's (percentage, message, nesting depth).
type progress struct {
	Percent int32
	Message string
	Depth   int32
}

// Put makes a bundle known. Others are refused.
func (r *RAUC) Put(path string, b Bundle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bundles[path] = b
}

// OnInstall is called on a goroutine of its own when an installation begins; it calls Progress and Complete.
func (r *RAUC) OnInstall(f func(path string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onInstall = f
}

// SetSlots replaces the slots and the one that boots next.
func (r *RAUC) SetSlots(primary string, slots ...Slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.primary, r.slots = primary, slots
}

// Progress tells how far the installation is.
func (r *RAUC) Progress(percent int, message string) error {
	return r.set(variants{"Progress": variant(progress{int32(percent), message, 1})})
}

// Set sets a property without telling anybody.
func (r *RAUC) Set(name string, v any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.props[name] = variant(v)
}

// Complete ends the installation; result 0 is success.
func (r *RAUC) Complete(result int, lastError string) error {
	if err := r.set(variants{"LastError": variant(lastError)}); err != nil {
		return err
	}
	if err := r.Emit("/", raucFace+".Completed", int32(result)); err != nil {
		return err
	}
	return r.set(variants{"Operation": variant("idle")})
}

func (r *RAUC) set(p variants) error {
	r.mu.Lock()
	for k, v := range p {
		r.props[k] = v
	}
	r.mu.Unlock()
	return r.Changed("/", raucFace, p)
}

func (r *RAUC) answer(c Call) ([]any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch c.Member {
	case "InspectBundle":
		if r.old {
			return nil, Unknown(c)
		}
		return r.inspect(text(c, 0))
	case "Info":
		b, ok := r.bundles[text(c, 0)]
		if !ok || b.Refusal != "" {
			return nil, failed("rauc info error")
		}
		return []any{b.Compatible, b.Version}, nil
	case "InstallBundle":
		return nil, r.install(text(c, 0))
	case "GetSlotStatus":
		return []any{r.slots}, nil
	case "GetPrimary":
		return []any{r.primary}, nil
	case "Mark":
		return []any{"rootfs.0", "marked slot rootfs.0 as " + text(c, 0)}, nil
	}
	return get(c, r.props)
}

func (r *RAUC) inspect(path string) ([]any, error) {
	b, ok := r.bundles[path]
	switch {
	case !ok:
		return nil, failed("failed to open bundle: No such file or directory")
	case b.Refusal != "":
		return nil, failed(b.Refusal)
	}
	update := variants{"compatible": variant(b.Compatible), "version": variant(b.Version)}
	for name, v := range map[string]string{"description": b.Description, "build": b.Build} {
		if v != "" {
			update[name] = variant(v)
		}
	}
	// RAUC puts a variant into the variant.
	return []any{variants{"update": variant(variant(update)), "bundle": variant(variant(variants{"format": variant("verity")}))}}, nil
}

func (r *RAUC) install(path string) error {
	if op, _ := r.props["Operation"].Value().(string); op != "idle" {
		return failed("Already processing a different method")
	}
	r.props["Operation"] = variant("installing")
	if r.onInstall != nil {
		go r.onInstall(path)
	}
	return nil
}

// failed is how GLib hands on an error of RAUC.
func failed(text string) error {
	return Error("org.gtk.GDBus.UnmappedGError.Quark._g_2dio_2derror_2dquark.Code30", text)
}
