package hall

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// The test tone comes at its level, ends after its time, and begins and ends without a click.
func TestTone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []int16
		sink := &keep{Null: NewNull(), to: &heard}
		p, err := NewPlayout(Options{Voices: 1, Open: func() (Sink, error) { return sink, nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		p.Tone(1000, -20, 400*time.Millisecond)
		p.Run(ctx)
		var power float64
		for i, s := range heard {
			if i < 14400 && i >= 4800 {
				power += float64(s) * float64(s) / 9600
			}
			if i > 0 && math.Abs(float64(s)-float64(heard[i-1])) > 700 {
				t.Fatalf("a click at sample %d", i)
			}
			if i > 19200 && s != 0 {
				t.Fatalf("sample %d sounds after the end", i)
			}
		}
		if db := 10*math.Log10(power) - 20*math.Log10(32768); math.Abs(db+20) > 0.1 {
			t.Errorf("%.2f dBFS, want -20", db)
		}
	})
}

// keep is a sink that remembers.
type keep struct {
	*Null
	to *[]int16
}

func (k *keep) Write(pcm []int16) error {
	*k.to = append(*k.to, pcm...)
	return k.Null.Write(pcm)
}
