package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"plenum/device/access"
	"plenum/device/health"
	"plenum/device/sitting"
)

// selfTestTime is how long a self-test may take.
const selfTestTime = 25 * time.Second

// Devices is what the console needs of whoever looks after them. SelfTest ends with health.ErrTesting while another one
// is running.
type Devices interface {
	List() []health.Item
	SelfTest(ctx context.Context) (health.Report, error)
}

// Alarm is the alarm that stands. Everybody sees it.
type Alarm struct {
	Reason string `json:"reason"` // the contact that raised it
	Since  string `json:"since"`
	Over   bool   `json:"over"` // the chair may end it
}

// Item is something the sitting counts on.
type Item struct {
	ID       string `json:"id"` // to be named in open's overrides
	Name     string `json:"name"`
	Required bool   `json:"required"` // a sitting does not open while it is red
	Firm     bool   `json:"firm"`     // not even when it is named in open's overrides
	Red      bool   `json:"red"`
	Reason   string `json:"reason"`
}

// Override is a required item that was red when the sitting was opened all the same.
type Override struct {
	Item   string `json:"item"` // its id
	Name   string `json:"name"`
	Reason string `json:"reason"` // why it was red then
	By     string `json:"by"`     // the chair's name; empty: the technician
	At     string `json:"at"`
}

// showHouse adds to a view what the house brings: the alarm for everybody, the rest for the chair.
func (v *View) showHouse(s sitting.State, viewer access.Identity) {
	v.Items, v.Overrides = []Item{}, []Override{}
	if a := s.Alarm; a != nil {
		v.Alarm = &Alarm{Reason: a.Reason, Since: stamp(a.Since), Over: a.Over}
	}
	if viewer.Role != sitting.RoleChair {
		return
	}
	for _, it := range s.Items {
		v.Items = append(v.Items, Item{ID: it.ID, Name: it.Name, Required: it.Required, Firm: it.Firm, Red: it.Red, Reason: it.Reason})
	}
	for _, o := range s.Overrides {
		by, _ := s.Person(o.By.Person)
		v.Overrides = append(v.Overrides, Override{Item: o.Item, Name: o.Name, Reason: o.Reason, By: by.Name, At: stamp(o.At)})
	}
}

// mayTend lets the chair at the devices.
func (c *Console) mayTend(id access.Identity) error {
	switch {
	case id.Role != sitting.RoleChair:
		return sitting.ErrNotAllowed
	case c.opts.Devices == nil:
		return nothingHere()
	}
	return nil
}

// devices lists what the house knows of its devices.
func (c *Console) devices(w http.ResponseWriter, _ *http.Request, id access.Identity) error {
	if err := c.mayTend(id); err != nil {
		return err
	}
	return writeJSON(w, struct {
		Devices []health.Item `json:"devices"`
	}{append([]health.Item{}, c.opts.Devices.List()...)})
}

// selfTest tries all devices and tells whether a sitting can count on them.
func (c *Console) selfTest(w http.ResponseWriter, r *http.Request, id access.Identity) error {
	if err := c.mayTend(id); err != nil {
		return err
	}
	// The server's deadlines are for answers that come at once. The one for reading would end the request too.
	control := http.NewResponseController(w)
	end := time.Now().Add(selfTestTime + sendTime)
	if err := errors.Join(control.SetReadDeadline(end), control.SetWriteDeadline(end)); err != nil {
		return fmt.Errorf("give the self-test its time: %w", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), selfTestTime)
	defer cancel()
	report, err := c.opts.Devices.SelfTest(ctx)
	if err != nil {
		return err
	}
	report.Checks = append([]health.Check{}, report.Checks...)
	return writeJSON(w, report)
}
