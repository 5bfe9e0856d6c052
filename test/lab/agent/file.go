package main

import (
	"io"
	"net"
	"os"
	"path/filepath"

	"plenum/test/lab/frame"
)

// put writes a file beside its place and moves it there when it is whole: a program that runs can be replaced, and a
// connection that breaks leaves nothing behind.
func put(c net.Conn, call frame.Call) error {
	if err := os.MkdirAll(filepath.Dir(call.Path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(call.Path), ".put-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, &frame.DataReader{From: c})
	if err == nil {
		err = f.Chmod(os.FileMode(call.Mode))
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), call.Path)
}

// get sends a file; it may be one of sysfs, whose size says nothing.
func get(c net.Conn, call frame.Call) error {
	f, err := os.Open(call.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(frame.Writer{To: c, Kind: frame.Data}, struct{ io.Reader }{f}, make([]byte, 256<<10))
	return err
}
