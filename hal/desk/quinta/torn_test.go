package quinta

import (
	"testing"
	"testing/synctest"
	"time"

	"plenum/hal/desk/sim"
)

// A line that breaks in mid-command leaves half of it at the desk. The next login is not taken for the rest.
func TestTornCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, sim.Options{Units: 3, Chair: 1, Status: time.Hour}, true)
		if _, err := h.line.Write([]byte("i 00021E")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // it is on its way at 57600 bit/s
		synctest.Wait()
		h.start() // ends when the link is live
		if st := h.Stats(); st.PromptTimeouts != 0 || st.Logins != 1 {
			t.Errorf("%+v", st)
		}
	})
}
