package nbd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Numbers of the protocol (NetworkBlockDevice/nbd, doc/proto.md): fixed newstyle negotiation, simple replies.
const (
	magicHello   = 0x4e42444d41474943 // NBDMAGIC
	magicOption  = 0x49484156454f5054 // IHAVEOPT
	magicAnswer  = 0x0003e889045565a9
	magicRequest = 0x25609513
	magicReply   = 0x67446698

	optAbort, optGo         = 2, 7
	repAck, repInfo         = 1, 3
	repUnsupported          = 1<<31 | 1
	infoExport              = 0
	flagsHello              = 1 | 2          // fixed newstyle, no zeroes
	flagsDisk               = 1 | 4 | 8 | 64 // has flags, flush, FUA, write zeroes
	cmdRead, cmdWrite       = 0, 1
	cmdDisconnect, cmdFlush = 2, 3
	cmdZero                 = 6
	cmdFUA                  = 1 // flag of a command: flushed before the reply
	errIO, errInvalid       = 5, 22

	most = 64 << 20 // bytes of one request
)

// Server gives a disk to one QEMU after the other.
type Server struct {
	disk   *Disk
	listen net.Listener
	wg     sync.WaitGroup

	mu     sync.Mutex
	conn   net.Conn // nil: nobody is connected
	closed bool
}

// Serve listens on a unix socket.
func Serve(d *Disk, path string) (*Server, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	s := &Server{disk: d, listen: l}
	s.wg.Go(s.accept)
	return s, nil
}

// Close ends the connection and the socket, and waits for both.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.listen.Close()
	s.Hold()
	s.wg.Wait()
}

// Hold takes the disk away from QEMU at this very moment: nothing of what it has asked for and not been answered will be
// done. The next connection is a new one.
func (s *Server) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

func (s *Server) accept() {
	for {
		c, err := s.listen.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conn = c
		if s.closed {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Go(func() {
			defer c.Close()
			if err := negotiate(c, s.disk.Size()); err == nil {
				s.transmit(c)
			}
		})
	}
}

// negotiate goes through the client's options until it has the disk.
func negotiate(c io.ReadWriter, size int64) error {
	hello := binary.BigEndian.AppendUint64(nil, magicHello)
	hello = binary.BigEndian.AppendUint64(hello, magicOption)
	if _, err := c.Write(binary.BigEndian.AppendUint16(hello, flagsHello)); err != nil {
		return err
	}
	if err := binary.Read(c, binary.BigEndian, new(uint32)); err != nil { // its flags: the same two
		return err
	}
	for {
		var head struct {
			Magic          uint64
			Option, Length uint32
		}
		if err := binary.Read(c, binary.BigEndian, &head); err != nil {
			return err
		}
		if head.Magic != magicOption || head.Length > 1<<16 {
			return errors.New("not an option")
		}
		if _, err := io.CopyN(io.Discard, c, int64(head.Length)); err != nil {
			return err
		}
		switch head.Option {
		case optGo: // whatever its name: there is one disk
			export := binary.BigEndian.AppendUint16(nil, infoExport)
			export = binary.BigEndian.AppendUint64(export, uint64(size))
			export = binary.BigEndian.AppendUint16(export, flagsDisk)
			if err := answer(c, head.Option, repInfo, export); err != nil {
				return err
			}
			return answer(c, head.Option, repAck, nil)
		case optAbort:
			_ = answer(c, head.Option, repAck, nil)
			return errors.New("the client gave up")
		}
		if err := answer(c, head.Option, repUnsupported, nil); err != nil {
			return err
		}
	}
}

func answer(w io.Writer, option, kind uint32, data []byte) error {
	b := binary.BigEndian.AppendUint64(nil, magicAnswer)
	b = binary.BigEndian.AppendUint32(b, option)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	_, err := w.Write(append(b, data...))
	return err
}

// request is what QEMU wants.
type request struct {
	Magic  uint32
	Flags  uint16
	Kind   uint16
	Cookie uint64
	Offset uint64
	Length uint32
}

// transmit takes requests one after the other until the connection ends.
func (s *Server) transmit(c net.Conn) {
	r := bufio.NewReaderSize(c, 1<<20)
	for {
		var q request
		if err := binary.Read(r, binary.BigEndian, &q); err != nil || q.Magic != magicRequest || q.Kind == cmdDisconnect {
			return
		}
		var data []byte
		if q.Kind == cmdWrite {
			if q.Length > most {
				return
			}
			data = make([]byte, q.Length)
			if _, err := io.ReadFull(r, data); err != nil {
				return
			}
		}
		got, code := s.do(c, q, data)
		b := binary.BigEndian.AppendUint32(nil, magicReply)
		b = binary.BigEndian.AppendUint32(b, code)
		b = binary.BigEndian.AppendUint64(b, q.Cookie)
		if _, err := c.Write(append(b, got...)); err != nil {
			return
		}
	}
}

// do executes a request, unless the disk was taken away.
func (s *Server) do(c net.Conn, q request, data []byte) (got []byte, code uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return nil, errIO
	}
	if q.Length > most || q.Offset > uint64(s.disk.Size()) || q.Offset+uint64(q.Length) > uint64(s.disk.Size()) {
		return nil, errInvalid
	}
	var err error
	switch q.Kind {
	case cmdRead:
		got = make([]byte, q.Length)
		if _, err = s.disk.ReadAt(got, int64(q.Offset)); err != nil {
			got = nil
		}
	case cmdZero:
		data = make([]byte, q.Length)
		fallthrough
	case cmdWrite:
		if _, err = s.disk.WriteAt(data, int64(q.Offset)); err == nil && q.Flags&cmdFUA != 0 {
			s.disk.Flush() // of everything, which a real one may do, too
		}
	case cmdFlush:
		s.disk.Flush()
	default:
		err = fmt.Errorf("no command %d", q.Kind)
	}
	if err != nil {
		return nil, errIO
	}
	return got, 0
}
