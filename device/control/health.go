package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"plenum/device/health"
)

// Health is what the operator needs of whoever watches over the box.
type Health interface {
	Judge() health.Judgement
	JudgeBoot() health.Judgement  // whether this boot is to be kept
	WriteMetrics(io.Writer) error // in Prometheus' text format; what it wrote is good also with an error
}

// health tells how the box is; with boot=1, whether this boot is to be kept.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	judge := s.opts.Health.Judge
	if text := r.FormValue("boot"); text != "" {
		boot, err := strconv.ParseBool(text)
		if err != nil {
			s.refuse(w, r, bad("boot is 1 or 0"))
			return
		}
		if boot {
			judge = s.opts.Health.JudgeBoot
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(judge()) // the client may be gone
}

// Metrics answers scrapes by what write gives, at the socket and at whatever other port somebody opens for it. What a
// part of the house could not tell is missing in the answer, and stands in the log.
func Metrics(write func(io.Writer) error, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			log.Error("metrics are not complete", "err", err)
		}
		w.Header().Set("Content-Type", health.ContentType)
		_, _ = w.Write(out.Bytes()) // the client may be gone
	})
}

// Health tells how the box is; with boot, whether this boot is to be kept.
func (c *Client) Health(ctx context.Context, boot bool) (health.Judgement, error) {
	path := "/health"
	if boot {
		path += "?boot=1"
	}
	var out health.Judgement
	return out, c.Call(ctx, http.MethodGet, path, nil, &out)
}

// Metrics gives the daemon's metrics in Prometheus' text format.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	res, err := c.send(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("read the daemon's answer: %w", err)
	}
	return string(text), nil
}
