package port

import (
	"errors"
	"testing"
	"time"
)

func TestParseSettings(t *testing.T) {
	base := Settings{Baud: 57600, WriteTimeout: time.Second}
	for text, want := range map[string]Settings{
		"":               base,
		" 9600 ":         {Baud: 9600, WriteTimeout: time.Second},
		"57600 8N1":      {Baud: 57600, DataBits: 8, StopBits: 1, WriteTimeout: time.Second},
		"7e2 19200":      {Baud: 19200, DataBits: 7, Parity: ParityEven, StopBits: 2, WriteTimeout: time.Second},
		"5O1":            {Baud: 57600, DataBits: 5, Parity: ParityOdd, StopBits: 1, WriteTimeout: time.Second},
		"rtscts":         {Baud: 57600, Flow: FlowRTSCTS, WriteTimeout: time.Second},
		"noflow nors485": base,
		"115200 rs485":   {Baud: 115200, RS485: RS485{Enabled: true, RTSOnSend: true}, WriteTimeout: time.Second},
		"rs485-inverted": {Baud: 57600, RS485: RS485{Enabled: true, RTSAfterSend: true}, WriteTimeout: time.Second},
		"after=1ms rs485 before=100ms": {Baud: 57600, WriteTimeout: time.Second,
			RS485: RS485{Enabled: true, RTSOnSend: true, DelayBefore: 100 * time.Millisecond, DelayAfter: time.Millisecond}},
	} {
		got, err := ParseSettings(text, base)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := ParseSettings(got.String(), base); err != nil || again.String() != got.String() {
			t.Errorf("%q is written %q and then %q, %v", text, got, again, err)
		}
	}
}

func TestParseSettingsRefuses(t *testing.T) {
	for _, text := range []string{
		"fast", "49", "4000001", "-1", "9600.5", "4N1", "9N1", "8X1", "8N3", "8N0", "8N15", "9600 19200", "8N1 7E1", "rtscts noflow", "xonxoff",
		"rs485 rtscts", "before=1ms", "rs485 before=1", "rs485 before=101ms", "rs485 after=-1ms", "rs485 after=1500us", "rs485 nors485", "=", "\xff",
	} {
		if s, err := ParseSettings(text, Settings{Baud: 57600}); !errors.Is(err, ErrSettings) {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	// What a driver has is not thrown away by half.
	if s, err := ParseSettings("rs485", Settings{Baud: 9600, Flow: FlowRTSCTS}); !errors.Is(err, ErrSettings) {
		t.Errorf("rs485 over a driver's rtscts: %+v, %v", s, err)
	}
	if s, err := ParseSettings("rs485 noflow", Settings{Baud: 9600, Flow: FlowRTSCTS}); err != nil || !s.RS485.Enabled {
		t.Errorf("rs485 noflow over a driver's rtscts: %+v, %v", s, err)
	}
}

func FuzzParseSettings(f *testing.F) {
	for _, text := range []string{"57600 8N1 rtscts", "9600 rs485 before=1ms after=2ms", "7E2 rs485-inverted noflow", "nors485"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSettings(text, Settings{Baud: 57600})
		if err != nil {
			return
		}
		if s.Baud < 50 || s.Flow != FlowNone && s.RS485.Enabled {
			t.Errorf("%q gives %+v", text, s)
		}
		again, err := ParseSettings(s.String(), Settings{})
		if err != nil || again.String() != s.String() || again.RS485 != s.RS485 {
			t.Errorf("%q means %+v, written %q that means %+v, %v", text, s, s, again, err)
		}
	})
}
