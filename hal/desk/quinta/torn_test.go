package quinta

import (
	"testing"
	"time"

	"plenum/hal/desk/sim"
	"plenum/hal/port"
)

// A line that breaks in mid-command leaves half of it at the desk. The next login is not taken for the rest.
func TestTornCommand(t *testing.T) {
	h := newHall(t, sim.Options{Units: 3, Chair: 1, Status: time.Hour}, false)
	line, err := port.Open(t.Context(), h.Path(), Settings())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := line.Write([]byte("i 00021E")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // it is on its way at 57600 bit/s
	if err := line.Close(); err != nil {
		t.Fatal(err)
	}
	h.start() // ends when the link is live
	if st := h.Stats(); st.PromptTimeouts != 0 || st.Logins != 1 {
		t.Errorf("%+v", st)
	}
}
