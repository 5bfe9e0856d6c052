package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demo is a running plenum-demo.
type demo struct {
	Panel    string `json:"panel"`
	Screen   string `json:"screen"`
	Seatplan string `json:"seatplan"`
	CA       string `json:"ca"`
	ChairPIN string `json:"chair_pin"`
	Members  []struct {
		Name  string `json:"name"`
		Link  string `json:"link"`
		Token string `json:"token"`
	} `json:"members"`
	WHIP   string `json:"whip"`
	WHEP   string `json:"whep"`
	Socket string `json:"socket"`

	t    *testing.T
	data string
	cmd  *exec.Cmd
	log  *bytes.Buffer
}

// startDemo runs the demo on a free port and waits until it says where to look.
func startDemo(t *testing.T, args ...string) *demo {
	t.Helper()
	d := &demo{t: t, data: t.TempDir(), log: &bytes.Buffer{}}
	d.cmd = exec.Command(bin("plenum-demo"), append([]string{"--listen", "127.0.0.1:0", "--data", d.data, "--json"}, args...)...)
	d.cmd.Stderr = d.log
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	line := make(chan []byte, 1)
	go func() {
		b, _ := bufio.NewReader(out).ReadBytes('\n') // nothing when the demo has ended
		line <- b
	}()
	select {
	case b := <-line:
		if err := json.Unmarshal(b, d); err != nil {
			t.Fatalf("the demo's line is %q: %v", b, err)
		}
	case <-time.After(patience):
		t.Fatal("the demo does not say where to look")
	}
	return d
}

func (d *demo) stop() {
	_ = d.cmd.Process.Signal(os.Interrupt)
	done := make(chan error, 1)
	go func() { done <- d.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		d.t.Error("the demo does not end when it is told to")
		_ = d.cmd.Process.Kill()
		<-done
	}
	if d.t.Failed() {
		d.keep()
	}
}

// keep saves the demo's data folder and log, and says where.
func (d *demo) keep() {
	dir := kept(d.t)
	if err := os.WriteFile(filepath.Join(dir, "demo.log"), d.log.Bytes(), 0o644); err != nil {
		d.t.Error(err)
	}
	files, _ := filepath.Glob(filepath.Join(d.data, "*"))
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || !info.Mode().IsRegular() || filepath.Ext(f) == ".key" {
			continue // a socket, or what is nobody's business
		}
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(f)), b, 0o600)
		}
		if err != nil {
			d.t.Error(err)
		}
	}
	d.t.Logf("kept in %s: the demo's data folder, demo.log, the daemon's plenumd.log", dir)
}

// ctl runs plenumctl and returns what it prints.
func (d *demo) ctl(args ...string) string {
	d.t.Helper()
	out, err := exec.Command(bin("plenumctl"), append([]string{"--socket", d.Socket}, args...)...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("plenumctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// press pushes a desk's key on the seat plan.
func (d *demo) press(seat string) {
	d.t.Helper()
	client := http.Client{Timeout: patience}
	res, err := client.Post(d.Seatplan+"press", "application/json", strings.NewReader(fmt.Sprintf(`{"seat":%q}`, seat)))
	if err != nil {
		d.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		d.t.Fatalf("pressing desk %s: %s", seat, res.Status)
	}
}

// list is what plenumctl speakers --json prints.
type list struct {
	Speakers []entry `json:"speakers"`
	Requests []entry `json:"requests"`
}

type entry struct {
	Name   string    `json:"name"`
	Seat   string    `json:"seat"`
	Origin string    `json:"origin"`
	At     time.Time `json:"at"`
}

func (d *demo) list() list {
	d.t.Helper()
	var l list
	if err := json.Unmarshal([]byte(d.ctl("speakers", "--json")), &l); err != nil {
		d.t.Fatal(err)
	}
	return l
}

// waiting and speaking are the names, in order.
func (d *demo) waiting() string { return names(d.list().Requests) }

func (d *demo) speaking() string { return names(d.list().Speakers) }

func names(es []entry) string {
	out := make([]string, 0, len(es))
	for _, e := range es {
		out = append(out, e.Name)
	}
	return strings.Join(out, ", ")
}

// desks is what the seat plan shows.
func (d *demo) desk(seat string) (open, requesting bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(d.Seatplan, "/")+"/desks", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil {
		d.t.Fatal(err)
	}
	var all []struct {
		Seat       string `json:"seat"`
		Open       bool   `json:"open"`
		Requesting bool   `json:"requesting"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &all); err != nil {
		d.t.Fatalf("%q: %v", line, err)
	}
	for _, s := range all {
		if s.Seat == seat {
			return s.Open, s.Requesting
		}
	}
	d.t.Fatalf("no desk %s on the seat plan", seat)
	return false, false
}

// kill ends the daemon as a crash does and returns when the demo has started another one that answers.
func (d *demo) kill() {
	d.t.Helper()
	old := d.daemon()
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		d.t.Fatal(err)
	}
	eventually(d.t, "another daemon", func() bool {
		pid := d.daemon()
		return pid != 0 && pid != old && exec.Command(bin("plenumctl"), "--socket", d.Socket, "status").Run() == nil
	})
}

// daemon finds the process id of the demo's plenumd, or 0.
func (d *demo) daemon() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", d.cmd.Process.Pid, d.cmd.Process.Pid))
	children := strings.Fields(string(b))
	if err != nil || len(children) == 0 { // children hang on the thread that started them
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", d.cmd.Process.Pid))
		for _, f := range threads {
			b, _ := os.ReadFile(f)
			children = append(children, strings.Fields(string(b))...)
		}
	}
	for _, c := range children {
		if comm, _ := os.ReadFile("/proc/" + c + "/comm"); strings.TrimSpace(string(comm)) == "plenumd" {
			pid, _ := strconv.Atoi(c)
			return pid
		}
	}
	return 0
}

// trusting is TLS that knows the box's CA and nothing else.
func (d *demo) trusting() *tls.Config {
	d.t.Helper()
	pem, err := os.ReadFile(d.CA)
	if err != nil {
		d.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		d.t.Fatalf("%s holds no certificate", d.CA)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
}
