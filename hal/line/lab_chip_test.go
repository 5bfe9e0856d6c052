//go:build lab

package line

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// chip is a simulated GPIO chip of the kernel (gpio-sim).
type chip struct {
	t     *testing.T
	dir   string // in configfs
	dev   string // name of its platform device
	lines []string
}

// newChip makes a chip with these lines, which goes at the end of the test.
func newChip(t *testing.T, name string, lines ...string) *chip {
	t.Helper()
	if out, err := exec.Command("modprobe", "gpio-sim").CombinedOutput(); err != nil {
		t.Fatalf("modprobe gpio-sim: %v\n%s", err, out)
	}
	c := &chip{t: t, dir: "/sys/kernel/config/gpio-sim/" + name, lines: lines}
	c.mkdir("")
	c.mkdir("bank0")
	c.write("bank0/num_lines", fmt.Sprint(len(lines)))
	for i, line := range lines {
		c.mkdir(fmt.Sprint("bank0/line", i))
		c.write(fmt.Sprintf("bank0/line%d/name", i), line)
	}
	c.write("live", "1")
	c.dev = c.read(c.dir + "/dev_name")
	return c
}

func (c *chip) mkdir(name string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.Mkdir(path, 0o755); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = os.Remove(path) })
	if name == "" {
		c.t.Cleanup(func() { _ = os.WriteFile(path+"/live", []byte("0"), 0) })
		return
	}
}

func (c *chip) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chip) read(path string) string {
	c.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// sysfs is the folder in which a line's level is set and read.
func (c *chip) sysfs(line string) string {
	c.t.Helper()
	for i, l := range c.lines {
		if l == line {
			found, err := filepath.Glob(fmt.Sprintf("/sys/devices/platform/%s/gpiochip*/sim_gpio%d", c.dev, i))
			if err != nil || len(found) != 1 {
				c.t.Fatalf("line %s in sysfs: %v, %v", line, found, err)
			}
			return found[0]
		}
	}
	c.t.Fatalf("no line %s", line)
	return ""
}

// pull puts a level on an input, from outside.
func (c *chip) pull(line string, up bool) {
	c.t.Helper()
	text := "pull-down"
	if up {
		text = "pull-up"
	}
	if err := os.WriteFile(c.sysfs(line)+"/pull", []byte(text), 0); err != nil {
		c.t.Fatal(err)
	}
}

// level is what a line has, seen from outside.
func (c *chip) level(line string) string { return c.read(c.sysfs(line) + "/value") }

func (c *chip) driver(action string) {
	c.t.Helper()
	if err := os.WriteFile("/sys/bus/platform/drivers/gpio-sim/"+action, []byte(c.dev), 0); err != nil {
		c.t.Fatal(err)
	}
}
