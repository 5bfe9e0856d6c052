package lab

import (
	"math/rand/v2"
	"sync"

	"plenum/test/lab/nbd"
)

// losing is a disk that loses in a cut what the guest has not flushed.
type losing struct {
	disk   *nbd.Disk
	server *nbd.Server

	mu   sync.Mutex
	loss nbd.Loss
	err  error
}

func newLosing(image, socket string) (*losing, error) {
	d, err := nbd.Open(image)
	if err != nil {
		return nil, err
	}
	s, err := nbd.Serve(d, socket)
	if err != nil {
		d.Close()
		return nil, err
	}
	return &losing{disk: d, server: s}, nil
}

func (l *losing) close() {
	l.server.Close()
	l.disk.Close()
}

// cut ends QEMU. A disk loses nothing when a guest has ended by itself: it had its power all the time.
func (l *losing) cut(p *process) {
	select {
	case <-p.exited:
		p.kill()
		return
	default:
	}
	l.server.Hold()
	p.kill()
	loss, err := l.disk.Cut(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loss, l.err = loss, err
}

// Loss is what the last PowerCut has taken from a disk that is Losing.
func (v *VM) Loss() (nbd.Loss, error) {
	if v.disk == nil {
		return nbd.Loss{}, nil
	}
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	return v.disk.loss, v.disk.err
}

// Written is how many blocks of 4 KiB the guest has written to a disk that is Losing, over all boots: how far it has got in what
// it does, whatever the time it takes.
func (v *VM) Written() uint64 {
	if v.disk == nil {
		return 0
	}
	return v.disk.disk.Written()
}
