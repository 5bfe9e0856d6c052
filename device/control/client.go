package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"plenum/device/clerk"
)

const (
	maxAnswer = 4 << 20 // bytes
	maxEntry  = 4 << 20 // bytes of a line of events; the roster of a big house is one event
)

// Client speaks to the daemon. A refusal is an *Error. It keeps no connection between calls.
type Client struct {
	http *http.Client
}

// Dial makes a client for the daemon's socket. It connects with the first call.
func Dial(socket string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Status tells how the box and its sitting stand.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	return out, c.Call(ctx, http.MethodGet, "/status", nil, &out)
}

// Speakers tells who speaks and who waits.
func (c *Client) Speakers(ctx context.Context) (Speakers, error) {
	var out Speakers
	return out, c.Call(ctx, http.MethodGet, "/speakers", nil, &out)
}

// Grant gives the word to a person named as in Who.Name.
func (c *Client) Grant(ctx context.Context, who string) (Done, error) {
	var out Done
	return out, c.Call(ctx, http.MethodPost, "/grant", Who{Name: who}, &out)
}

// Withdraw takes the word from a person named as in Who.Name.
func (c *Client) Withdraw(ctx context.Context, who string) (Done, error) {
	var out Done
	return out, c.Call(ctx, http.MethodPost, "/withdraw", Who{Name: who}, &out)
}

// Next gives the word to the first in the list.
func (c *Client) Next(ctx context.Context) (Done, error) {
	var out Done
	return out, c.Call(ctx, http.MethodPost, "/next", nil, &out)
}

// SetPIN replaces the chair's PIN and ends the chair's sessions.
func (c *Client) SetPIN(ctx context.Context, pin string) error {
	return c.Call(ctx, http.MethodPost, "/pin", map[string]string{"pin": pin}, nil)
}

// Invite makes the personal link of a person named as in Who.Name, or of Screen. The person's earlier link ends.
func (c *Client) Invite(ctx context.Context, who string) (Invitation, error) {
	var out Invitation
	return out, c.Call(ctx, http.MethodPost, "/invite", Who{Name: who}, &out)
}

// Revoke ends the personal link of a person named as in Who.Name, or by id when off the roster; Screen for the screens'.
func (c *Client) Revoke(ctx context.Context, who string) (Done, error) {
	var out Done
	return out, c.Call(ctx, http.MethodPost, "/revoke", Who{Name: who}, &out)
}

// Follow calls fn with every event decided from now on, until fn returns an error, ctx ends, or the daemon does; then
// it returns that error, ctx's, or io.ErrUnexpectedEOF.
func (c *Client) Follow(ctx context.Context, fn func(clerk.Entry) error) error {
	res, err := c.send(ctx, http.MethodGet, "/events?follow", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxEntry)
	for lines.Scan() {
		var e clerk.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("follow the events: %w", err)
	}
	return fmt.Errorf("follow the events: %w", io.ErrUnexpectedEOF)
}

// Call sends in as JSON and reads the answer into out; both may be nil. The methods above use it; what answers at the
// socket beside the daemon, as the demo's desks do, can be reached with it too.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	res, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	return nil
}

// send gives the answer of a request that was not refused.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://plenumd"+path, body)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
			return nil, fmt.Errorf("plenumd does not answer at its socket: %w", op)
		}
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	refusal := &Error{Title: res.Status, Status: res.StatusCode, Detail: "the daemon answered " + res.Status}
	// What is no JSON leaves the words above.
	_ = json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(refusal)
	return nil, refusal
}
