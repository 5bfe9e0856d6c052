package health

import (
	"errors"
	"time"
)

// ErrTesting says that a self-test is under way already.
var ErrTesting = errors.New("a self-test is running already; wait for its result")

// Check is one line of a self-test.
type Check struct {
	ID       string        `json:"id"` // of the item, or "clock", "disk"
	Name     string        `json:"name"`
	Required bool          `json:"required"`
	OK       bool          `json:"ok"`
	Left     bool          `json:"left"` // left out, and why is in the text; neither good nor bad
	DE       string        `json:"text_de"`
	EN       string        `json:"text_en"`
	Took     time.Duration `json:"took_ns"`
}

// Report is the outcome of a self-test: go when every required line that was tried is good.
type Report struct {
	At     time.Time `json:"at"`
	Go     bool      `json:"go"`
	Checks []Check   `json:"checks"`
}

// Judge sets Go by the lines. Without any line there is nothing to go by, and that is no go.
func (r *Report) Judge() {
	r.Go = len(r.Checks) > 0
	for _, c := range r.Checks {
		if c.Required && !c.OK && !c.Left {
			r.Go = false
		}
	}
}
