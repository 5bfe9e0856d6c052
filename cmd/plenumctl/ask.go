package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxLine is how much of a line of standard input is read, in bytes.
const maxLine = 256

// errNoTerminal ends a command that must ask and cannot.
var errNoTerminal = errors.New("standard input is no terminal: give the PIN there with --pin-stdin")

// ownerPIN is where the owner's PIN comes from: never from the command line, where every process could read it.
type ownerPIN struct {
	Stdin bool `name:"pin-stdin" help:"Read the owner's PIN from standard input instead of asking for it."`
}

// ask gives the owner's PIN.
func (p ownerPIN) ask(s *session) (string, error) { return p.secret(s, "Owner's PIN: ") }

func (p ownerPIN) secret(s *session, prompt string) (string, error) {
	if p.Stdin {
		return s.readLine()
	}
	if s.terminal() == nil {
		return "", errNoTerminal
	}
	return s.askSecret(prompt)
}

// terminal is the terminal that answers come from; nil: there is none.
func (s *session) terminal() *os.File {
	if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// readLine takes the next line of standard input. It goes byte by byte: what follows is for the next question.
func (s *session) readLine() (string, error) {
	var line strings.Builder
	var one [1]byte
	for line.Len() < maxLine {
		n, err := s.in.Read(one[:])
		if n == 1 && one[0] == '\n' {
			break
		}
		line.Write(one[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("read standard input: %w", err)
		}
	}
	return strings.TrimSpace(line.String()), nil
}

// askSecret asks at the terminal, which does not show the answer.
func (s *session) askSecret(prompt string) (string, error) {
	fmt.Fprint(s.err, prompt)
	text, err := term.ReadPassword(int(s.terminal().Fd()))
	fmt.Fprintln(s.err)
	if err != nil {
		return "", fmt.Errorf("ask at the terminal: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// askText asks at the terminal.
func (s *session) askText(prompt string) (string, error) {
	in := s.terminal()
	if in == nil {
		return "", errNoTerminal
	}
	fmt.Fprint(s.err, prompt)
	text, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("ask at the terminal: %w", err)
	}
	return strings.TrimSpace(text), nil
}
