// Package frame is the language between the lab's harness and the agent in the guest: one call per connection, all of
// it in frames with a kind and a length, so that what a command prints can never be taken for its end.
package frame

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Kind says what a frame carries.
type Kind byte

// The kinds. The harness sends one Request, then Data, End and Resize as the operation wants them. The agent answers
// with Stdout, Stderr and Data, and ends with one Result.
const (
	Request Kind = 'r' // a Call as JSON
	Data    Kind = 'd' // bytes of a file, or what is typed into a shell
	End     Kind = 'z' // no more Data
	Resize  Kind = 'w' // a Size as JSON
	Stdout  Kind = 'o'
	Stderr  Kind = 'e'
	Result  Kind = 'x' // an Outcome as JSON
)

// Max is the most a frame carries, in bytes.
const Max = 1 << 20

// ErrSize: a frame that is longer than Max; the stream is not ours or out of step.
var ErrSize = errors.New("frame is too long")

// Op is what a Call asks for.
type Op string

// The operations.
const (
	Ping  Op = "ping"  // answers Result at once
	Run   Op = "run"   // Command in bash, output as it comes
	Put   Op = "put"   // Data until End into the file Path
	Get   Op = "get"   // the file Path as Data
	Shell Op = "shell" // a login shell on a terminal of Size
)

// Call is the first frame of a connection.
type Call struct {
	Op      Op            `json:"op"`
	Command string        `json:"command,omitempty"`
	Path    string        `json:"path,omitempty"`
	Mode    uint32        `json:"mode,omitempty"`    // permission bits of Put
	Timeout time.Duration `json:"timeout,omitempty"` // of Run, kept in the guest; 0: none
	Size    Size          `json:"size,omitzero"`
}

// Size is a terminal's, in characters.
type Size struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// Outcome is the last frame of a connection.
type Outcome struct {
	Code     int    `json:"code"`                // exit code; -1 when a signal ended it
	Signal   string `json:"signal,omitempty"`    // which
	TimedOut bool   `json:"timed_out,omitempty"` // it ran longer than Timeout and was killed
	Error    string `json:"error,omitempty"`     // the agent could not do it at all
}

// Write sends one frame in one Write.
func Write(w io.Writer, kind Kind, payload []byte) error {
	if len(payload) > Max {
		return ErrSize
	}
	b := make([]byte, 5+len(payload))
	b[0] = byte(kind)
	binary.BigEndian.PutUint32(b[1:], uint32(len(payload)))
	copy(b[5:], payload)
	_, err := w.Write(b)
	return err
}

// WriteJSON sends v as the payload of one frame.
func WriteJSON(w io.Writer, kind Kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return Write(w, kind, b)
}

// Read takes one frame. io.EOF: the other side ended between two frames; io.ErrUnexpectedEOF: within one.
func Read(r io.Reader) (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > Max {
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrSize, n)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return Kind(head[0]), payload, nil
}

// Writer sends what is written to it as frames of one kind.
type Writer struct {
	To   io.Writer
	Kind Kind
}

// Write implements io.Writer.
func (w Writer) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		n := min(len(p), Max)
		if err := Write(w.To, w.Kind, p[:n]); err != nil {
			return done, err
		}
		done += n
		p = p[n:]
	}
	return done, nil
}

// DataReader reads the Data frames of a stream as bytes, until End.
type DataReader struct {
	From io.Reader
	rest []byte
	done bool
}

// Read implements io.Reader.
func (r *DataReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.done {
			return 0, io.EOF
		}
		kind, payload, err := Read(r.From)
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.ErrUnexpectedEOF // a file is whole only with its End
		case err != nil:
			return 0, err
		case kind == End:
			r.done = true
		case kind == Data:
			r.rest = payload
		default:
			return 0, fmt.Errorf("frame %q amid data", byte(kind))
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
