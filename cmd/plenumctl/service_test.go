package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const offered = `{"release":{"version":"1.3.0","build":"2026-11-01T10:00:00Z","slot":"A"},"owner":true,
	"sticks":[{"id":"s","label":"STICK","text_en":"brings an update"}],
	"update":{"state":"offered","version":"1.4.0","notes":"Faster.\nSafer.","built":"2026-11-20T10:00:00Z","size":81500000,"text_en":"1.4.0 can be installed",
		"last":{"result":"went-back","version":"1.3.5","from":"1.3.0","at":"2026-11-10T10:00:00Z","text_en":"1.3.5 did not come up"}},
	"setup":{"state":"offered","signed":false,"text_en":"two changes","lines":[{"text_en":"name: saal"},{"text_en":"network: 192.0.2.7/24"}]},
	"technician":{"on":true,"until":"2099-01-01T00:00:00Z"},"refused_usb":[{"name":"Keyboard","ids":"046d:c31c","classes":["hid"]}]}`

func TestService(t *testing.T) {
	answers := map[string]string{"/service": offered}
	for _, name := range []string{"acknowledge", "reboot", "setup", "technician", "reset", "owner"} {
		answers["/service/"+name] = offered
	}
	socket, asked := daemon(t, answers)
	for _, tt := range []struct {
		in   string
		args []string
		want string // in the output
		post string // what was asked for
	}{
		{"", []string{"update"}, "running 1.3.0, built 2026-11-01T10:00:00Z, slot A\noffered: 1.4.0, built 2026-11-20T10:00:00Z, 81.5 MB\n1.4.0 can be installed\n  Faster.\n  Safer.\nstick STICK: brings an update\n", ""},
		{"", []string{"update"}, "1.3.0 to 1.3.5: went-back\n1.3.5 did not come up\n", ""},
		{"", []string{"update", "--json"}, `"version":"1.4.0"`, ""},
		{"", []string{"update", "--seen"}, "went-back", `POST /service/acknowledge {}`},
		{"730164\n", []string{"update", "--reboot", "--pin-stdin"}, "The box restarts", `POST /service/reboot {"pin":"730164"}`},
		{"", []string{"setup"}, "a setup stick is there, not signed: needs the owner's PIN\ntwo changes\n  name: saal\n  network: 192.0.2.7/24\n", ""},
		{"", []string{"setup", "--json"}, `"lines":[{"text_de":"","text_en":"name: saal"}`, ""},
		{"730164", []string{"setup", "--apply", "--pin-stdin"}, "two changes", `POST /service/setup {"pin":"730164"}`},
		{"", []string{"technician"}, "technician mode is on until", ""},
		{"", []string{"technician"}, "not let in: 046d:c31c  Keyboard  (hid)", ""},
		{"730164\n", []string{"technician", "on", "--pin-stdin"}, "is on", `POST /service/technician {"pin":"730164","on":true}`},
		{"730164\n", []string{"technician", "off", "--pin-stdin", "--json"}, `"refused_usb":[{`, `POST /service/technician {"pin":"730164"}`},
		{"730164\n", []string{"reset", "--confirm", "saal", "--pin-stdin"}, "restarts and wipes itself", `POST /service/reset {"pin":"730164","confirm":"saal"}`},
		{"730164\n518402\n", []string{"owner-pin", "--pin-stdin"}, "PIN is set", `POST /service/owner {"pin":"518402","old":"730164"}`},
	} {
		*asked = nil
		text, err := ctl(socket, tt.in, tt.args...)
		if err != nil || !strings.Contains(text, tt.want) {
			t.Errorf("%q: %v\n%s", tt.args, err, text)
		}
		if got := strings.Join(*asked, "\n"); tt.post != "" && !strings.HasSuffix(got, tt.post) || tt.post == "" && strings.Contains(got, "POST") {
			t.Errorf("%q asked\n%s", tt.args, got)
		}
	}
}

// Without a terminal nothing is asked, and nothing happens.
func TestServiceNeedsAPIN(t *testing.T) {
	socket, asked := daemon(t, map[string]string{"/service": offered})
	for _, args := range [][]string{{"update", "--install"}, {"update", "--reboot"}, {"setup", "--apply"}, {"technician", "on"}, {"reset", "--confirm", "saal"}, {"owner-pin"}} {
		if _, err := ctl(socket, "730164\n", args...); err == nil || !strings.Contains(err.Error(), "--pin-stdin") {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, err := ctl(socket, "730164\n", "reset", "--pin-stdin"); err == nil || !strings.Contains(err.Error(), "--confirm") {
		t.Errorf("reset: %v", err)
	}
	if got := strings.Join(*asked, "\n"); strings.Contains(got, "POST") {
		t.Errorf("asked\n%s", got)
	}
	if _, err := ctl(socket, "", "technician", "perhaps"); err == nil {
		t.Error("technician perhaps was taken")
	}
}

func TestFirstOwner(t *testing.T) {
	socket, asked := daemon(t, map[string]string{"/service": `{"owner":false}`, "/service/owner": `{"owner":true}`})
	if _, err := ctl(socket, "730164\n", "owner-pin", "--pin-stdin"); err != nil {
		t.Fatal(err)
	}
	if got := (*asked)[len(*asked)-1]; got != `POST /service/owner {"pin":"730164"}` {
		t.Errorf("asked %s", got)
	}
}

// installer answers as a daemon whose installation goes through the states, one a look.
func installer(t *testing.T, states ...string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	began := false
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		state := `"state":"offered","version":"1.4.0"`
		if began = began || r.Method == http.MethodPost; began {
			state = states[0]
			states = states[min(1, len(states)-1):]
		}
		fmt.Fprintf(w, `{"update":{%s}}`, state)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return socket
}

func TestInstall(t *testing.T) {
	going := []string{`"state":"installing","percent":0,"step":"checking"`, `"state":"installing","percent":42,"step":"writing"`, `"state":"installing","percent":99,"step":"writing"`}
	var out, errOut strings.Builder
	socket := installer(t, append(going, `"state":"installed","version":"1.4.0"`)...)
	if err := run([]string{"--socket", socket, "update", "--install", "--pin-stdin"}, strings.NewReader("730164\n"), &out, &errOut); err != nil {
		t.Fatal(err)
	}
	if want := "  0 % checking\n 42 % writing\n 99 % writing\n100 % done\n"; errOut.String() != want {
		t.Errorf("progress\n%s", &errOut)
	}
	if !strings.Contains(out.String(), "1.4.0 is installed. Restart the box with") {
		t.Errorf("%s", &out)
	}
	out.Reset()
	errOut.Reset()
	socket = installer(t, append(going, `"state":"installed","version":"1.4.0"`)...)
	err := run([]string{"--socket", socket, "update", "--install", "--pin-stdin", "--json"}, strings.NewReader("730164\n"), &out, &errOut)
	var u struct{ State, Version string }
	if err != nil || json.Unmarshal([]byte(out.String()), &u) != nil || u.State != "installed" || u.Version != "1.4.0" || errOut.Len() > 0 {
		t.Errorf("%v\n%s%s", err, &out, &errOut)
	}
	for end, want := range map[string]string{
		`"state":"failed","text_en":"the stick was pulled"`: "not installed: the stick was pulled",
		`"state":"idle"`: "the stick is gone (idle)",
	} {
		if text, err := ctl(installer(t, going[1], end), "730164\n", "update", "--install", "--pin-stdin"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n%s", end, err, text)
		}
	}
}

// On a terminal the bar is one line that is drawn over, whatever the daemon says.
func TestBar(t *testing.T) {
	var out strings.Builder
	b := &bar{out: &out, moves: true}
	for _, percent := range []int{-3, 50, 130} {
		b.show(percent, "writing the image, which has a long name indeed")
	}
	b.end()
	want := "\r\033[K[" + strings.Repeat(".", 40) + "]   0 % writing the image, which has a" +
		"\r\033[K[" + strings.Repeat("#", 20) + strings.Repeat(".", 20) + "]  50 % writing the image, which has a" +
		"\r\033[K[" + strings.Repeat("#", 40) + "] 100 % writing the image, which has a\n"
	if out.String() != want {
		t.Errorf("%q", &out)
	}
}
