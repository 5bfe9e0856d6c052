package line

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Times of the daemon's side.
const (
	answerTime = 2 * time.Second        // an order that has no answer by then has failed
	writeTime  = 500 * time.Millisecond // a guard that takes no orders is stuck in the kernel
	startTime  = claimTime + 5*time.Second
	endTime    = holdTime + 3*time.Second
)

// keeper is the daemon's side of a running guard.
type keeper struct {
	cmd    *exec.Cmd
	orders *os.File // closing it tells the guard that we are gone
	held   chan struct{}
	gone   chan struct{} // closed when the guard says no more
	reaped chan struct{} // closed when its process is gone, too

	mu      sync.Mutex // guards what follows
	seq     uint64
	waiting map[uint64]chan<- answer
	safe    bool  // it said that all outputs have their safe states
	err     error // why it ended
}

// startGuard starts a guard and waits until it holds the outputs, each in its first state.
func startGuard(ctx context.Context, argv []string, outputs []Output, first []bool) (*keeper, error) {
	k := &keeper{
		held: make(chan struct{}), gone: make(chan struct{}), reaped: make(chan struct{}), waiting: map[uint64]chan<- answer{},
	}
	answers, err := k.launch(argv)
	if err != nil {
		return nil, fmt.Errorf("start the guard of the outputs: %w", err)
	}
	go k.listen(answers)
	for i, o := range outputs {
		err = errors.Join(err, k.write(order{verb: verbLine, output: o, now: first[i]}))
	}
	if err = errors.Join(err, k.write(order{verb: verbGo})); err == nil {
		err = k.awaitHeld(ctx)
	}
	if err != nil {
		k.dismiss()
		return nil, err
	}
	return k, nil
}

// launch starts the process and gives the pipe of its answers. The path /proc/self/exe is this very program even when an
// update has put another one in its place, which may speak another language.
func (k *keeper) launch(argv []string) (*os.File, error) {
	if len(argv) == 0 {
		argv = []string{"/proc/self/exe", "line-guard"}
	}
	theirOrders, ourOrders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ourAnswers, theirAnswers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirOrders.Close(), ourOrders.Close())
	}
	k.cmd = exec.Command(argv[0], argv[1:]...)
	if argv[0] == "/proc/self/exe" {
		k.cmd.Args[0] = cmp.Or(os.Args[0], argv[0]) // what ps shows
	}
	k.cmd.Stdin, k.cmd.Stdout, k.cmd.Stderr = theirOrders, theirAnswers, os.Stderr
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C at the terminal is not for the guard
	err = k.cmd.Start()
	if err = errors.Join(err, theirOrders.Close(), theirAnswers.Close()); err != nil {
		return nil, errors.Join(err, ourOrders.Close(), ourAnswers.Close())
	}
	k.orders = ourOrders
	return ourAnswers, nil
}

func (k *keeper) awaitHeld(ctx context.Context) error {
	limit := time.NewTimer(startTime)
	defer limit.Stop()
	select {
	case <-k.held:
		return nil
	case <-k.gone:
		return k.failure()
	case <-limit.C:
		return fmt.Errorf("%w: it did not get hold of the lines within %v", ErrGuard, startTime)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// listen takes answers until the guard ends, and buries it.
func (k *keeper) listen(answers *os.File) {
	for in := bufio.NewScanner(answers); in.Scan(); {
		a, err := parseAnswer(in.Text())
		if err == nil {
			err = k.take(a)
		}
		if err != nil {
			k.fail(err)
			break
		}
	}
	_ = answers.Close() // was only read from
	_ = k.orders.Close()
	close(k.gone)
	if err := k.cmd.Wait(); err != nil {
		k.fail(fmt.Errorf("%w: %v", ErrGuard, err))
	}
	close(k.reaped)
}

func (k *keeper) take(a answer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch a.verb {
	case verbHeld:
		select {
		case <-k.held:
			return fmt.Errorf("%w: held twice", errProtocol)
		default:
			close(k.held)
		}
	case verbSafe:
		k.safe = true
	case verbFailed:
		return a.err()
	default:
		if waiting := k.waiting[a.seq]; waiting != nil {
			delete(k.waiting, a.seq)
			waiting <- a // has room for its only answer
		}
	}
	return nil
}

// fail remembers the first reason.
func (k *keeper) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = err
	}
}

// failure tells why the guard ended.
func (k *keeper) failure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return cmp.Or(k.err, ErrGuard)
}

// send sends an order that has an answer.
func (k *keeper) send(o order) (*pending, error) {
	p := &pending{k, make(chan answer, 1)}
	k.mu.Lock()
	k.seq++
	o.seq = k.seq
	k.waiting[o.seq] = p.answer
	k.mu.Unlock()
	return p, k.write(o)
}

func (k *keeper) write(o order) error {
	err := k.orders.SetWriteDeadline(time.Now().Add(writeTime))
	if err == nil {
		_, err = k.orders.WriteString(o.String() + "\n")
	}
	if err != nil {
		return fmt.Errorf("%w: it takes no orders: %v", ErrGuard, err)
	}
	return nil
}

// pending is an order on its way.
type pending struct {
	k      *keeper
	answer chan answer
}

func (p *pending) wait() (answer, error) {
	limit := time.NewTimer(answerTime)
	defer limit.Stop()
	select {
	case a := <-p.answer:
		return a, nil
	case <-p.k.gone:
		select {
		case a := <-p.answer: // it came before the end
			return a, nil
		default:
			return answer{}, p.k.failure()
		}
	case <-limit.C:
		return answer{}, fmt.Errorf("%w: no answer within %v", ErrGuard, answerTime)
	}
}

// confirm waits for the answer to a set and tells whether the line followed.
func (p *pending) confirm(on bool) error {
	a, err := p.wait()
	switch {
	case err != nil:
		return err
	case a.verb == verbRefused:
		return a.err()
	case a.verb != verbDone:
		return fmt.Errorf("%w: %s", errProtocol, a.verb)
	case a.on != on:
		return ErrReadback
	}
	return nil
}

// stop has the guard drive the safe states and end. It returns when the guard is gone.
func (k *keeper) stop() error {
	k.dismiss()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.safe {
		return nil
	}
	return cmp.Or(k.err, ErrGuard)
}

// dismiss says good-bye and waits for the guard's end, up to a limit: a process that is stuck in the kernel cannot even be
// killed.
func (k *keeper) dismiss() {
	_ = k.write(order{verb: verbBye}) // one that is gone needs no good-bye
	_ = k.orders.Close()
	select {
	case <-k.reaped:
		return
	case <-time.After(endTime):
	}
	_ = k.cmd.Process.Kill() // no error but that it has ended meanwhile
	select {
	case <-k.reaped:
	case <-time.After(time.Second):
	}
}
