package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// guestOf runs Guest with package lists of two kernels; the script fails as long as fails (of a shell) succeeds. It gives what Guest
// said and what it did.
func guestOf(t *testing.T, update, fails string) (last, did string, err error) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	var list strings.Builder
	for _, k := range []struct{ release, version string }{{"6.1.0-57", "6.1.192-3"}, {"6.1.0-50", "6.1.176-1"}} {
		for _, name := range []string{"linux-image-" + k.release + "-amd64", "linux-headers-" + k.release + "-amd64", "linux-headers-" + k.release + "-common",
			"linux-kbuild-6.1", "linux-source-6.1"} {
			list.WriteString(name + " | " + k.version + " | archive bookworm/main amd64 Packages\n")
		}
	}
	for name, text := range map[string]string{
		"apt-cache": "[ $1 = pkgnames ] || cat <<'END'\n" + list.String() + "END\n",
		"apt-get":   "echo $1 >>" + log + "\n" + update + "\n",
		"guest.sh":  "echo ${LAB_KERNEL%% *} >>" + log + "\nif " + fails + "; then exit 75; fi\necho made of ${LAB_KERNEL%% *}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	w := &Workshop{Root: dir, Cache: dir, log: &bytes.Buffer{}}
	last, err = w.Guest(t.Context(), "guest.sh")
	text, _ := os.ReadFile(log)
	return last, strings.Join(strings.Fields(string(text)), " "), err
}

// Lists that are older than the archive are read anew once; what even new lists name and nobody has is done without.
func TestKernelThatTheArchiveLacks(t *testing.T) {
	for name, c := range map[string]struct{ update, fails, last, did, err string }{
		"all is well":           {"", "false", "made of 6.1.0-57-amd64", "6.1.0-57-amd64", ""},
		"the lists were old":    {"", `[ $(wc -l <"${0%/*}/log") = 1 ]`, "made of 6.1.0-57-amd64", "6.1.0-57-amd64 update 6.1.0-57-amd64", ""},
		"the newest is missing": {"", "[[ $LAB_KERNEL == *192-3* ]]", "made of 6.1.0-50-amd64", "6.1.0-57-amd64 update 6.1.0-57-amd64 6.1.0-50-amd64", ""},
		"nothing can be had":    {"", "true", "", "6.1.0-57-amd64 update 6.1.0-57-amd64 6.1.0-50-amd64", "the package archive was not reached, or lacks what the package lists name: check the network"},
		"nobody is there":       {"echo no route; exit 100", "true", "", "6.1.0-57-amd64 update", "the package lists could not be read anew: check the network"},
	} {
		last, did, err := guestOf(t, c.update, c.fails)
		if last != c.last || did != c.did || (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %q after %s, %v", name, last, did, err)
		}
	}
}
