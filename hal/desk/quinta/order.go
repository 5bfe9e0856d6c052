package quinta

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"plenum/hal/desk"
)

// maxOrders is how many orders may wait; a sitting makes a handful at a time.
const maxOrders = 64

type orderKind uint8

const (
	orderMic orderKind = iota
	orderDropRequest
	orderAllOff
	orderCompare
)

// order is one thing to be done at the desk.
type order struct {
	what   orderKind
	key    desk.Key
	unit   uint32
	on     bool
	result chan desk.Result // holds one; the first result counts
}

// done ends the order. Only the first call counts.
func (o *order) done(r desk.Result) {
	select {
	case o.result <- r:
	default:
	}
}

// queue holds the orders that wait for their turn.
type queue struct {
	wake chan struct{} // a token: there may be something to take

	mu      sync.Mutex
	waiting []*order
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// do queues an order and waits for its end, at most two time-outs: the order before it may be waiting for its prompt.
// An order given up before it was sent is Refused, for it certainly was not done; one given up later is Unknown.
func (q *queue) do(ctx context.Context, o order) desk.Result {
	o.result = make(chan desk.Result, 1)
	if !q.put(&o) {
		return refused("too many orders are waiting for the desk")
	}
	limit := time.NewTimer(2 * promptTimeout)
	defer limit.Stop()
	why := "the desk did not answer in time"
	select {
	case r := <-o.result:
		return r
	case <-limit.C:
	case <-ctx.Done():
		why = "given up: " + context.Cause(ctx).Error()
	}
	if q.drop(&o) {
		return refused(why + ", the order was not sent")
	}
	select {
	case r := <-o.result:
		return r
	default:
		return unknown(why)
	}
}

// put queues an order. Everything off goes first and takes the place of orders to open.
func (q *queue) put(o *order) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o.what == orderAllOff {
		q.waiting = slices.DeleteFunc(q.waiting, func(w *order) bool {
			opens := w.what == orderMic && w.on
			if opens {
				w.done(refused("all microphones were ordered off meanwhile"))
			}
			return opens
		})
	}
	switch {
	case o.what == orderAllOff:
		q.waiting = slices.Insert(q.waiting, 0, o)
	case len(q.waiting) >= maxOrders:
		return false
	default:
		q.waiting = append(q.waiting, o)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// take gives the next order, nil if there is none.
func (q *queue) take() *order {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	o := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	return o
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}

// drop takes an order out again; false: it was taken to be sent.
func (q *queue) drop(o *order) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, o)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return i >= 0
}

// fail ends all waiting orders: they were not sent.
func (q *queue) fail(why string) {
	for o := q.take(); o != nil; o = q.take() {
		o.done(refused(why))
	}
}

// parseKey reads a key in any spelling of its number and gives our own.
func parseKey(key desk.Key) (uint32, desk.Key, bool) {
	n, err := strconv.ParseUint(key.ID, 16, 32)
	ok := err == nil && n >= 1 && n <= 0xFFFFFF && (key.Side == "" || key.Side == "L" || key.Side == "R")
	return uint32(n), desk.Key{ID: idOf(uint32(n)), Side: key.Side}, ok
}
