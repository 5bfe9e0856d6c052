package lab

import (
	"context"
	"testing"
)

// Boot is Start for tests: the VM is closed when the test ends; when it failed, the console's logs stay in the cache's
// folder logs and their names are told.
func Boot(t testing.TB, image Image, opt Options) *VM {
	t.Helper()
	if opt.Name == "" {
		opt.Name = t.Name()
	}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	v, err := Start(ctx, image, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		last, path := v.Console(20)
		v.Close()
		if t.Failed() {
			t.Logf("the guest's console ended with\n%s\n(all of it: %s)", last, path)
			return
		}
		v.Forget()
	})
	return v
}
