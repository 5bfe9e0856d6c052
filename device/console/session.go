package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"plenum/device/access"
	"plenum/device/service"
	"plenum/device/sitting"
)

// session is the answer to a right PIN.
type session struct {
	Token   string       `json:"token"`
	Role    sitting.Role `json:"role"`
	Name    string       `json:"name"`
	Expires string       `json:"expires"`
}

// login opens a session of the chair by PIN.
func (c *Console) login(w http.ResponseWriter, r *http.Request, _ access.Identity) error {
	var body struct {
		PIN string `json:"pin"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if c.opts.Service != nil && !c.opts.Service.HasOwner() {
		return service.ErrNoOwner // nobody leads a sitting on a box that belongs to nobody
	}
	roster := c.opts.Clerk.Snapshot().State.Roster
	i := slices.IndexFunc(roster, func(p sitting.Person) bool { return p.Role == sitting.RoleChair })
	if i < 0 {
		return newProblem(http.StatusServiceUnavailable, "busy", "There is no roster with a chair yet; try again in a moment.")
	}
	from := source(r)
	token, id, err := c.opts.Access.Login(r.Context(), from, body.PIN, roster[i].ID)
	switch {
	case errors.As(err, new(*access.TooManyError)):
		return tooMany(w, err)
	case errors.Is(err, access.ErrNoPIN):
		return newProblem(http.StatusConflict, "no_pin", "No PIN has been set yet; the technician sets it with plenumctl pin.")
	case errors.Is(err, access.ErrWrongPIN):
		c.log.Warn("a wrong PIN", "from", from.String())
		return newProblem(http.StatusUnauthorized, "wrong_pin", "The PIN is wrong.")
	case err != nil:
		return fmt.Errorf("log in: %w", err)
	}
	c.log.Info("the chair logged in", "from", from.String(), "person", id.Person)
	return writeJSON(w, session{Token: token, Role: id.Role, Name: roster[i].Name, Expires: id.Expires.UTC().Format(time.RFC3339)})
}

// source is the address a request comes from.
func source(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // one source for all of unknown origin
	}
	return at.Addr()
}

// readJSON reads a body that is one JSON object with known fields. No body is an empty object.
func readJSON(r *http.Request, into any) error {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
			return invalid("Send the body as application/json.")
		}
	}
	raw, err := io.ReadAll(r.Body)
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newProblem(http.StatusRequestEntityTooLarge, "invalid",
			"The body is longer than "+strconv.FormatInt(tooBig.Limit, 10)+" bytes.")
	}
	if err != nil {
		return invalid("The body could not be read to its end; send it again.")
	}
	return decodeJSON(raw, into)
}

// writeJSON answers with a value that nobody keeps.
func writeJSON(w http.ResponseWriter, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(raw, '\n')) // the client may be gone; nobody is left to tell
	return nil
}
