package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// daemon answers at a socket as plenumd does, and notes what was asked.
func daemon(t *testing.T, answers map[string]string) (socket string, asked *[]string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	asked = new([]string)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		*asked = append(*asked, r.Method+" "+r.URL.Path+" "+strings.TrimSpace(body.String()))
		answer, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusConflict)
			answer = `{"status":409,"detail":"as many people as allowed have the word already"}`
		}
		_, _ = w.Write([]byte(answer))
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return socket, asked
}

func ctl(socket, in string, args ...string) (string, error) {
	var out, errOut bytes.Buffer
	err := run(append([]string{"--socket", socket}, args...), strings.NewReader(in), &out, &errOut)
	return out.String(), err
}

func TestSpeakers(t *testing.T) {
	socket, _ := daemon(t, map[string]string{"/speakers": `{"speakers":[{"name":"Jasmin","seat":"7","origin":"desk","since":"2026-11-23T17:00:00Z","mic":"open"}],
		"requests":[{"name":"Aylin","seat":"","origin":"remote","at":"2026-11-23T17:00:01.25Z"}]}`})
	text, err := ctl(socket, "", "speakers")
	if err != nil || !strings.Contains(text, "Jasmin  seat 7") || !strings.Contains(text, "1       Aylin   remote") {
		t.Fatalf("%v\n%s", err, text)
	}
	text, err = ctl(socket, "", "speakers", "--json")
	var l struct {
		Requests []struct{ Name, Seat, Origin, At string }
	}
	if err != nil || json.Unmarshal([]byte(text), &l) != nil || len(l.Requests) != 1 || l.Requests[0].Origin != "remote" || l.Requests[0].At != "2026-11-23T17:00:01.25Z" {
		t.Fatalf("%v\n%s", err, text)
	}
}

func TestOrders(t *testing.T) {
	socket, asked := daemon(t, map[string]string{"/withdraw": `{"seq":4,"name":"Jasmin"}`, "/pin": `{}`, "/demo/press": ``})
	if text, err := ctl(socket, "", "withdraw", "7"); err != nil || !strings.Contains(text, "Jasmin no longer has the word (event 4)") {
		t.Errorf("%v %s", err, text)
	}
	if _, err := ctl(socket, "", "grant", "7"); err == nil || !strings.Contains(err.Error(), "as many people as allowed") {
		t.Errorf("the reason is not told: %v", err)
	}
	if _, err := ctl(socket, "314159\n", "pin"); err != nil {
		t.Error(err)
	}
	if _, err := ctl(socket, "", "demo", "press", "7"); err != nil {
		t.Error(err)
	}
	want := []string{`POST /withdraw {"name":"7"}`, `POST /grant {"name":"7"}`, `POST /pin {"pin":"314159"}`, `POST /demo/press {"seat":"7"}`}
	if strings.Join(*asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s", strings.Join(*asked, "\n"))
	}
}

func TestDevices(t *testing.T) {
	socket, _ := daemon(t, map[string]string{"/devices": `{"devices":[
		{"id":"camera/Totale","kind":"camera","name":"Totale","device":"usb:4F2A01","required":true,"state":"lost","reason":"plug it in","since":"2026-11-23T17:00:00Z"},
		{"id":"desk/saal","kind":"desk","name":"saal","device":"/dev/ttyS4","state":"degraded","reason":"slow","mode":"24 units","since":"2026-11-23T17:00:00Z"}]}`})
	text, err := ctl(socket, "", "devices")
	if err != nil || !strings.Contains(text, "lost      camera  Totale  usb:4F2A01  required  plug it in") || !strings.Contains(text, "24 units, but slow") {
		t.Fatalf("%v\n%s", err, text)
	}
	text, err = ctl(socket, "", "devices", "--json")
	var list struct{ Devices []struct{ ID, State string } }
	if err != nil || json.Unmarshal([]byte(text), &list) != nil || len(list.Devices) != 2 || list.Devices[0].State != "lost" {
		t.Fatalf("%v\n%s", err, text)
	}
}

func TestSelfTest(t *testing.T) {
	lines := `"checks":[{"id":"camera/Totale","name":"Kamera Totale","required":true,"ok":true,"text_en":"640x360 at 25/s"},
		{"id":"output/Saal","name":"Lautsprecher","required":true,"left":true,"text_en":"a sitting is open"},
		{"id":"lines/lamp","name":"Lampe","text_en":"reads back dark"},{"id":"disk","required":true,"text_en":"full"}]`
	socket, _ := daemon(t, map[string]string{"/selftest": `{"go":false,` + lines + `}`})
	text, err := ctl(socket, "", "selftest")
	if err == nil || !strings.Contains(err.Error(), "no-go") {
		t.Errorf("no error on no-go: %v", err)
	}
	for _, want := range []string{"GO                 camera/Totale  640x360 at 25/s\n", "left out           output/Saal    a sitting is open\n",
		"bad, not required  lines/lamp     reads back dark\n", "NO-GO              disk           full\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text, err = ctl(socket, "", "selftest", "--json"); err == nil || !json.Valid([]byte(text)) {
		t.Errorf("%v\n%s", err, text)
	}
	socket, _ = daemon(t, map[string]string{"/selftest": `{"go":true,` + lines + `}`})
	if text, err = ctl(socket, "", "selftest"); err != nil || !strings.HasSuffix(text, "\nGO\n") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestTheSitting(t *testing.T) {
	socket, asked := daemon(t, map[string]string{"/open": `{"seq":4}`, "/close": `{"seq":5}`, "/all-clear": `{"seq":6}`,
		"/status": `{"version":"1","phase":"open","recorded":true,"pin":true,"alarm":{"reason":"fire","since":"2026-11-23T17:00:00Z","over":true},
			"items":[{"id":"camera/Totale","required":true,"red":true,"reason":"plug it in"},{"id":"desk/saal"},{"id":"lines/x","red":true,"reason":"no such line"}],
			"overrides":[{"item":"output/Saal","reason":"gone","by":{"role":"operator"}}]}`})
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"open"}, "The sitting is open (event 4)"},
		{[]string{"open", "--override", "camera/Totale", "--override=output/Saal, links"}, "(event 4)"},
		{[]string{"close"}, "The sitting is closed (event 5)"},
		{[]string{"all-clear"}, "The alarm has ended (event 6)"},
		{[]string{"all-clear", "--json"}, `{"seq":6}`},
		{[]string{"status"}, ": fire\nno contact reports it any more: plenumctl all-clear\nRED camera/Totale, required: plug it in\n" +
			"red lines/x: no such line\nopened in spite of output/Saal (gone), by operator\n"},
	} {
		if text, err := ctl(socket, "", tt.args...); err != nil || !strings.Contains(text, tt.want) {
			t.Errorf("%q: %v\n%s", tt.args, err, text)
		}
	}
	want := []string{`POST /open {}`, `POST /open {"overrides":["camera/Totale","output/Saal, links"]}`, `POST /close `, `POST /all-clear `, `POST /all-clear `, `GET /status `}
	if strings.Join(*asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s", strings.Join(*asked, "\n"))
	}
}

func TestWrongCommandLine(t *testing.T) {
	for _, args := range [][]string{{}, {"applaud"}, {"grant"}, {"events"}, {"speakers", "--loud"}, {"open", "now"}, {"open", "--override"}} {
		if _, err := ctl("/nowhere", "", args...); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
