package setup

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"time"

	"plenum/device/config"
)

// Where things go below the configuration's folder.
const (
	toConfig  = "plenum.toml"
	toNetwork = "network/50-plenum.network"
	toName    = "name"
	toCert    = "tls/cert.pem"
	toKey     = "tls/key.pem"
	toUSB     = "usb.allow"
	toOwner   = "setup.pub"
)

// targets are all files a stick can change.
func targets() []string {
	return []string{toConfig, toNetwork, toName, toCert, toKey, toUSB, toOwner}
}

// plan is what a stick would do: the files that would be written, those that are as they should be left out.
type plan struct {
	signed bool
	files  []file
	lines  []Line
}

func (p plan) changes(names ...string) bool {
	return slices.ContainsFunc(p.files, func(f file) bool { return slices.Contains(names, f.name) })
}

// checker turns the content of a stick into a plan, against what the box has now.
type checker struct {
	opts Options
	disk disk
	now  time.Time

	stick map[string][]byte
	names []string // the names of the configuration as it would be
	plan  plan
	bad   []Line
	err   error // the box's own folder could not be read
}

// check makes the plan, or says all that is wrong with the stick at once.
func (c *checker) check(unused []string) (plan, error) {
	signed, notes, forged := verify(c.stick, c.owner(toOwner))
	if forged != nil && !c.before() {
		return plan{}, forged // before all else: what a forged stick holds is not even decoded
	}
	for _, part := range []func(){c.configuration, c.network, c.name, c.tls, c.usb, c.newOwner} {
		part()
	}
	if c.err != nil {
		return plan{}, fmt.Errorf("reading the configuration of the box: %w", c.err)
	}
	if forged != nil && len(c.plan.files)+len(c.bad) > 0 {
		return plan{}, forged
	}
	if err := refuse(c.bad...); err != nil {
		return plan{}, err
	}
	c.plan.signed, c.plan.lines = signed, append(notes, c.plan.lines...)
	if len(unused) > 0 {
		de, en := some(unused)
		c.plan.lines = append(c.plan.lines, Line{DE: "Nicht verwendet: " + de, EN: "Not used: " + en})
	}
	return c.plan, nil
}

// have reads a file of the box; nil: there is none.
func (c *checker) have(name string) []byte {
	text, err := c.disk.read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.err = errors.Join(c.err, err)
	}
	return text
}

// put plans a file when it is another than the box has, and tells.
func (c *checker) put(name string, data []byte, lines ...Line) {
	if old := c.have(name); old != nil && bytes.Equal(old, data) {
		return
	}
	c.plan.files = append(c.plan.files, file{name, data})
	c.plan.lines = append(c.plan.lines, lines...)
}

func (c *checker) fault(name string, err error) { c.bad = append(c.bad, faults(name, err)...) }

// owner reads a key that signed sticks are checked with; nil: none yet. A key that cannot be read vouches for nothing:
// the PIN is asked for, and a stick can bring a new one.
func (c *checker) owner(name string) ed25519.PublicKey {
	key, err := ParseOwner(c.have(name))
	if err != nil {
		return nil
	}
	return key
}

// before reports whether the owner's key of before the last setup vouches for the stick: the one that brought the new key
// is still plugged in when the daemon starts again. It may be looked at, but must change nothing any more.
func (c *checker) before() bool {
	key := c.owner(beforeDir + "/" + flat(toOwner))
	if key == nil {
		return false
	}
	signed, _, err := verify(c.stick, key)
	return signed && err == nil
}

func (c *checker) configuration() {
	text, hasText := c.stick[onConfig]
	roster, hasRoster := c.stick[onRoster]
	old := c.have(toConfig)
	was, wasErr := config.Parse(old)
	if wasErr == nil {
		c.names = was.Names
	}
	if !hasText && !hasRoster {
		return
	}
	var cfg config.Config
	var err error
	switch {
	case !hasText && wasErr != nil:
		c.bad = append(c.bad, say("roster.csv: die Konfiguration der Anlage ist nicht lesbar; bitte auch eine ganze plenum.toml auf den Stick legen.",
			"roster.csv: the box's own configuration cannot be read; put a whole plenum.toml on the stick as well."))
		return
	case hasRoster:
		base := text
		if !hasText {
			base = old
		}
		text, cfg, err = c.merged(base, roster)
		if err == nil && !hasText && reflect.DeepEqual(cfg.Members, was.Members) {
			return
		}
	default:
		cfg, err = config.Parse(text)
	}
	if err != nil {
		name := onConfig
		if !hasText {
			name = onRoster
		}
		c.fault(name, err)
		return
	}
	for _, fixed := range []struct{ key, is, must string }{{"data", cfg.Data, c.opts.Data}, {"socket", cfg.Socket, c.opts.Socket}} {
		if fixed.must != "" && fixed.is != fixed.must {
			c.bad = append(c.bad, say("plenum.toml: %s muss %q bleiben; dort liegt, was die Anlage kennt.", "plenum.toml: %s must stay %q; that is where the box keeps what it knows.", fixed.key, fixed.must))
		}
	}
	c.names = cfg.Names
	if wasErr != nil {
		c.put(toConfig, text, say("Konfiguration: neu, für „%s“ (bisher keine lesbare), %d Personen, %d Kameras", "Configuration: new, for %q (none that could be read before), %d people, %d cameras",
			shown(cfg.Sitting.Body), len(cfg.Members), len(cfg.Cameras)))
		return
	}
	c.put(toConfig, text, differences(was, cfg)...)
}

// merged is the configuration with the roster's people.
func (c *checker) merged(base, roster []byte) ([]byte, config.Config, error) {
	rows, notes, err := ParseRoster(roster)
	if err != nil {
		return nil, config.Config{}, err
	}
	c.plan.lines = append(c.plan.lines, notes...)
	text, cfg, kept, err := merge(base, rows)
	if err == nil && !kept {
		c.plan.lines = append(c.plan.lines, say("Hinweis: plenum.toml wird neu geschrieben; Kommentare darin gehen verloren.", "Note: plenum.toml is written anew; comments in it are lost."))
	}
	return text, cfg, err
}

func (c *checker) network() {
	text, ok := c.stick[onNetwork]
	if !ok {
		return
	}
	n, err := ParseNetwork(text)
	if err != nil {
		c.fault(onNetwork, err)
		return
	}
	c.put(toNetwork, n.Render(), n.line())
}

func (c *checker) name() {
	text, ok := c.stick[onName]
	if !ok {
		return
	}
	name, err := ParseName(text)
	if err != nil {
		c.fault(onName, err)
		return
	}
	line := say("Name der Anlage: %s", "Name of the box: %s", name)
	if old := c.have(toName); old != nil {
		line = say("Name der Anlage: %s statt %s", "Name of the box: %s instead of %s", name, shown(string(old)))
	}
	c.put(toName, []byte(name+"\n"), line)
}

// tls checks certificate and key together; what the stick does not bring, the box may have.
func (c *checker) tls() {
	cert, hasCert := c.stick[onCert]
	key, hasKey := c.stick[onKey]
	if !hasCert && !hasKey {
		return
	}
	if !hasCert {
		cert = c.have(toCert)
	}
	if !hasKey {
		key = c.have(toKey)
	}
	pair, err := CheckPair(cert, key, c.names, c.now)
	if err != nil {
		c.fault("tls", err)
		return
	}
	was := say(" statt des eigenen der Anlage", " instead of the box's own")
	if block, _ := pem.Decode(c.have(toCert)); block != nil {
		was = Line{}
		if bytes.Equal(block.Bytes, pair.Leaf.Raw) {
			was = say(" (wie bisher; Schlüssel oder Zwischenstellen neu geschrieben)", " (as before; key or intermediates written anew)")
		}
	}
	line := pair.line()
	before := len(c.plan.files)
	c.put(toCert, pair.Chain)
	c.put(toKey, pair.Key)
	if len(c.plan.files) > before {
		c.plan.lines = append(c.plan.lines, Line{DE: line.DE + was.DE, EN: line.EN + was.EN})
		c.plan.lines = append(c.plan.lines, pair.Notes...)
	}
}

func (c *checker) usb() {
	text, ok := c.stick[onUSB]
	if !ok {
		return
	}
	ids, err := ParseUSB(text)
	if err != nil {
		c.fault(onUSB, err)
		return
	}
	was, _ := ParseUSB(c.have(toUSB)) // what cannot be read allows nothing
	list := strings.Join(ids[:min(5, len(ids))], ", ")
	if len(ids) > 5 {
		list += " …"
	}
	c.put(toUSB, renderUSB(ids), say("Zugelassene USB-Geräte: %d statt %d (%s)", "USB devices allowed: %d instead of %d (%s)", len(ids), len(was), list))
}

func (c *checker) newOwner() {
	text, ok := c.stick[onOwner]
	if !ok {
		return
	}
	key, err := ParseOwner(text)
	if err != nil {
		c.fault(onOwner, err)
		return
	}
	c.put(toOwner, renderOwner(key), say("Schlüssel für unterschriebene Sticks: %s. Solche Sticks gelten künftig ohne PIN.",
		"Key for signed sticks: %s. From then on such sticks are applied without a PIN.", fingerprint(key)))
}
