package main

import (
	"fmt"
	"io"

	"plenum/device/control"
)

type diagnosisCmd struct{}

// Run shows what became of a diagnosis stick.
func (diagnosisCmd) Run(s *session) error {
	view, err := s.ctl.Service(s.ctx)
	if err != nil {
		return err
	}
	d := view.Diagnosis
	return s.print(struct {
		Diagnosis control.Diagnosis `json:"diagnosis"`
	}{d}, func(w io.Writer) {
		if d.State == "idle" {
			fmt.Fprintln(w, "no diagnosis stick (label PLENUM-DIAG)")
			return
		}
		fmt.Fprintf(w, "diagnosis: %s %s\n", d.State, d.File)
		printText(w, "", d.Text)
	})
}
