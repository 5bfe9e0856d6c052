package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"plenum/device/config"
	"plenum/device/health"
	"plenum/device/sitting"
	"plenum/hal/desk"
)

// orderQueue bounds the orders of a kind that wait for one desk system. A serial line carries some 100 orders a second;
// what is more than this is made good by ordering everything anew.
const orderQueue = 1024

// heardBy is how long after the desk is live every unit that is there has been heard (Quinta: a status every 20 s).
const heardBy = 65 * time.Second

// doer takes events into the sitting and answers when they are decided.
type doer func(ctx context.Context, e sitting.Event) error

// deskSystem translates between one desk system and the sitting: keys to events, effects to orders. It decides
// nothing.
type deskSystem struct {
	name   string
	driver desk.Driver
	keys   map[sitting.SeatID]desk.Key
	seats  map[desk.Key]sitting.SeatID
	mics   chan sitting.Effect
	lamps  chan sitting.Effect
	do     doer
	state  func() sitting.State
	board  *health.Board
	log    *slog.Logger
	live   atomic.Bool
	away   bool        // the sitting knows that the desk is away; the listener's own
	lost   atomic.Bool // orders found the queue full
}

func newDeskSystem(c config.Desk, driver desk.Driver, do doer, state func() sitting.State, board *health.Board, log *slog.Logger) *deskSystem {
	d := &deskSystem{
		name: c.Name, driver: driver, do: do, state: state, board: board, log: log.With("desk", c.Name),
		keys: map[sitting.SeatID]desk.Key{}, seats: map[desk.Key]sitting.SeatID{},
		mics: make(chan sitting.Effect, orderQueue), lamps: make(chan sitting.Effect, orderQueue),
	}
	for _, s := range c.Seats {
		key := desk.Key{ID: s.Unit, Side: s.Side}
		d.keys[sitting.SeatID(s.Seat)], d.seats[key] = key, sitting.SeatID(s.Seat)
	}
	return d
}

// serves reports whether the seat belongs to this desk system.
func (d *deskSystem) serves(seat sitting.SeatID) bool {
	_, ok := d.keys[seat]
	return ok
}

// order queues an effect for the desk. It never blocks: the clerk calls it.
func (d *deskSystem) order(e sitting.Effect) {
	queue := d.mics
	if e.Kind == sitting.EffectLamp {
		queue = d.lamps
	}
	select {
	case queue <- e:
	default:
		if !d.lost.Swap(true) {
			d.log.Error("orders for the desk found no place; everything will be ordered anew")
		}
	}
}

// run starts the listener and the worker under the supervisor, and the driver itself.
func (d *deskSystem) run(ctx context.Context, sup *supervisor) {
	sup.keep(ctx, device{id: health.ID(health.Desk, d.name), name: "desk " + d.name, run: d.driver.Run})
	sup.wg.Go(func() { d.listen(ctx) })
	sup.wg.Go(func() { d.work(ctx) })
}

// listen hands what the desk reports to the sitting, in the order in which it came.
func (d *deskSystem) listen(ctx context.Context) {
	var last uint64
	heard := time.NewTimer(heardBy)
	defer heard.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard.C:
			d.missing(ctx)
		case ev := <-d.driver.Events():
			if last != 0 && ev.Seq != last+1 {
				d.log.Warn("desk events were lost, comparing with a snapshot", "lost", ev.Seq-last-1)
				d.compare(ctx, true)
			}
			last = ev.Seq
			if ev.Kind == desk.KindLink {
				heard.Reset(heardBy)
			}
			d.report(ctx, ev)
		}
	}
}

// report translates one event.
func (d *deskSystem) report(ctx context.Context, ev desk.Event) {
	e := sitting.Event{At: ev.At, On: ev.On}
	switch ev.Kind {
	case desk.KindLink:
		d.link(ctx, ev)
		return
	case desk.KindPriority:
		e.Kind, e.Priority = sitting.KindPriority, sitting.Priority(ev.Priority)
	case desk.KindMic:
		if ev.Origin == desk.OriginEcho {
			return // the order's own result says so
		}
		e.Kind = sitting.KindMic
	case desk.KindRequest:
		if ev.Origin == desk.OriginEcho {
			return // we took it back ourselves
		}
		e.Kind = sitting.KindRequest
		if !ev.On {
			e.Kind, e.On = sitting.KindLower, false
		}
		e.Origin, e.On = sitting.OriginDesk, false
	case desk.KindSeat:
		e.Kind = sitting.KindSeat
	default:
		d.log.Debug("desk says", "kind", ev.Kind, "unit", ev.Key, "text", ev.Text)
		return
	}
	if ev.Kind != desk.KindPriority {
		seat, ok := d.seats[ev.Key]
		if !ok {
			d.log.Warn("a unit that is not in the configuration: add it to [[desk.seat]]", "unit", ev.Key.String())
			return
		}
		e.Seat = seat
	}
	d.tell(ctx, e)
}

func (d *deskSystem) tell(ctx context.Context, e sitting.Event) {
	e.By = sitting.Actor{Role: sitting.RoleBox}
	err := d.do(ctx, e)
	if err == nil || ctx.Err() != nil {
		return
	}
	d.log.Debug("the sitting did not take it", "kind", e.Kind, "seat", e.Seat, "reason", err)
	if e.Kind == sitting.KindRequest { // the desk must not go on showing a request that is on no list
		d.order(sitting.Effect{Kind: sitting.EffectLamp, Seat: e.Seat, Lamp: d.state().LampAt(e.Seat)})
	}
}

// link passes the state of the line on. A desk that comes back is compared first, so that the sitting knows who is
// there before it orders microphones again.
func (d *deskSystem) link(ctx context.Context, ev desk.Event) {
	live := ev.Link == desk.LinkLive || ev.Link == desk.LinkDegraded
	// Orders pass from here on: what the comparison finds open without the word must be closed.
	if was := d.live.Swap(live); live && !was {
		d.compare(ctx, false)
	}
	// A desk that stays away is tried every few seconds; that is one loss, not a loss and a hope each time.
	trying := ev.Link == desk.LinkConnecting || ev.Link == desk.LinkSyncing
	if trying && d.away {
		return
	}
	d.away = ev.Link == desk.LinkDown
	d.log.Info("desk link", "link", ev.Link, "text", ev.Text)
	d.note(ev)
	d.tell(ctx, sitting.Event{Kind: sitting.KindDesk, At: ev.At,
		Desk: &sitting.Desk{Name: d.name, Link: sitting.Link(ev.Link), Reason: ev.Text}})
}

// note puts the state of the line on the board. A desk that grants by itself answers, and nothing that is decided here
// happens there.
func (d *deskSystem) note(ev desk.Event) {
	id, state, reason := health.ID(health.Desk, d.name), health.Lost, ev.Text
	switch ev.Link {
	case desk.LinkLive:
		state, reason = health.Live, ""
	case desk.LinkDegraded:
		state = health.Degraded
	case desk.LinkStandalone:
		reason = cmp.Or(ev.Text, "the desk grants by itself: set it to PC-controlled mode")
	case desk.LinkConnecting, desk.LinkSyncing:
		return // not decided yet
	}
	d.board.Set(id, state, d.driver.Caps().Dialect, reason)
}

// compare takes the desk's own state and tells the sitting what differs. Nothing in it counts as a new press, but when
// events were lost: then somebody who waits at the desk and is not on the list pressed while nobody listened.
func (d *deskSystem) compare(ctx context.Context, lost bool) {
	snap, err := d.driver.Snapshot(ctx)
	if err != nil {
		d.log.Warn("no snapshot of the desk", "error", err)
		return
	}
	if lost {
		d.live.Store(snap.Link == desk.LinkLive || snap.Link == desk.LinkDegraded)
	}
	for _, seat := range snap.Seats {
		if id, ok := d.seats[seat.Key]; ok {
			for _, e := range differences(d.state(), id, seat, lost) {
				e.At = snap.At
				d.tell(ctx, e)
			}
		}
	}
}

// differences are what the sitting must be told of one seat.
func differences(s sitting.State, id sitting.SeatID, seat desk.Seat, lost bool) []sitting.Event {
	var es []sitting.Event
	p, sits := s.AtSeat(id)
	if sits && p.SeatOnline != seat.Online {
		es = append(es, sitting.Event{Kind: sitting.KindSeat, Seat: id, On: seat.Online})
	}
	i := slices.IndexFunc(s.Speakers, func(sp sitting.Speaker) bool { return sp.Seat == id })
	faulty := slices.ContainsFunc(s.Faults, func(f sitting.Fault) bool { return f.Seat == id })
	switch {
	case seat.Open && i < 0, !seat.Open && faulty, lost && !seat.Open && i >= 0:
		es = append(es, sitting.Event{Kind: sitting.KindMic, Seat: id, On: seat.Open})
	}
	waits := seat.Request && !seat.Open && sits && p.Role != sitting.RoleChair && s.Speaking(p.ID) < 0 && s.Waiting(p.ID) < 0
	if waits && lost {
		es = append(es, sitting.Event{Kind: sitting.KindRequest, Origin: sitting.OriginDesk, Seat: id})
	}
	return es
}

// missing tells of units the sitting knew before a restart and that have not been heard since.
func (d *deskSystem) missing(ctx context.Context) {
	if !d.live.Load() {
		return
	}
	snap, err := d.driver.Snapshot(ctx)
	if err != nil {
		return
	}
	online := map[desk.Key]bool{}
	for _, seat := range snap.Seats {
		online[seat.Key] = seat.Online
	}
	for _, p := range d.state().Roster {
		if key, ok := d.keys[p.Seat]; ok && p.SeatOnline && !online[key] {
			d.tell(ctx, sitting.Event{Kind: sitting.KindSeat, Seat: p.Seat, At: snap.At})
		}
	}
}

// work carries out orders one after the other, as the line does; microphones before lamps.
func (d *deskSystem) work(ctx context.Context) {
	for {
		if d.lost.Swap(false) {
			d.orderAnew(ctx)
		}
		select {
		case e := <-d.mics:
			d.mic(ctx, e)
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return
		case e := <-d.mics:
			d.mic(ctx, e)
		case e := <-d.lamps:
			d.lamp(ctx, e)
		}
	}
}

// orderAnew brings the desk in line with the sitting after orders were lost. What still waits is older than that.
func (d *deskSystem) orderAnew(ctx context.Context) {
	for range len(d.mics) {
		<-d.mics
	}
	for range len(d.lamps) {
		<-d.lamps
	}
	if r := d.driver.AllOff(ctx); r.Outcome != desk.Confirmed {
		d.log.Error("microphones may be open that should not be", "reason", reason(r))
	}
	for _, e := range sitting.Outputs(d.state()) {
		if e.Kind == sitting.EffectMic && d.serves(e.Seat) {
			d.mic(ctx, e)
		}
	}
}

// tries is how often a microphone is told what to do.
const tries = 3

func (d *deskSystem) mic(ctx context.Context, e sitting.Effect) {
	// Without a live line there is nobody to tell; when it comes back the desk is compared and the sitting orders again
	// what it wants.
	if !d.live.Load() {
		return
	}
	var r desk.Result
	for range tries {
		if e.On && !d.state().Hears(e.Grant) {
			return // taken back before the line got to it; its closing is on the way too
		}
		r = d.driver.SetMic(ctx, d.keys[e.Seat], e.On)
		if r.Outcome == desk.Confirmed {
			break
		}
		there, broken := d.look(ctx, e)
		if ctx.Err() != nil || broken {
			return
		}
		if there {
			d.log.Info("the desk gave no answer and did it", "seat", e.Seat, "on", e.On, "reason", r.Reason)
			r = desk.Result{Outcome: desk.Confirmed}
			break
		}
	}
	ev := sitting.Event{Kind: sitting.KindMic, Seat: e.Seat, On: e.On, Grant: e.Grant}
	if r.Outcome != desk.Confirmed {
		ev.Kind, ev.Reason = sitting.KindMicFail, reason(r)
		d.log.Warn("the desk did not do it", "seat", e.Seat, "on", e.On, "outcome", r.Outcome, "reason", r.Reason)
	}
	d.tell(ctx, ev)
}

// look asks the desk what became of an order that it did not confirm: whether the microphone is as ordered all the same,
// or the line has gone. Then the order has not failed: whoever has the word keeps it, and the microphone is ordered again
// when the desk is back.
func (d *deskSystem) look(ctx context.Context, e sitting.Effect) (done, broken bool) {
	snap, err := d.driver.Snapshot(ctx) // without a line it carries what is known, and no error
	if snap.Link != desk.LinkLive && snap.Link != desk.LinkDegraded {
		return false, true
	}
	i := slices.IndexFunc(snap.Seats, func(s desk.Seat) bool { return s.Key == d.keys[e.Seat] })
	// Open is what the desk has said last, even when it does not answer now. Closed may be what it has not said yet.
	return i >= 0 && snap.Seats[i].Open == e.On && (e.On || err == nil), false
}

func reason(r desk.Result) string {
	if r.Reason != "" {
		return r.Reason
	}
	return fmt.Sprintf("the desk's answer: %s", r.Outcome)
}

// lamp shows a seat its state, or at least ends the blinking of a request that is no more.
func (d *deskSystem) lamp(ctx context.Context, e sitting.Effect) {
	if !d.live.Load() || d.state().LampAt(e.Seat) != e.Lamp {
		return // overtaken: the seat shows something else by now
	}
	key := d.keys[e.Seat]
	if lamps, ok := d.driver.(desk.Indicator); ok {
		lamps.Indicate(ctx, key, desk.Lamp(e.Lamp))
		return
	}
	if e.Lamp == sitting.LampOff {
		d.driver.SetRequest(ctx, key, false)
	}
}
