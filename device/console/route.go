package console

import (
	"net/http"
	"slices"
	"strings"

	"plenum/device/access"
	"plenum/device/sitting"
)

// route is one thing that can be asked for. Its handler answers, or returns why not.
type route struct {
	method string
	path   string // pattern of http.ServeMux, without method
	open   bool   // needs no token
	handle func(w http.ResponseWriter, r *http.Request, id access.Identity) error
}

// routes are all of them; openapi.yaml lists the same.
func (c *Console) routes() []route {
	list := []route{
		{"POST", "/api/v1/session", true, c.login},
		{"GET", "/api/v1/state", false, c.state},
		{"GET", "/api/v1/events", false, c.events},
		{"POST", "/api/v1/commands/{name}", false, c.command},
		{"GET", "/api/v1/devices", false, c.devices},
		{"POST", "/api/v1/selftest", false, c.selfTest},
		{"GET", "/api/v1/ca.pem", true, c.caPEM},
		{"GET", "/api/v1/openapi.yaml", true, c.openAPI},
		{"GET", "/api/v1/health", true, c.health},
		{"GET", "/{$}", true, c.page("index.html")},
		{"GET", "/panel", true, c.page("panel.html")},
		{"GET", "/member", true, c.page("member.html")},
		{"GET", "/screen", true, c.page("screen.html")},
		{"GET", "/assets/{file...}", true, c.asset},
		{"GET", "/{file}", true, c.rootFile},
	}
	list = append(list, c.serviceRoutes()...)
	if c.opts.Media != nil {
		list = append(list,
			route{"OPTIONS", "/whip", true, c.options},
			route{"OPTIONS", "/whep", true, c.options},
			route{"POST", "/whip", false, c.publish},
			route{"PATCH", "/whip/{session...}", false, c.publish},
			route{"DELETE", "/whip/{session...}", false, c.publish},
			route{"POST", "/whep", false, c.play},
			route{"PATCH", "/whep/{session...}", false, c.play},
			route{"DELETE", "/whep/{session...}", false, c.play},
		)
	}
	return list
}

// layOut makes the mux of the routes.
func (c *Console) layOut() *http.ServeMux {
	byPath := make(map[string][]route)
	for _, rt := range c.routes() {
		byPath[rt.path] = append(byPath[rt.path], rt)
	}
	mux := http.NewServeMux()
	for path, list := range byPath {
		mux.Handle(path, c.dispatch(list))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		newProblem(http.StatusNotFound, "not_found", "There is nothing at this address.").write(w)
	})
	return mux
}

// dispatch finds the route of a method among those of one path.
func (c *Console) dispatch(list []route) http.Handler {
	var allow []string
	for _, rt := range list {
		allow = append(allow, rt.method)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(list, func(rt route) bool {
			return rt.method == r.Method || rt.method == "GET" && r.Method == "HEAD" && rt.open
		})
		if i < 0 {
			w.Header().Set("Allow", strings.Join(allow, ", "))
			newProblem(http.StatusMethodNotAllowed, "method_not_allowed",
				"Here only "+strings.Join(allow, ", ")+" is understood.").write(w)
			return
		}
		if err := c.enter(list[i], w, r); err != nil {
			c.refuse(w, r, err)
		}
	})
}

// enter asks for the token and goes in.
func (c *Console) enter(rt route, w http.ResponseWriter, r *http.Request) error {
	if rt.open {
		return rt.handle(w, r, access.Identity{})
	}
	id, err := c.Authenticate(r)
	if err != nil {
		return err
	}
	return rt.handle(w, r, id)
}

// refuse answers with a problem. Only the box's own faults are worth a line in the log.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusUnauthorized && p.Code == "unauthorized" {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if p.Status == http.StatusInternalServerError {
		c.log.Error("a request failed", "method", r.Method, "route", r.Pattern, "err", err)
	}
	p.write(w)
}

// options tells anybody what the media room understands (RFC 9725, 4.2); it says nothing about the sitting.
func (c *Console) options(w http.ResponseWriter, r *http.Request, _ access.Identity) error {
	c.opts.Media.ServeHTTP(w, r)
	return nil
}

// publish lets in who may take part remotely. The chair never does (N14), a screen has nothing to say, and who sits in
// the hall speaks into the desk.
func (c *Console) publish(w http.ResponseWriter, r *http.Request, id access.Identity) error {
	p, ok := c.opts.Clerk.Snapshot().State.Person(id.Person)
	if !ok || !p.Remote || id.Role == sitting.RoleChair || id.Role == access.RoleScreen {
		return newProblem(http.StatusForbidden, "not_allowed",
			"This person is not on the roster as taking part remotely; ask the clerk.")
	}
	c.opts.Media.ServeHTTP(w, r)
	return nil
}

// play lets in everybody with a personal link, and screens. The chair is in the hall and sees it (N14).
func (c *Console) play(w http.ResponseWriter, r *http.Request, id access.Identity) error {
	if id.Role == sitting.RoleChair {
		return newProblem(http.StatusForbidden, "not_allowed", "The chair is in the hall and takes no media from here.")
	}
	c.opts.Media.ServeHTTP(w, r)
	return nil
}
