package control

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"time"
)

// Vitals is the answer of GET /vitals: what grows when something leaks.
type Vitals struct {
	PID        int           `json:"pid"`
	Uptime     time.Duration `json:"uptime_ns"`
	Goroutines int           `json:"goroutines"`
	Files      int           `json:"files"`    // open file descriptors
	Heap       uint64        `json:"heap"`     // bytes in use on Go's heap
	Resident   uint64        `json:"resident"` // bytes of memory that Go has from the system, C's not counted
}

func (s *Server) vitals(*http.Request) (any, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	v := Vitals{PID: os.Getpid(), Uptime: time.Since(s.began), Goroutines: runtime.NumGoroutine(), Heap: m.HeapInuse, Resident: m.Sys - m.HeapReleased}
	files, err := os.ReadDir("/proc/self/fd")
	v.Files = len(files)
	return v, err
}

// Vitals asks how much the daemon uses.
func (c *Client) Vitals(ctx context.Context) (Vitals, error) {
	var out Vitals
	return out, c.Call(ctx, http.MethodGet, "/vitals", nil, &out)
}
