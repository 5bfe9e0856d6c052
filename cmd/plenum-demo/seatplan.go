package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"time"
)

//go:embed page
var page embed.FS

// seatplan is the page with the desks to click. It is served on loopback only: it stands for the hall's hardware, and
// whoever can reach it sits at every desk.
func seatplan(h *hall) (http.Handler, error) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, fmt.Errorf("the seat plan's page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /desks", h.stream)
	mux.HandleFunc("POST /press", relay{hall: h}.press)
	mux.HandleFunc("POST /priority", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Long bool `json:"long"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1024)).Decode(&body); err != nil {
			problem(w, http.StatusBadRequest, `send {"long":true}`)
			return
		}
		h.units.Priority(body.Long)
		w.WriteHeader(http.StatusNoContent)
	})
	// A page of another site must not press desks: a browser says where a request comes from.
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// stream sends the desks as they are, at once and after every change.
func (h *hall) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	beat := time.NewTicker(10 * time.Second)
	defer beat.Stop()
	out := http.NewResponseController(w)
	changed, stop := h.watch()
	defer stop()
	for {
		b, err := json.Marshal(h.desks())
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-beat.C:
		}
	}
}

// deskView is one desk as the page shows it.
type deskView struct {
	Seat       string `json:"seat"`
	Name       string `json:"name"`
	Open       bool   `json:"open"`
	Requesting bool   `json:"requesting"`
	Lost       bool   `json:"lost"`
}
