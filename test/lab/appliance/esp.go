package appliance

import (
	"os"
	"path/filepath"
)

// esp is the first partition of a box that is off, for mtools.
func (b *Box) esp() string {
	b.t.Helper()
	if b.Exited() != nil {
		b.t.Fatal("the box is on: nobody else may write to its disk")
	}
	return b.Disk() + "@@1M"
}

// PutESP writes a file of the ESP of a box that is off.
func (b *Box) PutESP(name string, data []byte) {
	b.t.Helper()
	aside := filepath.Join(b.t.TempDir(), "file")
	if err := os.WriteFile(aside, data, 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := tool(b.t.Context(), "", "mcopy", "-o", "-i", b.esp(), aside, "::/"+name); err != nil {
		b.t.Fatal(err)
	}
}

// Freeze keeps all processors busy with work that goes before everything else, so that systemd no longer kicks the
// hardware watchdog.
func (b *Box) Freeze() {
	b.t.Helper()
	_, err := b.Run(b.t.Context(), `sysctl -q kernel.sched_rt_runtime_us=-1
for cpu in $(seq 0 $(($(nproc) - 1))); do (setsid chrt -f 99 taskset -c $cpu sh -c 'sleep 1; while :; do :; done' >/dev/null 2>&1 </dev/null &); done`)
	if err != nil {
		b.t.Fatal(err)
	}
}
