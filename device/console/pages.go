package console

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"plenum/device/access"
)

// The pages are built from web/ by "make web". Without a build there is only .keep.
//
//go:embed all:web/dist
var dist embed.FS

//go:embed openapi.yaml
var openAPIText []byte

const notBuilt = "The pages are not built into this program. Run \"make web\", then build plenumd again.\n"

// builtPages are the pages in the program.
func builtPages() (fs.FS, error) { return fs.Sub(dist, "web/dist") }

// page serves one page. It is asked for anew each time, so that an update of the box reaches every open browser.
func (c *Console) page(name string) func(http.ResponseWriter, *http.Request, access.Identity) error {
	return func(w http.ResponseWriter, _ *http.Request, _ access.Identity) error {
		raw, err := fs.ReadFile(c.opts.Pages, name)
		if errors.Is(err, fs.ErrNotExist) {
			http.Error(w, notBuilt, http.StatusServiceUnavailable)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a page: %w", err)
		}
		send(w, name, "no-cache", raw)
		return nil
	}
}

// asset serves what the pages load. The names hold a hash of the content, so it may be kept for ever.
func (c *Console) asset(w http.ResponseWriter, r *http.Request, _ access.Identity) error {
	return c.file(w, "assets/"+r.PathValue("file"), "public, max-age=31536000, immutable")
}

// rootFile serves what browsers look for at the root, such as the icon.
func (c *Console) rootFile(w http.ResponseWriter, r *http.Request, _ access.Identity) error {
	name := r.PathValue("file")
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".html") {
		return nothingHere()
	}
	return c.file(w, name, "public, max-age=3600")
}

func (c *Console) file(w http.ResponseWriter, name, cache string) error {
	if !fs.ValidPath(name) {
		return nothingHere()
	}
	info, err := fs.Stat(c.opts.Pages, name)
	if err != nil || !info.Mode().IsRegular() {
		return nothingHere()
	}
	raw, err := fs.ReadFile(c.opts.Pages, name)
	if err != nil {
		return fmt.Errorf("read a file of the pages: %w", err)
	}
	send(w, name, cache, raw)
	return nil
}

func nothingHere() *Problem {
	return newProblem(http.StatusNotFound, "not_found", "There is nothing at this address.")
}

// caPEM gives the root certificate to import.
func (c *Console) caPEM(w http.ResponseWriter, _ *http.Request, _ access.Identity) error {
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="plenum-ca.pem"`)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(c.opts.CA) // the client may be gone
	return nil
}

// openAPI gives the description of this API.
func (c *Console) openAPI(w http.ResponseWriter, _ *http.Request, _ access.Identity) error {
	send(w, "openapi.yaml", "no-cache", openAPIText)
	return nil
}

// health says that the console answers, and of which version it is.
func (c *Console) health(w http.ResponseWriter, _ *http.Request, _ access.Identity) error {
	return writeJSON(w, struct {
		Status  string `json:"status"`
		Version string `json:"version"`
	}{"ok", c.opts.Version})
}

// send answers with a file. Types are named here: what the machine's own table says must not decide whether a browser
// runs a script.
func send(w http.ResponseWriter, name, cache string, raw []byte) {
	kind := map[string]string{
		".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
		".json": "application/json", ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8",
		".yaml": "application/yaml", ".wasm": "application/wasm", ".map": "application/json",
	}[path.Ext(name)]
	if kind == "" {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", cache)
	_, _ = w.Write(raw) // the client may be gone
}
