package control

import (
	"context"
	"net/http"
	"time"

	"plenum/device/health"
	"plenum/device/sitting"
)

// selfTestTime is how long a self-test may take.
const selfTestTime = 25 * time.Second

// Devices is what the operator needs of whoever looks after them. SelfTest ends with health.ErrTesting while another one
// is running.
type Devices interface {
	List() []health.Item
	SelfTest(ctx context.Context) (health.Report, error)
}

// Listing is the answer of GET /devices.
type Listing struct {
	Devices []health.Item `json:"devices"`
}

// Opening is what POST /open takes.
type Opening struct {
	Overrides []string `json:"overrides,omitempty"` // ids of required devices that may be red
}

func (s *Server) devices(*http.Request) (any, error) {
	if s.opts.Devices == nil {
		return nil, noDevices()
	}
	return Listing{append([]health.Item{}, s.opts.Devices.List()...)}, nil
}

func (s *Server) selfTest(r *http.Request) (any, error) {
	if s.opts.Devices == nil {
		return nil, noDevices()
	}
	ctx, cancel := context.WithTimeout(r.Context(), selfTestTime)
	defer cancel()
	report, err := s.opts.Devices.SelfTest(ctx)
	if err != nil {
		return nil, err
	}
	report.Checks = append([]health.Check{}, report.Checks...)
	return report, nil
}

func noDevices() *Error {
	return &Error{Title: http.StatusText(http.StatusNotFound), Status: http.StatusNotFound, Detail: "this daemon looks after no devices"}
}

func (s *Server) openSitting(r *http.Request) (any, error) {
	var how Opening
	if err := read(r, &how); err != nil {
		return nil, err
	}
	return s.decided(r, sitting.Event{Kind: sitting.KindOpen, Overrides: how.Overrides})
}

func (s *Server) closeSitting(r *http.Request) (any, error) {
	return s.decided(r, sitting.Event{Kind: sitting.KindClose})
}

func (s *Server) allClear(r *http.Request) (any, error) {
	return s.decided(r, sitting.Event{Kind: sitting.KindAllClear})
}

// decided asks for something that concerns nobody in particular.
func (s *Server) decided(r *http.Request, e sitting.Event) (any, error) {
	receipt, err := s.ask(r, e)
	if err != nil {
		return nil, err
	}
	s.log.Info("the operator decided", "what", e.Kind, "overrides", e.Overrides)
	return Done{Seq: receipt.Seq}, nil
}

// Devices lists what is known of all devices, cameras first.
func (c *Client) Devices(ctx context.Context) (Listing, error) {
	var out Listing
	return out, c.Call(ctx, http.MethodGet, "/devices", nil, &out)
}

// SelfTest tries all devices; it takes up to 25 s.
func (c *Client) SelfTest(ctx context.Context) (health.Report, error) {
	var out health.Report
	return out, c.Call(ctx, http.MethodPost, "/selftest", nil, &out)
}

// OpenSitting opens a sitting, although the required devices with these ids may be red.
func (c *Client) OpenSitting(ctx context.Context, overrides ...string) (Done, error) {
	var out Done
	return out, c.Call(ctx, http.MethodPost, "/open", Opening{Overrides: overrides}, &out)
}

// CloseSitting closes the sitting.
func (c *Client) CloseSitting(ctx context.Context) (Done, error) {
	var out Done
	return out, c.Call(ctx, http.MethodPost, "/close", nil, &out)
}

// AllClear ends the alarm, also while a contact still reports it.
func (c *Client) AllClear(ctx context.Context) (Done, error) {
	var out Done
	return out, c.Call(ctx, http.MethodPost, "/all-clear", nil, &out)
}
