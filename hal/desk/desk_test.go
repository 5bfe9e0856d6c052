package desk

import "testing"

func TestKeyString(t *testing.T) {
	for key, want := range map[Key]string{{ID: "00021E"}: "00021E", {ID: "00021E", Side: "R"}: "00021E/R"} {
		if got := key.String(); got != want {
			t.Errorf("%+v is written %q, want %q", key, got, want)
		}
	}
}
