// Package setup is the technician's stick that sets the box up: name, network, certificate, roster, configuration. It
// reads the stick whole, checks everything, says line by line what would change, and puts all of it in place or
// nothing, whatever happens to the power meanwhile.
//
// A stick signed with the owner's key is applied by itself, any other after the owner's PIN; who asks for the PIN is
// not decided here. Files: see names; a signed stick also holds SHA256SUMS ("sha256sum plenum.toml … > SHA256SUMS")
// and SHA256SUMS.sig ("openssl pkeyutl -sign -rawin -inkey setup.key -in SHA256SUMS -out SHA256SUMS.sig").
package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Errors callers branch on.
var (
	ErrNothing = errors.New("no setup is offered")
	ErrChanged = errors.New("the box has changed since the setup was shown; look at it again")
)

// Medium is a stick that is mounted.
type Medium struct {
	ID       string // of the medium, until it is pulled
	Label    string
	Path     string // where it is mounted; read only is enough
	ReadOnly bool
	Checked  func() // called when all that stands on it was read and checked, before anything is done with it; nil: nobody asks
}

// State is how far a setup is.
type State string

// States of a setup.
const (
	Idle    State = "idle"
	Offered State = "offered" // shown, waiting for the owner's PIN or the end of the sitting
	Refused State = "refused" // something is wrong with the stick; nothing was changed
	Applied State = "applied" // in force, or it was already
)

// View is what panel and command line show.
type View struct {
	State  State  `json:"state"`
	Signed bool   `json:"signed"` // by the owner's key: needs no PIN
	Lines  []Line `json:"lines"`  // what would change, or what is wrong
	DE     string `json:"text_de"`
	EN     string `json:"text_en"`
}

// Options tell New what it works with. The functions are called after the new files are durable, only when something
// of theirs has changed, in the order Hostname, Network, USB, Restart; nil: left out.
type Options struct {
	Dir    string // the configuration's folder, /etc/plenum
	Data   string // what data and socket of a new configuration must be; empty: anything
	Socket string

	Allowed  func() error                                 // why nothing may be changed now (a sitting is open); nil func: always allowed
	Hostname func(ctx context.Context, name string) error // sets the host's name
	Network  func(ctx context.Context) error              // lets networkd read its files again
	USB      func(ctx context.Context) error              // applies the USB policy anew
	Restart  func(ctx context.Context) error              // lets the daemon start again with the new configuration
	Now      func() time.Time                             // nil: time.Now
	Log      *slog.Logger                                 // nil: silent
}

// Setup works on one stick at a time. It is safe for use by many goroutines.
type Setup struct {
	opts Options
	work sync.Mutex // held while a stick is read or applied

	mu      sync.Mutex
	id      string // of the stick that the view is about
	content content
	plan    plan
	view    View
	changed func()
}

// announceFor is how long the rest of the box may take to follow.
const announceFor = 30 * time.Second

// New makes an idle Setup. Call Finish before the configuration is read.
func New(opts Options) *Setup {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Allowed == nil {
		opts.Allowed = func() error { return nil }
	}
	return &Setup{opts: opts, view: View{State: Idle, Lines: []Line{}}, changed: func() {}}
}

// Finish does what a power cut left undone of a setup in the configuration's folder, or clears away what had not been
// ready. It is for the start of the daemon, before anything is read there. done says that a setup was finished.
// ErrUndone: the new files were damaged and the old ones are back.
func Finish(dir string) (done bool, err error) {
	f, err := openFolder(dir)
	if err != nil {
		return false, err
	}
	defer f.root.Close()
	return finish(f)
}

// Name is the name that a stick gave the box; empty: none did.
func Name(dir string) (string, error) {
	f, err := openFolder(dir)
	if err != nil {
		return "", err
	}
	defer f.root.Close()
	if there, err := f.has(toName); err != nil || !there {
		return "", err
	}
	text, err := f.read(toName)
	if err != nil {
		return "", fmt.Errorf("reading the box's name: %w", err)
	}
	return ParseName(text)
}

// Changed sets what is called after each change of the view. It is called once, before the first Insert.
func (s *Setup) Changed(f func()) { s.changed = f }

// View tells what is offered or wrong.
func (s *Setup) View() View {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.view
	v.Lines = slices.Clone(v.Lines)
	return v
}

// Insert reads and checks a stick. Afterwards the stick is not needed any more: what was read is what is applied. A
// signed stick is applied at once, unless that is not allowed now. The result is in the view; the error only tells
// what the stick or the disk had.
func (s *Setup) Insert(ctx context.Context, m Medium) error {
	s.work.Lock()
	defer s.work.Unlock()
	read, err := read(m.Path)
	if err != nil {
		return s.refuse(m.ID, err)
	}
	p, err := s.check(read)
	if m.Checked != nil {
		m.Checked()
	}
	if err != nil {
		return s.refuse(m.ID, err)
	}
	if len(p.files) == 0 {
		s.show(m.ID, content{}, p, View{State: Applied, Signed: p.signed, Lines: p.lines,
			DE: "Alles auf diesem Stick gilt bereits. Der Stick kann abgezogen werden.", EN: "Everything on this stick is in force already. You can take it out."})
		return nil
	}
	s.offer(m.ID, read, p)
	if p.signed && s.opts.Allowed() == nil {
		return s.apply(ctx, m.ID, p)
	}
	return nil
}

// Remove forgets the stick. What was applied stays.
func (s *Setup) Remove(id string) {
	s.mu.Lock()
	if s.id != id {
		s.mu.Unlock()
		return
	}
	s.id, s.content, s.plan, s.view = "", content{}, plan{}, View{State: Idle, Lines: []Line{}}
	s.mu.Unlock()
	s.changed()
}

// Apply puts in place what is offered. The caller has asked for the owner's PIN where the view says that the stick is
// not signed. Errors: ErrNothing, ErrChanged (and the view shows the plan as it is now), what Allowed says, or the disk's.
func (s *Setup) Apply(ctx context.Context) error {
	s.work.Lock()
	defer s.work.Unlock()
	s.mu.Lock()
	id, read, shown, state := s.id, s.content, s.plan, s.view.State
	s.mu.Unlock()
	if state != Offered {
		return ErrNothing
	}
	if err := s.opts.Allowed(); err != nil {
		return err
	}
	p, err := s.check(read)
	if err != nil {
		return s.refuse(id, err)
	}
	if p.signed != shown.signed || !slices.Equal(p.lines, shown.lines) {
		s.offer(id, read, p)
		return ErrChanged
	}
	return s.apply(ctx, id, p)
}

func (s *Setup) check(c content) (plan, error) {
	f, err := openFolder(s.opts.Dir)
	if err != nil {
		return plan{}, err
	}
	defer f.root.Close()
	k := &checker{opts: s.opts, disk: f, now: s.opts.Now(), stick: c.files}
	return k.check(c.unused)
}

// show sets the view.
func (s *Setup) show(id string, c content, p plan, v View) {
	if v.Lines == nil {
		v.Lines = []Line{}
	}
	s.mu.Lock()
	s.id, s.content, s.plan, s.view = id, c, p, v
	s.mu.Unlock()
	s.changed()
}

func (s *Setup) offer(id string, c content, p plan) {
	v := View{State: Offered, Signed: p.signed, Lines: p.lines,
		DE: "Der Stick ändert die Einrichtung. Bitte die Zeilen prüfen und mit der PIN bestätigen.",
		EN: "The stick changes the setup. Check the lines and confirm with the PIN."}
	if p.signed {
		v.DE, v.EN = "Der Stick ist unterschrieben und wird ohne PIN übernommen, sobald keine Sitzung offen ist.",
			"The stick is signed and is applied without a PIN as soon as no sitting is open."
	}
	s.opts.Log.Info("a setup stick is offered", "signed", p.signed, "files", len(p.files))
	s.show(id, c, p, v)
}

// refuse shows what is wrong. A fault of the stick's content is no error of ours.
func (s *Setup) refuse(id string, err error) error {
	v := View{State: Refused, DE: "Der Stick wurde nicht übernommen; es ist nichts geändert.", EN: "The stick was not applied; nothing has changed."}
	r, ofContent := errors.AsType[*Refusal](err)
	if ofContent {
		v.Lines = r.Lines
		s.opts.Log.Warn("a setup stick was refused", "faults", len(r.Lines), "first", r.Lines[0].EN)
	} else {
		v.Lines = []Line{trouble(err)}
		s.opts.Log.Error("a setup stick could not be read", "error", err)
	}
	s.show(id, content{}, plan{}, v)
	if ofContent {
		return nil
	}
	return err
}

// trouble says in plain words what the disk or the stick had.
func trouble(err error) Line {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return say("Der Speicher der Anlage ist voll. Bitte Platz schaffen und den Stick noch einmal einstecken.", "The box's disk is full. Make room and plug the stick in again.")
	case errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENOTCONN):
		return say("Der Stick wurde abgezogen oder ist defekt. Bitte noch einmal einstecken.", "The stick was pulled or is broken. Plug it in again.")
	}
	text := clip(err.Error(), 300)
	return say("Technischer Fehler: %s", "Technical fault: %s", text)
}

// apply writes, then tells the rest of the box. What is durable stays, even where that does not work at once.
func (s *Setup) apply(ctx context.Context, id string, p plan) error {
	f, err := openFolder(s.opts.Dir)
	if err != nil {
		return s.refuse(id, err)
	}
	// What has been said to be in force is carried to its end, whoever pulls the stick or closes the page.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), announceFor)
	defer cancel()
	committed, err := replace(f, p.files)
	f.root.Close()
	if err != nil && !committed {
		return s.refuse(id, err)
	}
	v := View{State: Applied, Signed: p.signed, Lines: slices.Clone(p.lines),
		DE: "Die Einrichtung ist übernommen. Der Stick kann abgezogen werden.", EN: "The setup is in force. You can take the stick out."}
	if err != nil {
		v.DE, v.EN = "Die Einrichtung ist gesichert und wird beim nächsten Start der Anlage übernommen.", "The setup is kept and comes into force when the box starts next."
		v.Lines = append(v.Lines, trouble(err))
	}
	changed := make([]string, 0, len(p.files))
	for _, f := range p.files {
		changed = append(changed, f.name)
	}
	s.opts.Log.Info("a setup stick was applied", "signed", p.signed, "files", strings.Join(changed, " "))
	v.Lines = append(v.Lines, s.announce(ctx, p)...)
	s.show(id, content{}, plan{}, v)
	if s.opts.Restart != nil && p.changes(toConfig, toCert, toKey) {
		if err := s.opts.Restart(ctx); err != nil {
			return fmt.Errorf("starting again with the new setup: %w", err)
		}
	}
	return nil
}

// announce lets the rest of the box take the new files, and says what it did not take yet.
func (s *Setup) announce(ctx context.Context, p plan) (lines []Line) {
	later := func(what Line, err error) {
		if err != nil {
			s.opts.Log.Error("the new setup comes into force only at the next start", "part", what.EN, "error", err)
			lines = append(lines, Line{DE: what.DE + ": gilt erst nach dem nächsten Start der Anlage.", EN: what.EN + ": in force only after the box has started again."})
		}
	}
	if s.opts.Hostname != nil && p.changes(toName) {
		i := slices.IndexFunc(p.files, func(f file) bool { return f.name == toName })
		later(Line{"Name", "Name"}, s.opts.Hostname(ctx, strings.TrimSpace(string(p.files[i].data))))
	}
	if s.opts.Network != nil && p.changes(toNetwork) {
		later(Line{"Netz", "Network"}, s.opts.Network(ctx))
	}
	if s.opts.USB != nil && p.changes(toUSB) {
		later(Line{"USB-Geräte", "USB devices"}, s.opts.USB(ctx))
	}
	return lines
}
