package sitting

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Item is something the sitting counts on, such as a camera: green, or red with a reason. A sitting does not open while
// a required item is red, unless the chair overrides it by name (S5); a firm one is not overridden. In an open sitting items change nothing.
type Item struct {
	ID       string `json:"id"` // stable: overrides name it
	Name     string `json:"name"`
	Required bool   `json:"required"`
	Firm     bool   `json:"firm,omitempty"` // nobody may override it: the box is not ready to be used at all
	Red      bool   `json:"red"`
	Reason   string `json:"reason"` // one line with what to do; may stand on a green item that is not at its best
}

// Override is a required item that was red when the sitting was opened all the same.
type Override struct {
	Item   string    `json:"item"` // its id
	Name   string    `json:"name"`
	Reason string    `json:"reason"` // why it was red then
	By     Actor     `json:"by"`
	At     time.Time `json:"at"`
}

// setItems takes the list of what the sitting counts on. What is known of items that stay is kept.
func (s *State) setItems(e Event) error {
	seen := map[string]bool{}
	items := make([]Item, 0, len(e.Items))
	for _, it := range e.Items {
		switch {
		case it.ID == "":
			return fmt.Errorf("%w: an item needs an id", ErrInvalid)
		case seen[it.ID]:
			return fmt.Errorf("%w: the item %s is listed twice", ErrInvalid, it.ID)
		}
		seen[it.ID] = true
		if i := s.item(it.ID); i >= 0 {
			it.Red, it.Reason = s.Items[i].Red, s.Items[i].Reason
		}
		items = append(items, it)
	}
	if slices.Equal(items, s.Items) {
		return ErrNothingChanged
	}
	s.Items = items
	return nil
}

// setItem takes what is known of one item now.
func (s *State) setItem(e Event) error {
	if e.Item == nil {
		return fmt.Errorf("%w: no item", ErrInvalid)
	}
	switch i := s.item(e.Item.ID); {
	case i < 0:
		return fmt.Errorf("%w: the item %q is not on the list", ErrInvalid, e.Item.ID)
	case s.Items[i] == *e.Item:
		return ErrNothingChanged
	default:
		s.Items[i] = *e.Item
	}
	return nil
}

func (s *State) item(id string) int {
	return slices.IndexFunc(s.Items, func(it Item) bool { return it.ID == id })
}

// gate reports whether the sitting may open as things stand, and what was overridden for it. A name too many does no
// harm: the item may have come back since the list was looked at.
func (s *State) gate(e Event) ([]Override, error) {
	over := []Override{}
	var missing []string
	for _, it := range s.Items {
		switch {
		case !it.Required || !it.Red:
		case slices.Contains(e.Overrides, it.ID) && !it.Firm:
			over = append(over, Override{Item: it.ID, Name: it.Name, Reason: it.Reason, By: e.By, At: e.At})
		case it.Reason != "":
			missing = append(missing, it.ID+" ("+it.Reason+")")
		default:
			missing = append(missing, it.ID)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotReady, strings.Join(missing, ", "))
	}
	return over, nil
}
