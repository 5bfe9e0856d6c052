package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"plenum/device/access"
	"plenum/device/clerk"
	"plenum/device/sitting"
)

const maxKey = 64 // characters of an Idempotency-Key

// arguments are the fields of all commands together; each command takes some of them.
type arguments struct {
	Person   *sitting.PersonID `json:"person"`
	Queue    *bool             `json:"queue"`
	Reason   *string           `json:"reason"`
	Index    *int              `json:"index"`
	Priority *sitting.Priority `json:"priority"`
	Mode     *sitting.Mode     `json:"mode"`
	Limit    *int              `json:"limit"`

	Overrides *[]string `json:"overrides"`
}

// given lists the fields that were sent.
func (a arguments) given() []string {
	var names []string
	for _, f := range []struct {
		name string
		sent bool
	}{
		{"person", a.Person != nil}, {"queue", a.Queue != nil}, {"reason", a.Reason != nil}, {"index", a.Index != nil},
		{"priority", a.Priority != nil}, {"mode", a.Mode != nil}, {"limit", a.Limit != nil},
		{"overrides", a.Overrides != nil},
	} {
		if f.sent {
			names = append(names, f.name)
		}
	}
	return names
}

// order is a command of the API.
type order struct {
	name     string
	kind     sitting.Kind
	required []string
	optional []string // a person left out is the caller
}

// orders are all commands.
func orders() []order {
	return []order{
		{"open", sitting.KindOpen, nil, []string{"overrides"}},
		{"close", sitting.KindClose, nil, nil},
		{"request", sitting.KindRequest, nil, []string{"person", "queue"}},
		{"lower", sitting.KindLower, nil, []string{"person"}},
		{"refuse", sitting.KindRefuse, []string{"person"}, []string{"reason"}},
		{"move", sitting.KindMove, []string{"person", "index"}, nil},
		{"grant", sitting.KindGrant, []string{"person"}, nil},
		{"next", sitting.KindNext, nil, nil},
		{"withdraw", sitting.KindWithdraw, []string{"person"}, nil},
		{"yield", sitting.KindYield, nil, []string{"person"}},
		{"priority", sitting.KindPriority, []string{"priority"}, nil},
		{"all_clear", sitting.KindAllClear, nil, nil},
		{"rules", sitting.KindRules, []string{"mode", "limit"}, nil},
	}
}

// command turns a request into an event and asks the clerk. Rights are the core's business.
func (c *Console) command(w http.ResponseWriter, r *http.Request, id access.Identity) error {
	all := orders()
	i := slices.IndexFunc(all, func(o order) bool { return o.name == r.PathValue("name") })
	if i < 0 {
		return newProblem(http.StatusNotFound, "not_found", "There is no such command.")
	}
	key := r.Header.Get("Idempotency-Key")
	if !validKey(key) {
		return invalid("Send an Idempotency-Key header of 1 to 64 letters, digits, _ or -; a new one for every command.")
	}
	var args arguments
	if err := readJSON(r, &args); err != nil {
		return err
	}
	event, err := all[i].event(args, id)
	if err != nil {
		return err
	}
	event.At = c.opts.Now()
	ctx, cancel := context.WithTimeout(r.Context(), commandTime)
	defer cancel()
	receipt, err := c.opts.Clerk.Do(ctx, ownKey(id, key), event)
	if err != nil {
		return err
	}
	return writeJSON(w, struct {
		Seq      uint64 `json:"seq"`
		Repeated bool   `json:"repeated"`
	}{receipt.Seq, receipt.Repeated})
}

// event makes the event of a command.
func (o order) event(args arguments, id access.Identity) (sitting.Event, error) {
	given := args.given()
	for _, name := range given {
		if !slices.Contains(o.required, name) && !slices.Contains(o.optional, name) {
			return sitting.Event{}, invalid("The command " + o.name + " has no field " + name + ".")
		}
	}
	for _, name := range o.required {
		if !slices.Contains(given, name) {
			return sitting.Event{}, invalid("The command " + o.name + " needs the field " + name + ".")
		}
	}
	e := sitting.Event{
		Kind: o.kind, By: sitting.Actor{Role: id.Role, Person: id.Person},
		Person: value(args.Person), Queue: value(args.Queue), Reason: value(args.Reason), Index: value(args.Index),
		Priority: value(args.Priority), Mode: value(args.Mode), Limit: value(args.Limit),
		Overrides: value(args.Overrides),
	}
	if args.Person == nil && slices.Contains(o.optional, "person") {
		e.Person = id.Person
	}
	if o.kind == sitting.KindRequest {
		e.Origin = sitting.OriginRemote // a browser; for somebody in the hall the core finds the desk
	}
	return e, nil
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func validKey(key string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	return key != "" && len(key) <= maxKey && strings.Trim(key, letters) == ""
}

// ownKey puts the caller in front of a key: keys of different people never meet.
func ownKey(id access.Identity, key string) string {
	own := "web:" + string(id.Role) + ":" + string(id.Person) + ":" + key
	if len(own) <= clerk.MaxKey {
		return own
	}
	sum := sha256.Sum256([]byte(own))
	return "web#" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// decodeJSON reads one JSON object with known fields, in full.
func decodeJSON(raw []byte, into any) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil
	}
	if raw[0] != '{' {
		return invalid("The body is not a JSON object.")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return invalid("The field " + wrong.Field + " cannot be a " + wrong.Value + ".")
		}
		return invalid("The body is not understood: " + strings.TrimPrefix(err.Error(), "json: ") + ".")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("Something follows the JSON object.")
	}
	return nil
}
