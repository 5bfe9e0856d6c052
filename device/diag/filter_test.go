package diag

import (
	"bytes"
	"strings"
	"testing"
)

func through(t *testing.T, text string, step int) string {
	t.Helper()
	var b bytes.Buffer
	f := newFilter(&b)
	for len(text) > 0 {
		n := min(step, len(text))
		if m, err := f.Write([]byte(text[:n])); m != n || err != nil {
			t.Fatal(m, err)
		}
		text = text[n:]
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFilter(t *testing.T) {
	const token = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"
	for _, tt := range []struct{ in, want string }{
		{`pin = "493817"`, `pin = (withheld)`},
		{`level=INFO msg="wrong PIN" pin=493817 from=192.168.1.4`, `level=INFO msg="wrong PIN" pin=(withheld) from=192.168.1.4`},
		{`{"person":"a","pin":"49\"3817","role":"chair"}`, `{"person":"a","pin":(withheld),"role":"chair"}`},
		{`{"pin":493817}`, `{"pin":(withheld)}`},
		{`body="{\"pin\":\"493817\",\"x\":1}"`, `body="{\"pin\":(withheld),\"x\":1}"`},
		{`chair said the PIN is 493817 again`, `chair said the PIN is (withheld) again`},
		{`# PIN 4938 17`, `# PIN (withheld)`},
		{`plenumctl owner --pin 493817 now`, `plenumctl owner --pin (withheld) now`},
		{`"pin":"$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA"`, `"pin":(withheld)`},
		{`x $argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA y`, `x (withheld) y`},
		{`root:$y$j9T$abc$def:19000`, `root:(withheld)`},
		{`https://box/member#` + token, `https://box/member#(withheld)`},
		{token + "," + token + " " + token, `(withheld),(withheld) (withheld)`},
		{`GET /x?token=abc&y=1`, `GET /x?token=(withheld)&y=1`},
		{`Authorization: Bearer abc.def ghi`, `Authorization: (withheld)`},
		{`{"Cookie":"a=b; c=d","x":1}`, `{"Cookie":(withheld)`},
		{`sent bearer abcdefghi to it`, `sent bearer (withheld) to it`},
		{`device = "rtsp://admin:s3cr3t@10.0.0.5/stream"`, `device = "rtsp://(withheld)@10.0.0.5/stream"`},
		{`api_key: 'x y z' # old`, `api_key: (withheld) # old`},
		{`smtpPassword=hunter2 host=h`, `smtpPassword=(withheld) host=h`},
		{`map[password:hunter2 user:x]`, `map[password:(withheld) user:x]`},
		{`a=ice-pwd:asd88fgpdd777uzjYhagZg`, `a=ice-pwd:(withheld)`},
		{`tokens = ["a", "b"] # two`, `tokens = (withheld)`},
		{"psk = \"\"\"\nverysecret\n\"\"\"\nlisten = 1", "psk = (withheld)\nlisten = 1"},
		{"\"keys\": [\n  \"a\",\n  [\"b\"]\n],\n\"x\": 1", "\"keys\": (withheld)\n\"x\": 1"},
		{"a\n-----BEGIN EC PRIVATE KEY-----\nMHcC\nabc\n-----END EC PRIVATE KEY-----\nb", "a\n(withheld)\nb"},
		{"b\n-----END PRIVATE KEY-----\nabc=\nMHcC\n-----BEGIN PRIVATE KEY-----\na", "b\n(withheld)\na"},
		{`{"k":"-----BEGIN PRIVATE KEY-----\nMHcC\n-----END PRIVATE KEY-----\n","n":1}`, `{"k":"(withheld)\n","n":1}`},
		{"AGE-SECRET-KEY-1QQPZRY9", "(withheld)"},
		{"wg " + strings.Repeat("Ab1/", 10) + "xyz= end", "wg (withheld) end"},
		// What a technician needs stays.
		{`port = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K1234-if00-port0"`, `port = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K1234-if00-port0"`},
		{`device = "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0"`, `device = "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0"`},
		{`plenum/device/console.(*Console).serve(0xc000123456, {0x7f, 0x8})`, `plenum/device/console.(*Console).serve(0xc000123456, {0x7f, 0x8})`},
		{`chain 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`, `chain 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`},
		{`mapping: 3 spinning=1 keyframes=30`, `mapping: 3 spinning=1 keyframes=30`},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			if got := strings.TrimSuffix(through(t, tt.in, step), "\n"); got != tt.want {
				t.Errorf("in steps of %d: %s\n got %s\nwant %s", step, tt.in, got, tt.want)
			}
		}
	}
}

// A secret that a cut line ends in is not half shown.
func TestFilterCutsAtAWord(t *testing.T) {
	got := through(t, strings.Repeat("x ", maxLine/2-10)+"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA end\nnext\n", 1000)
	if strings.Contains(got, "q83v") || !strings.HasSuffix(got, "(line cut)\nnext\n") {
		t.Error(got[len(got)-80:])
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("pin = \"\"\"\n1\n", 3)
	f.Add("\"keys\": [{\n}]", 1)
	f.Add("token=\\\"a", 2)
	f.Add("-----END PRIVATE KEY----------BEGIN PRIVATE KEY-----", 2)
	f.Fuzz(func(t *testing.T, text string, step int) {
		got := through(t, text, max(1, step&0xff))
		if whole := through(t, text, len(text)+1); whole != got {
			t.Errorf("%q or %q", got, whole)
		}
		const planted = "hunter-Two.4711"
		if safe := strings.NewReplacer("\n", "", "-----", "").Replace(text); !strings.Contains(through(t, text, 5), planted) {
			if strings.Contains(through(t, safe+"\npassword = \""+planted+"\"\n", 5), planted) {
				t.Errorf("after %q", safe)
			}
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	text := []byte(strings.Repeat("Nov 23 17:04:05 plenum plenumd[812]: level=INFO msg=\"desk answered\" desk=saal unit=00021E took=12.3ms n=4711\n"+
		"Nov 23 17:04:05 plenum plenumd[812]: level=WARN msg=\"opening the pin contact\" line=fire key=x\n", 100))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f := newFilter(&bytes.Buffer{})
		_, _ = f.Write(text)
	}
}
