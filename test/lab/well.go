package lab

import (
	"strings"

	"plenum/device/health"
)

// slow is what the daemon says of a camera that gives fewer pictures than it was asked for. The law wants twenty a second at
// least, and a guest on a busy machine has not the time to make them; make soak wants them.
const slow = "pictures a second"

// Well reports whether a device of a guest is live, or kept from it by nothing but the guest's lack of time.
func Well(it health.Item) bool {
	return it.State == health.Live || it.State == health.Degraded && it.Kind == health.Camera && strings.Contains(it.Reason, slow) && !Soak()
}

// Go reports whether a guest's self-test says go, or is kept from it by nothing but the guest's lack of time.
func Go(r health.Report) bool {
	for _, c := range r.Checks {
		if c.Required && !c.OK && !c.Left && (Soak() || !strings.Contains(c.EN, slow)) {
			return false
		}
	}
	return len(r.Checks) > 0
}
