package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"plenum/media/stage"
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// Caller is who asks for a session.
type Caller struct {
	Person string
	// Gone is closed when the caller may no longer take part; the caller's sessions end then. Nil: never.
	Gone <-chan struct{}
	// Expires ends the caller's sessions too; zero: never.
	Expires time.Time
	// Many allows several sessions in one direction, as hall screens need it. Else a new one replaces the old one.
	Many bool
}

// Handler serves POST and OPTIONS on /whip and /whep, and PATCH, DELETE and
// OPTIONS on the session URLs below them. auth tells who asks, from the bearer
// token; an error is answered with 401.
func (h *Host) Handler(auth func(*http.Request) (Caller, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		root, id, nested := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
		d, ok := map[string]Direction{"whip": Publish, "whep": Play}[root]
		if !ok || strings.Contains(id, "/") || (nested && id == "") {
			problem(w, http.StatusNotFound, "not_found", "There is nothing here; publish to /whip, play from /whep.")
			return
		}
		if r.Method == http.MethodOptions {
			options(w, id != "")
			return
		}
		caller, err := auth(r)
		if err != nil || caller.Person == "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="plenum"`)
			problem(w, http.StatusUnauthorized, "unauthorized", "Send your personal token as: Authorization: Bearer TOKEN.")
			return
		}
		if id == "" {
			h.serveEndpoint(w, r, caller, d)
			return
		}
		h.serveSession(w, r, caller.Person, d, id)
	})
}

func options(w http.ResponseWriter, session bool) {
	if session {
		w.Header().Set("Allow", "PATCH, DELETE, OPTIONS")
		w.Header().Set("Accept-Patch", typeFragment)
	} else {
		w.Header().Set("Allow", "POST, OPTIONS")
		w.Header().Set("Accept-Post", typeSDP)
	}
	w.WriteHeader(http.StatusNoContent)
}

func notAllowed(w http.ResponseWriter, session bool) {
	allow, detail := "POST, OPTIONS", "Send the offer with POST."
	if session {
		allow, detail = "PATCH, DELETE, OPTIONS", "A session takes PATCH (ICE restart) and DELETE (end)."
	}
	w.Header().Set("Allow", allow)
	problem(w, http.StatusMethodNotAllowed, "method_not_allowed", detail)
}

func (h *Host) serveEndpoint(w http.ResponseWriter, r *http.Request, caller Caller, d Direction) {
	if r.Method != http.MethodPost {
		notAllowed(w, false)
		return
	}
	if !accepts(r, typeSDP) {
		problem(w, http.StatusNotAcceptable, "not_acceptable", "The answer is "+typeSDP+"; the Accept header excludes it.")
		return
	}
	body, ok := readBody(w, r, typeSDP, maxOffer)
	if !ok {
		return
	}
	o, err := parseOffer(body, d, len(h.stage.Order(stage.Audio))-1, h.profile.Answer)
	if err != nil {
		offerProblem(w, err)
		return
	}
	s, answer, err := h.open(caller, r.RemoteAddr, d, o)
	if err != nil {
		offerProblem(w, err)
		return
	}
	w.Header().Set("Content-Type", typeSDP)
	w.Header().Set("Location", "/"+map[Direction]string{Publish: "whip", Play: "whep"}[d]+"/"+s.id)
	w.Header().Set("ETag", s.etag())
	w.Header().Set("Accept-Patch", typeFragment)
	w.WriteHeader(http.StatusCreated)
	if _, err := io.WriteString(w, answer); err != nil {
		h.log.Debug("sending an answer", "person", caller.Person, "err", err)
	}
}

func (h *Host) serveSession(w http.ResponseWriter, r *http.Request, person string, d Direction, id string) {
	if r.Method != http.MethodPatch && r.Method != http.MethodDelete {
		notAllowed(w, true)
		return
	}
	s := h.find(id)
	if s == nil || s.direction != d {
		problem(w, http.StatusNotFound, "no_session", "This session does not exist or has ended.")
		return
	}
	if s.person != person {
		problem(w, http.StatusForbidden, "not_yours", "This session is somebody else's.")
		return
	}
	if r.Method == http.MethodDelete {
		s.close("the peer has left")
		w.WriteHeader(http.StatusOK)
		return
	}
	h.servePatch(w, r, s)
}

// servePatch serves trickle ICE and ICE restarts, RFC 9725 section 4.3.
func (h *Host) servePatch(w http.ResponseWriter, r *http.Request, s *session) {
	body, ok := readBody(w, r, typeFragment, maxFragment)
	if !ok {
		return
	}
	match := r.Header.Get("If-Match")
	if match == "" {
		problem(w, http.StatusPreconditionRequired, "if_match_missing", `Send If-Match with the session's ETag, or "*" to restart ICE.`)
		return
	}
	f, err := parseFragment(string(body))
	if err != nil {
		problem(w, http.StatusBadRequest, "malformed", err.Error()+".")
		return
	}
	s.negotiate.Lock()
	defer s.negotiate.Unlock()
	if match != "*" {
		h.serveTrickle(w, s, f, match)
		return
	}
	if f.ufrag == "" {
		problem(w, http.StatusUnprocessableEntity, "no_credentials", "An ICE restart needs ice-ufrag and ice-pwd.")
		return
	}
	answer, err := s.restartICE(f)
	if err != nil {
		s.close("an ICE restart failed")
		problem(w, http.StatusInternalServerError, "restart_failed", "The restart failed and the session has ended; start a new one.")
		h.log.Warn("ICE restart", "person", s.person, "err", err)
		return
	}
	w.Header().Set("Content-Type", typeFragment)
	w.Header().Set("ETag", s.etag())
	w.WriteHeader(http.StatusOK)
	if _, err := io.WriteString(w, answer); err != nil {
		h.log.Debug("sending an ICE restart's answer", "person", s.person, "err", err)
	}
}

// serveTrickle takes candidates of a peer. As the lite side we send no checks:
// the peer's address is learnt from its own, so candidates are checked for form
// and need not be kept.
func (h *Host) serveTrickle(w http.ResponseWriter, s *session, f fragment, match string) {
	ufrag, _ := credentials(s.offer.desc)
	switch {
	case match != s.etag():
		problem(w, http.StatusPreconditionFailed, "if_match_wrong", "ICE has been restarted since; use the newest ETag.")
	case f.ufrag != "" && f.ufrag != ufrag:
		problem(w, http.StatusUnprocessableEntity, "wrong_credentials", `New ICE credentials are a restart: send If-Match "*".`)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// restartICE takes a peer's new credentials and returns ours. s.negotiate is held.
func (s *session) restartICE(f fragment) (string, error) {
	s.offer.restart(f.ufrag, f.pwd)
	answer, err := s.answer(s.ctx)
	if err != nil {
		return "", err
	}
	s.restarts++
	return formatFragment(answer)
}

// readBody checks the content type and reads a body of bounded size; when it
// returns false the problem has been answered.
func readBody(w http.ResponseWriter, r *http.Request, want string, limit int64) ([]byte, bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != want {
		problem(w, http.StatusUnsupportedMediaType, "wrong_type", "The body must be "+want+".")
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		problem(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("The body is longer than %d bytes.", limit))
		return nil, false
	case err != nil:
		problem(w, http.StatusBadRequest, "malformed", "The body did not arrive whole.")
		return nil, false
	}
	return body, true
}

// accepts tells whether the client takes a media type. No header takes all.
func accepts(r *http.Request, want string) bool {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if header == "" {
		return true
	}
	for part := range strings.SplitSeq(header, ",") {
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err == nil && params["q"] != "0" && (kind == want || kind == "*/*" || kind == "application/*") {
			return true
		}
	}
	return false
}

func offerProblem(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errOffer):
		problem(w, http.StatusUnprocessableEntity, "offer_refused", err.Error()+".")
	case errors.Is(err, ErrClosed), errors.Is(err, errAnswer):
		problem(w, http.StatusServiceUnavailable, "busy", "No session can be opened now; try again.")
	default:
		problem(w, http.StatusBadRequest, "malformed", err.Error()+".")
	}
}

// problem answers with application/problem+json, RFC 9457.
func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// A client that is gone cannot be told.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "code": code, "detail": detail,
	})
}
