package line

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
)

// Times of the guard.
const (
	// holdTime is how long the guard drives the safe states after its daemon died. A line that nobody holds falls back
	// to what the chip does by itself, so that a daemon started anew should have it before.
	holdTime = 2 * time.Second
	// claimTime is how long lines that are in use are asked for again: the guard of a daemon that died still holds them.
	claimTime  = 5 * time.Second
	claimPause = 100 * time.Millisecond
)

// pin is a claimed output.
type pin interface {
	set(on bool) error
	get() (bool, error)
	close() error
}

// claimer claims one output, in the state given.
type claimer func(o Output, now bool) (pin, error)

// Guard holds the outputs of a daemon that speaks to it over r and w, until that daemon says good-bye or is gone. It is
// the whole work of a process of its own, which the daemon starts (see Options.Guard). At the daemon's death it drives all
// safe states at once, holds them for 2 s, and returns; the error tells what it could not do.
//
// Signals that end a whole control group must not take it before its work is done, so it ignores them, and writing to
// a pipe nobody reads is only an error. The end of ctx counts as the daemon's death.
func Guard(ctx context.Context, r io.Reader, w io.Writer) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	return guard(ctx, r, w, claimOutput)
}

// claimOutput finds and claims a line.
func claimOutput(o Output, now bool) (pin, error) {
	p, err := scan().find(o.Line)
	if err != nil {
		return nil, err
	}
	config := uapi.LineConfig{Flags: uapi.LineFlagV2Output}
	if o.ActiveLow {
		config.Flags |= uapi.LineFlagV2ActiveLow
	}
	config.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.OutputValues(bit(now)).Encode(), Mask: 1})
	w, err := request(p, o.Line, config, 0)
	if err != nil {
		return nil, err // not w, which would be a pin that is not nil
	}
	return w, nil
}

// errBye: the daemon said good-bye.
var errBye = errors.New("good-bye")

// guard is Guard with the hardware given.
func guard(ctx context.Context, r io.Reader, w io.Writer, claim claimer) error {
	orders := make(chan order)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(orders) // the daemon is gone, or speaks another language, which is no better
		for in := bufio.NewScanner(r); in.Scan(); {
			o, err := parseOrder(in.Text())
			if err != nil {
				return
			}
			select {
			case orders <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	g := &warden{w: w, orders: orders, claim: claim}
	err := g.setUp(ctx)
	if err == nil {
		err = g.serve(ctx)
	}
	if len(g.held) == 0 {
		return err
	}
	safe := g.safe()
	switch {
	case errors.Is(err, errBye):
		if safe != nil {
			return errors.Join(g.fail(safe), g.release())
		}
		return errors.Join(g.say(answer{verb: verbSafe}), g.release())
	case err == nil: // the daemon is gone
		time.Sleep(holdTime)
		return errors.Join(safe, g.release())
	}
	return errors.Join(err, g.release()) // a chip is gone; its lines cannot be safe, the others are
}

// warden is the guard's state: what is to be held, and what is.
type warden struct {
	w      io.Writer
	orders <-chan order
	claim  claimer
	want   []order // verbLine
	held   []pin   // of want, in order; all or none
}

// setUp learns which lines to hold and claims them. No error and nothing held means that the daemon is gone.
func (g *warden) setUp(ctx context.Context) error {
	for {
		o, ok := g.next(ctx)
		switch {
		case !ok:
			return nil
		case o.verb == verbLine:
			g.want = append(g.want, o)
			continue
		case o.verb != verbGo:
			return g.fail(fmt.Errorf("%w: %s before go", errProtocol, o.verb))
		}
		break
	}
	giveUp := time.Now().Add(claimTime)
	for {
		err := g.claimAll()
		if err == nil {
			return g.say(answer{verb: verbHeld})
		}
		if !errors.Is(err, ErrBusy) || time.Now().After(giveUp) {
			return g.fail(err)
		}
		select {
		case <-time.After(claimPause):
		case _, ok := <-g.orders:
			if !ok {
				return nil
			}
			return g.fail(fmt.Errorf("%w: an order before the lines are held", errProtocol))
		case <-ctx.Done():
			return nil
		}
	}
}

func (g *warden) next(ctx context.Context) (order, bool) {
	select {
	case o, ok := <-g.orders:
		return o, ok
	case <-ctx.Done():
		return order{}, false
	}
}

func (g *warden) claimAll() error {
	for _, want := range g.want {
		p, err := g.claim(want.output, want.now)
		if err != nil {
			return errors.Join(fmt.Errorf("output %q on line %q: %w", want.output.Name, want.output.Line, err), g.release())
		}
		g.held = append(g.held, p)
	}
	return nil
}

func (g *warden) release() error {
	var failed error
	for _, p := range g.held {
		failed = errors.Join(failed, p.close())
	}
	g.held = nil
	return failed
}

// serve carries orders out. It gives errBye, nil when the daemon is gone, or why the guard cannot go on.
func (g *warden) serve(ctx context.Context) error {
	look := time.NewTicker(probeEvery)
	defer look.Stop()
	for {
		select {
		case o, ok := <-g.orders:
			if !ok {
				return nil
			}
			if err := g.obey(o); err != nil {
				return err
			}
		case <-look.C: // nobody tells when a chip is unplugged
			for i, p := range g.held {
				if _, err := p.get(); err != nil {
					return g.fail(g.failed(i, err))
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (g *warden) failed(i int, err error) error {
	o := g.want[i].output
	return fmt.Errorf("output %q on line %q: %w", o.Name, o.Line, err)
}

func (g *warden) obey(o order) error {
	switch o.verb {
	case verbSet:
		return g.set(o)
	case verbGet:
		a := answer{verb: verbState, seq: o.seq}
		for i, p := range g.held {
			if on, err := p.get(); err == nil {
				a.states = append(a.states, named{g.want[i].output.Name, on})
			}
		}
		return g.say(a)
	case verbBye:
		return errBye
	}
	return g.fail(fmt.Errorf("%w: %s after go", errProtocol, o.verb))
}

func (g *warden) set(o order) error {
	i := slices.IndexFunc(g.want, func(w order) bool { return w.output.Name == o.name })
	if i < 0 {
		return g.say(answer{verb: verbRefused, seq: o.seq, kind: kindOf(ErrConfig), text: ErrConfig.Error() + ": no such output"})
	}
	err := g.held[i].set(o.on)
	var on bool
	if err == nil {
		on, err = g.held[i].get()
	}
	if err != nil {
		return g.say(answer{verb: verbRefused, seq: o.seq, kind: kindOf(err), text: g.failed(i, err).Error()})
	}
	return g.say(answer{verb: verbDone, seq: o.seq, on: on})
}

// safe drives all safe states, each whatever became of the others, and reads them back.
func (g *warden) safe() error {
	var failed error
	for i, p := range g.held {
		want := g.want[i].output.Safe
		err := p.set(want)
		if err == nil {
			var on bool
			if on, err = p.get(); err == nil && on != want {
				err = ErrReadback
			}
		}
		if err != nil {
			failed = errors.Join(failed, g.failed(i, err))
		}
	}
	return failed
}

// say answers the daemon. When it does not listen any more, the end of its orders follows, and that is what counts.
func (g *warden) say(a answer) error {
	_, _ = io.WriteString(g.w, a.String()+"\n")
	return nil
}

// fail tells the daemon why the guard ends, and gives the same error.
func (g *warden) fail(err error) error {
	return errors.Join(err, g.say(answer{verb: verbFailed, kind: kindOf(err), text: err.Error()}))
}
