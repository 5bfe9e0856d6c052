package hall

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkPlay is the cost of 10 ms of sound: so many voices decoded, mixed
// and measured.
func BenchmarkPlay(b *testing.B) {
	for _, voices := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("voices=%d", voices), func(b *testing.B) {
			now := time.Now()
			p, err := NewPlayout(Options{Open: func() (Sink, error) { return nil, nil }, Voices: voices, Now: func() time.Time { return now }})
			if err != nil {
				b.Fatal(err)
			}
			packets := speech(b, 300, -20, 100)
			sink := NewNull()
			n := 0
			for b.Loop() {
				if n%2 == 0 {
					for v := range voices {
						p.Voice(v)(header(uint32(v), n/2), packets[n/2%len(packets)])
					}
				}
				if err := p.play(sink); err != nil {
					b.Fatal(err)
				}
				now = now.Add(FrameTime)
				n++
			}
			if c := p.Levels().Voices[0].Counters; c.Lost+c.Late+c.Bad+c.Dropped > 0 {
				b.Fatalf("%+v", c)
			}
		})
	}
}

func BenchmarkPush(b *testing.B) {
	p, err := NewPlayout(Options{Open: func() (Sink, error) { return nil, nil }, Voices: 1})
	if err != nil {
		b.Fatal(err)
	}
	packets := speech(b, 300, -20, 10)
	write := p.Voice(0)
	n := 0
	for b.Loop() {
		write(header(1, n), packets[n%10])
		n++
	}
}
