package setup

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errCut = errors.New("power cut")

// memory is a disk that loses what was not synced: entries of folders one after the other until their folder is
// synced, contents until the file is. Only after that they survive crash.
type memory struct {
	now, safe map[string][]byte // files by name; folders end with a slash
	pending   []change
	left      int // operations until the power is cut; negative: never
	random    *rand.Rand
}

// change is one not yet durable change of folders.
type change struct {
	dirs []string
	do   func(files map[string][]byte)
}

func newMemory(files map[string]string) *memory {
	m := &memory{now: map[string][]byte{}, left: -1, random: rand.New(rand.NewPCG(1, 2))}
	for name, text := range files {
		m.now[name] = []byte(text)
		if dir := path.Dir(name); dir != "." {
			m.now[dir+"/"] = []byte{}
		}
	}
	m.safe = maps.Clone(m.now)
	return m
}

func (m *memory) step() error {
	if m.left == 0 {
		return errCut
	}
	m.left--
	return nil
}

func (m *memory) change(do func(map[string][]byte), names ...string) {
	var dirs []string
	for _, n := range names {
		dirs = append(dirs, path.Dir(n))
	}
	do(m.now)
	m.pending = append(m.pending, change{dirs, do})
}

func (m *memory) read(name string) ([]byte, error) {
	if text, ok := m.now[name]; ok {
		return slices.Clone(text), nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) has(name string) (bool, error) {
	_, file := m.now[name]
	_, dir := m.now[name+"/"]
	return file || dir, nil
}

func (m *memory) write(name string, data []byte, _ fs.FileMode) error {
	if there, _ := m.has(name); there {
		return fs.ErrExist
	}
	if there, _ := m.has(path.Dir(name)); !there && path.Dir(name) != "." {
		return fs.ErrNotExist
	}
	if err := m.step(); err != nil {
		return err
	}
	set := func(text []byte) func(map[string][]byte) {
		return func(files map[string][]byte) { files[name] = text }
	}
	torn := data[:m.random.IntN(len(data)+1)]
	m.change(set(torn), name)
	if err := m.step(); err != nil {
		return err
	}
	// Synced: wherever the file's entry becomes durable, its content is whole.
	m.now[name] = data
	m.pending[len(m.pending)-1].do = set(data)
	return nil
}

func (m *memory) mkdir(name string, _ fs.FileMode) error {
	if there, _ := m.has(name); there {
		return nil
	}
	if err := m.step(); err != nil {
		return err
	}
	m.change(func(files map[string][]byte) { files[name+"/"] = []byte{} }, name)
	return nil
}

func (m *memory) rename(from, to string) error {
	if there, _ := m.has(from); !there {
		return fs.ErrNotExist
	}
	if there, _ := m.has(to + "/x"); there {
		return fs.ErrExist
	}
	if err := m.step(); err != nil {
		return err
	}
	m.change(func(files map[string][]byte) {
		for name, text := range maps.Clone(files) {
			if rest, ok := strings.CutPrefix(name, from); ok && (rest == "" || rest[0] == '/') {
				delete(files, name)
				files[to+rest] = text
			}
		}
	}, from, to)
	return nil
}

func (m *memory) remove(name string) error {
	all := slices.Sorted(maps.Keys(m.now))
	for _, n := range slices.Backward(all) { // what is in a folder before the folder
		if rest, ok := strings.CutPrefix(n, name); ok && (rest == "" || rest[0] == '/') {
			if err := m.step(); err != nil {
				return err
			}
			m.change(func(files map[string][]byte) { delete(files, n) }, strings.TrimSuffix(n, "/"))
		}
	}
	return nil
}

func (m *memory) sync(dir string) error {
	if err := m.step(); err != nil {
		return err
	}
	m.commit(len(m.pending), func(c change) bool { return slices.Contains(c.dirs, dir) })
	return nil
}

// commit makes durable what is wanted among the first n changes, and whatever earlier change of the same folders that
// depends on.
func (m *memory) commit(n int, wanted func(change) bool) {
	take, dirs := make([]bool, len(m.pending)), map[string]bool{}
	for i, c := range slices.Backward(m.pending[:n]) {
		if take[i] = wanted(c) || slices.ContainsFunc(c.dirs, func(d string) bool { return dirs[d] }); take[i] {
			for _, d := range c.dirs {
				dirs[d] = true
			}
		}
	}
	var rest []change
	for i, c := range m.pending {
		if take[i] {
			c.do(m.safe)
		} else {
			rest = append(rest, c)
		}
	}
	m.pending = rest
}

// crash loses the power: of what is not durable some may be there all the same, in order.
func (m *memory) crash() *memory {
	m.commit(m.random.IntN(len(m.pending)+1), func(change) bool { return true })
	return &memory{now: maps.Clone(m.safe), safe: maps.Clone(m.safe), left: -1, random: m.random}
}

// files are what counts: without the stage and without the generation before.
func (m *memory) files() map[string]string {
	files := map[string]string{}
	for name, text := range m.now {
		if !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, "/") {
			files[name] = string(text)
		}
	}
	return files
}

func scene() (before map[string]string, files []file, after map[string]string) {
	before = map[string]string{toConfig: "old", toCert: "old cert", toKey: "old key", toOwner: "stays"}
	files = []file{{toConfig, []byte("new configuration")}, {toNetwork, []byte("new network")}, {toCert, []byte("new cert")}, {toKey, []byte("new key")}}
	after = maps.Clone(before)
	for _, f := range files {
		after[f.name] = string(f.data)
	}
	return before, files, after
}

// The power is cut after every operation, and again after every operation of the start that follows; what is left is
// all old or all new, and a start without a cut ends clean. What replace has reported done is new.
func TestAllOrNothing(t *testing.T) {
	before, files, after := scene()
	runs, olds, news := 0, 0, 0
	for seed := range uint64(2) {
		for cut := 0; ; cut++ {
			done := false
			for again := 0; ; again++ {
				m := newMemory(before)
				m.random, m.left = rand.New(rand.NewPCG(seed, uint64(cut*1000+again))), cut
				_, err := replace(m, files)
				done = err == nil
				reported := done
				m = m.crash()
				m.left = again
				_, err = finish(m)
				finished := err == nil
				m = m.crash()
				if _, err := finish(m); err != nil {
					t.Fatalf("seed %d, cuts after %d and %d: %v", seed, cut, again, err)
				}
				got := m.files()
				isOld, isNew := cmp.Equal(got, before), cmp.Equal(got, after)
				if !isOld && !isNew || reported && !isNew {
					t.Fatalf("seed %d, cuts after %d and %d: %v", seed, cut, again, got)
				}
				if there, _ := m.has(stageDir); there {
					t.Fatalf("seed %d, cuts after %d and %d: the stage is left", seed, cut, again)
				}
				if isNew {
					if old := string(m.now[beforeDir+"/"+flat(toKey)]); old != "old key" {
						t.Fatalf("seed %d, cuts after %d and %d: the generation before is %q", seed, cut, again, old)
					}
					news++
				} else {
					olds++
				}
				runs++
				if finished {
					break
				}
			}
			if done {
				break
			}
		}
	}
	t.Logf("%d cuts: %d old, %d new", runs, olds, news)
	if olds == 0 || news == 0 {
		t.Error("the cuts met one side only")
	}
}

// cutter cuts a real folder: the operation that meets the end writes half, and nothing works afterwards.
type cutter struct {
	folder
	left int
}

func (c *cutter) step() error {
	if c.left <= 0 {
		return errCut
	}
	c.left--
	return nil
}

func (c *cutter) write(name string, data []byte, mode fs.FileMode) error {
	if c.step() != nil {
		_ = c.folder.write(name, data[:len(data)/2], mode)
		return errCut
	}
	return c.folder.write(name, data, mode)
}

func (c *cutter) mkdir(name string, mode fs.FileMode) error {
	return errors.Join(c.step(), c.unless(func() error { return c.folder.mkdir(name, mode) }))
}

func (c *cutter) rename(from, to string) error {
	return errors.Join(c.step(), c.unless(func() error { return c.folder.rename(from, to) }))
}

func (c *cutter) remove(name string) error {
	return errors.Join(c.step(), c.unless(func() error { return c.folder.remove(name) }))
}

func (c *cutter) sync(dir string) error { return errors.Join(c.step(), c.folder.sync(dir)) }

// unless does nothing once the end is met; the operation that meets it is still done.
func (c *cutter) unless(do func() error) error {
	if c.left < 0 {
		return nil
	}
	if c.left == 0 {
		c.left = -1
	}
	return do()
}

func TestAllOrNothingOnARealFolder(t *testing.T) {
	before, files, after := scene()
	for cut := 0; ; cut++ {
		dir := t.TempDir()
		for name, text := range before {
			put(t, dir, name, text)
		}
		f, err := openFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, failed := replace(&cutter{f, cut}, files)
		f.root.Close()
		if _, err := Finish(dir); err != nil {
			t.Fatalf("cut after %d: %v", cut, err)
		}
		got := tree(t, dir)
		maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, beforeDir+"/") })
		if !cmp.Equal(got, before) && !cmp.Equal(got, after) || failed == nil && !cmp.Equal(got, after) {
			t.Fatalf("cut after %d: %v", cut, got)
		}
		if failed == nil {
			t.Logf("%d operations", cut)
			return
		}
	}
}

func TestDamagedStageIsUndone(t *testing.T) {
	before, files, _ := scene()
	for cut := range 200 {
		m := newMemory(before)
		m.left = cut
		_, err := replace(m, files)
		if err == nil {
			return
		}
		m.left = -1
		if there, _ := m.has(manifestTo); !there {
			continue
		}
		if there, _ := m.has(stageNew + "/" + flat(toKey)); !there {
			continue
		}
		m.now[stageNew+"/"+flat(toKey)] = []byte("rot")
		if _, err := finish(m); !errors.Is(err, ErrUndone) {
			t.Fatalf("cut after %d: %v", cut, err)
		}
		if d := cmp.Diff(before, m.files()); d != "" {
			t.Fatalf("cut after %d: %s", cut, d)
		}
	}
	t.Fatal("never done")
}

func TestDamagedManifest(t *testing.T) {
	for _, text := range []string{"", "{}", `{"version":1,"files":[{"name":"../passwd"}]}`} {
		m := newMemory(map[string]string{toConfig: "old", stageDir + "/manifest.json": text})
		if _, err := finish(m); err == nil || string(m.now[toConfig]) != "old" {
			t.Errorf("%q: %v", text, err)
		}
	}
}
