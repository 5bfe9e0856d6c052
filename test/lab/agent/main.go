// Command agent runs in the lab's guest as root and does what the harness asks for: commands, files, a shell. It is part
// of lab images only and never of the product. It listens on every address of the guest; only the host's harness gets
// through QEMU's user-mode network.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"

	"plenum/test/lab/frame"
)

func main() {
	listen := flag.String("listen", ":2323", "`address` to listen on")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", l.Addr())
	serveAll(l)
}

// serveAll takes connections until the listener is closed.
func serveAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Print(err)
			continue
		}
		go func() {
			defer c.Close()
			if err := serve(c); err != nil {
				log.Print(err)
			}
		}()
	}
}

// serve takes the one call of a connection.
func serve(c net.Conn) error {
	kind, payload, err := frame.Read(c)
	if err != nil {
		return nil // who only looks whether somebody listens
	}
	var call frame.Call
	if kind != frame.Request || json.Unmarshal(payload, &call) != nil {
		return frame.WriteJSON(c, frame.Result, frame.Outcome{Code: -1, Error: "not a request"})
	}
	var out frame.Outcome
	switch call.Op {
	case frame.Ping:
	case frame.Run:
		out = run(c, call)
	case frame.Put:
		out = outcome(put(c, call))
	case frame.Get:
		out = outcome(get(c, call))
	case frame.Shell:
		out = shell(c, call)
	default:
		out = outcome(fmt.Errorf("no operation %q", call.Op))
	}
	return frame.WriteJSON(c, frame.Result, out)
}

func outcome(err error) frame.Outcome {
	if err != nil {
		return frame.Outcome{Code: -1, Error: err.Error()}
	}
	return frame.Outcome{}
}

// environ is what a login shell of root would have.
func environ() []string {
	return append(os.Environ(), "HOME=/root", "USER=root", "LANG=C.UTF-8",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}
