package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"plenum/media/stage"
	"plenum/media/wire"
)

// newPlenumPart is our forwarder: the stage with one member carried and shown, and the WHIP and WHEP host.
func newPlenumPart() part {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	server := &http.Server{}
	open := func() (answer, error) {
		log := slog.New(slog.DiscardHandler)
		st := stage.New(stage.Options{Voices: 1, Log: log})
		st.Transmit(true)
		st.SetWord(wire.SourceID("publisher"))
		if err := st.Carry("publisher", true); err != nil {
			return answer{}, err
		}
		h, err := wire.New(wire.Options{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Stage: st, Log: log})
		if err != nil {
			return answer{}, err
		}
		go func() { done <- h.Run(ctx) }()
		server.Handler = h.Handler(bearer)
		return listen(server)
	}
	return part{
		do: func(q question) (answer, error) {
			if q.Op != "open" {
				return answer{}, fmt.Errorf("forwarder cannot %s", q.Op)
			}
			return open()
		},
		stop: func() {
			server.Close()
			cancel()
			<-done
		},
	}
}

// bearer takes the token for the person.
func bearer(r *http.Request) (wire.Caller, error) {
	person, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return wire.Caller{}, errors.New("no token")
	}
	return wire.Caller{Person: person}, nil
}

// listen serves on a free port of loopback.
func listen(s *http.Server) (answer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return answer{}, err
	}
	go func() { _ = s.Serve(l) }()
	return answer{URL: "http://" + l.Addr().String()}, nil
}
