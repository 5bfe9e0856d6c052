package stick

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFake = errors.New("UDisks says no")

// drives is a Mounter over folders.
type drives struct {
	t       *testing.T
	mu      sync.Mutex
	plugged map[string]Volume
	folders map[string]string
	mounted map[string]bool // and whether for writing
	mounts  []string        // what was mounted, in order
	changed chan struct{}
	lost    bool                                 // nothing can be listed
	deny    func(id string, write bool) error    // what Mount says
	keep    func(id string) error                // what Unmount says
	slow    func(ctx context.Context, id string) // before Mount returns
}

func newDrives(t *testing.T) *drives {
	return &drives{
		t: t, plugged: map[string]Volume{}, folders: map[string]string{}, mounted: map[string]bool{}, changed: make(chan struct{}, 1),
	}
}

func (d *drives) pulse() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// plug puts a stick with these files in.
func (d *drives) plug(v Volume, files ...string) {
	d.t.Helper()
	dir := d.t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	d.mu.Lock()
	d.plugged[v.ID], d.folders[v.ID] = v, dir
	d.mu.Unlock()
	d.pulse()
}

// pull takes a stick out, mounted or not.
func (d *drives) pull(id string) {
	d.mu.Lock()
	delete(d.plugged, id)
	d.mu.Unlock()
	d.pulse()
}

func (d *drives) isMounted(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, yes := d.mounted[id]
	return yes
}

func (d *drives) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.mounted)
}

func (d *drives) Volumes(context.Context) ([]Volume, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost {
		return nil, errFake
	}
	var all []Volume
	for _, v := range d.plugged {
		all = append(all, v)
	}
	return all, nil
}

func (d *drives) Watch() (<-chan struct{}, func()) { return d.changed, func() {} }

func (d *drives) Mount(ctx context.Context, id string, write bool) (string, error) {
	if d.slow != nil {
		d.slow(ctx, id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.plugged[id]; !there {
		return "", errFake
	}
	if d.deny != nil {
		if err := d.deny(id, write); err != nil {
			return "", err
		}
	}
	if _, twice := d.mounted[id]; twice {
		d.t.Errorf("%s is mounted twice", id)
	}
	d.mounted[id] = write
	d.mounts = append(d.mounts, id)
	return d.folders[id], ctx.Err()
}

func (d *drives) Unmount(_ context.Context, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keep != nil {
		if err := d.keep(id); err != nil {
			return err
		}
	}
	delete(d.mounted, id)
	return nil
}

// room is a Handler that keeps a medium until it is told to let go or ctx ends.
type room struct {
	mu      sync.Mutex
	events  []string
	media   []Medium
	causes  []error
	release chan struct{} // lets go when closed
	finish  chan struct{} // what it began takes until this is closed, whatever ctx says; nil: it breaks off
}

func newRoom() *room { return &room{release: make(chan struct{})} }

func (r *room) Insert(ctx context.Context, m Medium) {
	r.mu.Lock()
	r.events = append(r.events, "insert "+m.ID)
	r.media = append(r.media, m)
	r.mu.Unlock()
	select {
	case <-r.release:
	case <-ctx.Done():
		if r.finish != nil {
			<-r.finish
		}
	}
	r.mu.Lock()
	r.events = append(r.events, "done "+m.ID)
	r.causes = append(r.causes, context.Cause(ctx))
	r.mu.Unlock()
}

func (r *room) Remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, "remove "+id)
}

func (r *room) seen() ([]string, []Medium, []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events, r.media, r.causes
}
