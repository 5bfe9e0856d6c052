package console

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// guard stands before every handler: security headers, a bound on the body, and a handler that panics takes only its
// own request down. What it logs names the route and never the path, in which a careless person may have put a token.
func (c *Console) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header(), r.Host)
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(r.URL.Path))
		defer func() {
			what := recover()
			if what == nil || what == http.ErrAbortHandler {
				return
			}
			c.log.Error("a handler panicked", "route", r.Pattern, "panic", what, "stack", string(debug.Stack()))
			newProblem(http.StatusInternalServerError, "internal",
				"The box has a fault; call the technician, the log says more.").write(w)
		}()
		next.ServeHTTP(w, r)
		c.log.Debug("request", "method", r.Method, "route", r.Pattern, "from", r.RemoteAddr)
	})
}

func bodyLimit(path string) int64 {
	if strings.HasPrefix(path, "/api/") {
		return maxBody
	}
	return maxSDP
}

// secure sets the headers that hold for every answer.
func secure(h http.Header, host string) {
	h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; "+
		"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(), geolocation=()")
	// Not for localhost: it would forbid plain HTTP to whatever else a developer runs there.
	if name, _, err := net.SplitHostPort(host); host != "localhost" && (err != nil || name != "localhost") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// failures counts what net/http would log for each connection that comes to nothing: a port scan must not fill the
// log. It is the writer of the server's ErrorLog.
type failures struct {
	mu    sync.Mutex
	count int
	last  string
}

// Write implements io.Writer.
func (f *failures) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	f.last = strings.TrimSpace(string(line))
	return len(line), nil
}

// report logs once a second what was counted.
func (f *failures) report(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		f.mu.Lock()
		count, last := f.count, f.last
		f.count = 0
		f.mu.Unlock()
		if count > 0 {
			log.Warn("connections came to nothing", "count", count, "last", last)
		}
	}
}
