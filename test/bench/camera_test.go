package bench

import (
	"net"
	"os/exec"
	"testing"
	"time"
)

// The pictures of BenchmarkCamera720p and what becomes of them.
const (
	pictureWidth  = 1280
	pictureHeight = 720
	pictureRate   = 30
	pictureBits   = 2_000_000 // bit/s
	keyPictures   = 300       // a key frame at least this often, in pictures: capture's 10 s
	ticksPicture  = 90_000 / pictureRate
)

// A run is ten seconds. Its first pictures are not counted, since the encoder still looks for its rate, nor its last ones,
// which push out what somebody may hold back.
const (
	runLead  = 60
	runCount = 240
	runTail  = 3
)

// BenchmarkCamera720p: raw pictures of 1280x720 in YUYV, 30 a second, go through a pipe into a process, and RTP with VP8 of
// 2 Mbit/s comes out of it: our capture as in the daemon, with the pipe in the place of V4L2; ffmpeg; GStreamer. All three
// have the same libvpx with the same settings (see contenders). Measured is the processor time of the process for each
// picture, user and system, and the time from a picture's last byte in the pipe, where a camera's driver would set its time
// stamp, to its last packet at the socket here.
//
// They run one after the other, for ten seconds each. lost-% is pictures of which no last packet came, or that could not be
// written because the process still had not read the one before the last.
func BenchmarkCamera720p(b *testing.B) {
	pictures := shoot(pictureWidth, pictureHeight, 2*pictureRate)
	all := contenders(b)
	for b.Loop() {
		for _, c := range all {
			c.run(b, pictures)
		}
	}
	onlyOurs(b)
	ours := all[0]
	for _, c := range all {
		b.ReportMetric(c.cost(), c.prefix()+"cpu-ms/picture")
		c.took.report(b, c.prefix())
		b.ReportMetric(c.lost(), c.prefix()+"lost-%")
		b.ReportMetric(float64(c.size*8)/1000/(float64(max(len(c.took), 1))/pictureRate), c.prefix()+"kbit/s")
	}
	for _, c := range all[1:] {
		b.ReportMetric(ours.cost()/c.cost(), "x-"+c.name)
		b.ReportMetric(float64(ours.took.median())/float64(max(c.took.median(), 1)), "p50-x-"+c.name)
		b.ReportMetric(float64(ours.took.at(0.99))/float64(max(c.took.at(0.99), 1)), "p99-x-"+c.name)
	}
	b.ReportMetric(float64(len(ours.took)), "pictures")
}

// contender is one of those that are compared: how it is started, and what was measured.
type contender struct {
	name    string
	command func(to *net.UDPAddr) *exec.Cmd // reads pictures from standard input and sends RTP there

	cpu  time.Duration // for the counted pictures
	due  int           // counted pictures
	size int           // bytes of RTP payload of those that came
	took series        // of those that came
}

// run feeds it with pictures at their rate for a while.
func (t *contender) run(b *testing.B, pictures [][]byte) {
	b.Helper()
	c := startChain(b, t.name, t.command, pictures[0])
	var counted []int
	var before time.Duration
	period := time.Second / pictureRate
	begun := time.Now()
	for i := range runLead + runCount + runTail {
		switch i {
		case runLead:
			before = c.used(b)
		case runLead + runCount:
			t.cpu += c.used(b) - before
		}
		due := begun.Add(time.Duration(i) * period)
		count := i >= runLead && i < runLead+runCount
		if count {
			t.due++
		}
		if time.Since(due) > period {
			continue // as a camera does when nobody has taken its pictures
		}
		time.Sleep(time.Until(due))
		n := c.write(b, pictures[c.fed()%len(pictures)])
		if count {
			counted = append(counted, n)
		}
	}
	last := c.fed() - 1 - runTail
	for end := time.Now().Add(time.Second); !c.has(last) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(drain)
	for _, n := range counted {
		if took, size := c.result(n); size > 0 {
			t.took.add(took)
			t.size += size
		}
	}
	c.end()
}

// cost is processor time in milliseconds for each picture that came through.
func (t *contender) cost() float64 {
	return float64(t.cpu.Microseconds()) / 1000 / float64(max(len(t.took), 1))
}

// lost is the share of pictures that did not come through, in percent.
func (t *contender) lost() float64 { return 100 * (1 - float64(len(t.took))/float64(max(t.due, 1))) }

// prefix of its figures' names; ours have none.
func (t *contender) prefix() string {
	if t.name == "plenum" {
		return ""
	}
	return t.name + "-"
}
