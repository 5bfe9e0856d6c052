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

func TestWrongCommandLine(t *testing.T) {
	for _, args := range [][]string{{}, {"applaud"}, {"grant"}, {"events"}, {"speakers", "--loud"}} {
		if _, err := ctl("/nowhere", "", args...); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
