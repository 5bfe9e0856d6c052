package line

import "slices"

// queueSize is how many events wait for a reader who is busy: seconds of a bouncing contact.
const queueSize = 256

// queue holds events for a slow reader. When it is full, a line's newest state takes the place of the one before it and
// is marked Lost: what is dropped are changes in between, never where a line ended.
type queue struct {
	waiting []Event
	dropped uint64
}

func (q *queue) push(e Event) {
	if len(q.waiting) >= queueSize {
		for i, w := range slices.Backward(q.waiting) {
			if w.Name == e.Name {
				e.Lost = true
				q.waiting[i] = e
				q.dropped++
				return
			}
		}
	}
	q.waiting = append(q.waiting, e) // beyond the size by one event per line at most
}

// head gives the first event and a channel to send it to, or a nil channel when there is none.
func (q *queue) head(out chan Event) (chan<- Event, Event) {
	if len(q.waiting) == 0 {
		return nil, Event{}
	}
	return out, q.waiting[0]
}

func (q *queue) pop() { q.waiting = q.waiting[1:] }
