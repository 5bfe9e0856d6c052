package lab

import (
	"context"
	"fmt"
	"io"
	"sync"

	"plenum/test/lab/frame"
)

// Shell runs a login shell on a terminal in the guest: keys come from in, what it shows goes to out, and sizes tells
// the size of the terminal, first and when it changes. It ends with the shell; a Read of in may then still be waiting.
func (v *VM) Shell(ctx context.Context, in io.Reader, out io.Writer, sizes <-chan frame.Size) error {
	conn, done, err := v.connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	send := &sync.Mutex{}
	if err := frame.WriteJSON(conn, frame.Request, frame.Call{Op: frame.Shell, Size: <-sizes}); err != nil {
		return v.broken(ctx, err)
	}
	go func() {
		for size := range sizes {
			send.Lock()
			err := frame.WriteJSON(conn, frame.Resize, size)
			send.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := in.Read(buf)
			if err != nil {
				return
			}
			send.Lock()
			err = frame.Write(conn, frame.Data, buf[:n])
			send.Unlock()
			if err != nil {
				return
			}
		}
	}()
	for {
		kind, payload, err := frame.Read(conn)
		switch {
		case err != nil:
			return v.broken(ctx, err)
		case kind == frame.Result:
			return nil
		}
		if _, err := out.Write(payload); err != nil {
			return fmt.Errorf("the terminal: %w", err)
		}
	}
}
