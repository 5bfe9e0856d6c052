package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"plenum/device/access"
	"plenum/device/clerk"
)

const (
	beatEvery = 10 * time.Second // a comment line, so that both sides see that the other is there
	sendTime  = 10 * time.Second // a viewer who takes nothing for so long is gone
)

// state answers with the view of the moment.
func (c *Console) state(w http.ResponseWriter, _ *http.Request, id access.Identity) error {
	return writeJSON(w, c.view(c.opts.Clerk.Snapshot(), id))
}

func (c *Console) view(snap clerk.Snapshot, id access.Identity) View {
	return build(snap, id, c.opts.Voices, c.opts.Now())
}

// events streams the view and its changes (WHATWG HTML, 9.2, text/event-stream) until the viewer goes, the token ends,
// the roster takes the viewer's place or role away, another stream takes over, or the console closes.
func (c *Console) events(w http.ResponseWriter, r *http.Request, id access.Identity) error {
	place, err := c.hub.enter(id)
	if err != nil {
		return err
	}
	defer place.leave()
	if place.took {
		c.log.Warn("a person's session moved to another place", "person", id.Person, "to", r.RemoteAddr)
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Time{}); err != nil { // the server's is for requests that end
		return fmt.Errorf("open an event stream: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := func(text []byte) error {
		ended := onRoster(c.opts.Clerk.Snapshot().State, id)
		if ended != nil {
			text = gone("revoked")
		}
		if err := control.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		return errors.Join(control.Flush(), ended)
	}
	c.stream(r.Context(), id, place, out)
	return nil
}

// stream sends one viewer what they see, until there is a reason to end. out takes whole messages; its error means
// that the viewer is gone, or was told that nothing more comes.
func (c *Console) stream(ctx context.Context, id access.Identity, place seat, out func([]byte) error) {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	end := time.NewTimer(id.Expires.Sub(c.opts.Now()))
	defer end.Stop()
	var sent map[string]json.RawMessage
	for {
		snap, changed := c.hub.now()
		text, fields, err := message(sent, c.view(snap, id))
		if err != nil {
			c.log.Error("a view cannot be written", "err", err)
			return
		}
		sent = fields
		if len(text) > 0 && out(text) != nil {
			return
		}
		var why string
		for again := true; again && why == ""; {
			select {
			case <-changed:
				again = false
			case <-beat.C:
				if out([]byte(": beat\n\n")) != nil {
					return
				}
			case <-place.replaced:
				why = "replaced"
			case <-id.Gone:
				why = "revoked"
			case <-end.C:
				why = "revoked"
			case <-place.closing:
				why = "closing"
			case <-ctx.Done():
				return
			}
		}
		if why != "" {
			_ = out(gone(why)) // the end either way
			return
		}
	}
}

// gone tells a viewer why the stream ends.
func gone(why string) []byte { return []byte("event: gone\ndata: {\"code\":\"" + why + "\"}\n\n") }

// message writes a view as an event: the whole at first, then only the top-level keys that differ from those sent. It
// is empty when nothing but the clock changed.
func message(sent map[string]json.RawMessage, v View) ([]byte, map[string]json.RawMessage, error) {
	whole, err := json.Marshal(v)
	if err != nil {
		return nil, nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(whole, &fields); err != nil {
		return nil, nil, err
	}
	if sent == nil {
		return event("snapshot", v.Seq, whole), fields, nil
	}
	differ := make(map[string]json.RawMessage)
	for name, value := range fields {
		if name != "now" && !bytes.Equal(sent[name], value) {
			differ[name] = value
		}
	}
	for name := range sent {
		if _, still := fields[name]; !still {
			differ[name] = json.RawMessage("null")
		}
	}
	if len(differ) == 0 {
		return nil, fields, nil
	}
	differ["seq"], differ["now"] = fields["seq"], fields["now"]
	part, err := json.Marshal(differ)
	if err != nil {
		return nil, nil, err
	}
	return event("change", v.Seq, part), fields, nil
}

// event writes one event. JSON has no line breaks of its own.
func event(name string, seq uint64, data []byte) []byte {
	var b bytes.Buffer
	b.WriteString("event: " + name + "\nid: " + strconv.FormatUint(seq, 10) + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
	return b.Bytes()
}
