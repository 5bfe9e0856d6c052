package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const sick = `{"good":false,"pending":["camera/Totale"],"conditions":[
	{"code":"disk-full","severity":"critical","text_de":"Der Speicher ist voll.","text_en":"The disk is full.","detail":"3 MB free","since":"2026-11-23T17:00:00Z"},
	{"code":"device-lost","subject":"desk/saal","severity":"error","text_de":"Ein Gerät fehlt.","text_en":"A device is missing.","since":"2026-11-23T17:00:00Z"}],"items":[]}`

const well = `{"good":true,"pending":[],"conditions":[],"items":[]}`

func TestHealth(t *testing.T) {
	socket, _ := daemon(t, map[string]string{"/health": sick, "/metrics": "plenum_goroutines 7\n"})
	for _, tt := range []struct {
		all, messages, lang string
		want                []string
	}{
		{"", "", "", []string{"KRITISCH: disk-full\n  Der Speicher ist voll.\n  3 MB free\n  seit 2026-", "FEHLER: device-lost desk/saal\n  Ein Gerät fehlt.\n  seit ", "noch nicht bekannt: camera/Totale\nNICHT GUT\n"}},
		{"", "", "de_DE.UTF-8", []string{"NICHT GUT"}},
		{"", "", "C.UTF-8", []string{"NICHT GUT"}},
		{"", "", "en_GB.UTF-8", []string{"CRITICAL: disk-full\n  The disk is full.\n  3 MB free\n  since 2026-", "ERROR: device-lost desk/saal", "not known yet: camera/Totale\nNOT GOOD\n"}},
		{"", "en_US", "de_DE", []string{"NOT GOOD"}},
		{"de_AT", "en_US", "en_US", []string{"NICHT GUT"}},
	} {
		t.Setenv("LC_ALL", tt.all)
		t.Setenv("LC_MESSAGES", tt.messages)
		t.Setenv("LANG", tt.lang)
		text, err := ctl(socket, "", "health")
		if !errors.Is(err, errNotGood) {
			t.Errorf("%+v: %v", tt, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%+v: no %q in\n%s", tt, want, text)
			}
		}
	}
	text, err := ctl(socket, "", "health", "--json")
	var j struct {
		Good       bool
		Conditions []struct{ Code string }
	}
	if !errors.Is(err, errNotGood) || json.Unmarshal([]byte(text), &j) != nil || j.Good || len(j.Conditions) != 2 {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err = ctl(socket, "", "health", "--metrics"); err != nil || text != "plenum_goroutines 7\n" {
		t.Errorf("%v\n%s", err, text)
	}
	socket, _ = daemon(t, map[string]string{"/health": well})
	if text, err = ctl(socket, "", "health"); err != nil || text != "GUT\n" {
		t.Errorf("%v\n%s", err, text)
	}
}

// The daemon comes late, is not well at first, and then is.
func TestHealthWaits(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	var asked atomic.Int32
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := sick
		if r.URL.RequestURI() != "/health?boot=1" {
			t.Errorf("asked for %s", r.URL)
		}
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusNotFound) // not all of it is up
			answer = ""
		case 3:
			answer = well
		}
		_, _ = w.Write([]byte(answer))
	})}
	up := make(chan error, 1)
	go func() {
		time.Sleep(askEvery / 2)
		l, err := net.Listen("unix", socket)
		if up <- err; err == nil {
			_ = s.Serve(l)
		}
	}()
	t.Cleanup(func() { s.Close() })
	text, err := ctl(socket, "", "health", "--boot", "--wait", "1m")
	if e := <-up; e != nil {
		t.Fatal(e)
	}
	if err != nil || text != "GUT\n" || asked.Load() != 3 {
		t.Errorf("asked %d times: %v\n%s", asked.Load(), err, text)
	}
}

// When the time is over it says why.
func TestHealthWaitsInVain(t *testing.T) {
	var asked atomic.Int32
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(sick))
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	for wait := 2 * askEvery; asked.Load() < 2; wait *= 2 { // a busy machine needs more time to ask twice
		asked.Store(0)
		text, err := ctl(socket, "", "health", "--boot", "--wait", wait.String())
		if err == nil || asked.Load() > 0 && (!errors.Is(err, errNotGood) || strings.Count(text, "KRITISCH: disk-full") != 1) || wait > 2*time.Minute {
			t.Fatalf("asked %d times: %v\n%s", asked.Load(), err, text)
		}
	}
	if text, err := ctl("/nowhere", "", "health", "--boot", "--wait", "600ms"); err == nil || !strings.Contains(err.Error(), "does not answer") || text != "" {
		t.Errorf("%v\n%s", err, text)
	}
}
