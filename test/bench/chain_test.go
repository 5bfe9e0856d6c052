package bench

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"plenum/media/capture"
)

// packetSize is the longest RTP packet with its header, in bytes: capture's payload of 1180.
const packetSize = 1180 + 12

// encoderThreads is what codec.VP8 takes; with two each would make one partition of the picture's tokens.
const encoderThreads = 1

// contenders gives ours and the others. The encoder is the same library, set alike; "lib" is libvpx's own default:
//
//	                      ours (codec.VP8)               ffmpeg 5.1                        GStreamer 1.22
//	deadline              realtime                       -deadline realtime                deadline=1
//	cpu-used              -6                             -cpu-used -6                      cpu-used=-6
//	threads, partitions   encoderThreads                 -threads -slices                  threads token-partitions (2^n)
//	rate control          CBR, 2 Mbit/s                  -minrate = -b:v = -maxrate        end-usage=cbr target-bitrate
//	buffer, at first      1000 ms, 500 ms                -bufsize, -rc_init_occupancy      buffer-size, buffer-initial-size
//	buffer at best        600 ms                         5/6 of it: 833 ms, cannot be set  buffer-optimal-size
//	under-, overshoot     100 %, 15 %                    -undershoot-pct -overshoot-pct    undershoot overshoot
//	quantizers            2 to 56                        -qmin -qmax                       min-quantizer max-quantizer
//	lag                   0                              -lag-in-frames 0                  lag-in-frames=0
//	key frames            auto, 300 apart at most        -g 300                            keyframe-max-dist=300
//	their size            9 times the average at most    -max-intra-rate 900               max-intra-bitrate=900
//	static threshold      1                              -static-thresh 1                  static-threshold=1
//	noise, sharpness      lib: 0, 0                      0, lib                            0, 0
//	alternate reference   lib: off                       -auto-alt-ref 0                   off
//	error resilience      lib: off                       off                               off
//	dropped pictures      lib: none                      none                              none
//	passes, scaling       one, off                       one, off                          one, off
func contenders(b *testing.B) []*contender {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for _, program := range []string{"ffmpeg", "gst-launch-1.0"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Fatalf("%v: make bench-packages installs it", err)
		}
	}
	return []*contender{
		{name: "plenum", command: func(to *net.UDPAddr) *exec.Cmd {
			cmd := exec.Command(self, to.String())
			cmd.Env = append(os.Environ(), roleVariable+"="+cameraRole)
			return cmd
		}},
		{name: "ffmpeg", command: ffmpeg},
		{name: "gst", command: gstreamer},
	}
}

// ffmpeg does not look ahead, gives each picture on at once and invents or drops none. (-fflags nobuffer saves nothing then;
// it only loses the first picture.)
func ffmpeg(to *net.UDPAddr) *exec.Cmd {
	return words("ffmpeg -hide_banner -nostats -loglevel warning -probesize 32 -analyzeduration 0"+
		" -f rawvideo -pixel_format yuyv422 -video_size %dx%d -framerate %d -i pipe:0 -fps_mode passthrough -pix_fmt yuv420p"+
		" -c:v libvpx -deadline realtime -cpu-used -6 -threads %[5]d -slices %[5]d -lag-in-frames 0 -auto-alt-ref 0 -error-resilient 0"+
		" -static-thresh 1 -noise-sensitivity 0 -drop-threshold 0 -b:v %[4]d -minrate %[4]d -maxrate %[4]d -bufsize %[4]d"+
		" -rc_init_occupancy %[6]d -undershoot-pct 100 -overshoot-pct 15 -qmin 2 -qmax 56 -max-intra-rate 900 -g %[7]d"+
		" -flush_packets 1 -f rtp -payload_type %[8]d rtp://%[9]v?pkt_size=%[10]d&rtcpport=%[11]d",
		pictureWidth, pictureHeight, pictureRate, pictureBits, encoderThreads, pictureBits/2, keyPictures,
		capture.PayloadVP8, to, packetSize, to.Port)
}

// gstreamer runs without queues; with a blocksize of 64 KiB it needs less than with its own 4 KiB or all that the pipe holds.
func gstreamer(to *net.UDPAddr) *exec.Cmd {
	return words("gst-launch-1.0 -q fdsrc fd=0 blocksize=65536"+
		" ! rawvideoparse width=%d height=%d format=yuy2 framerate=%d/1 ! videoconvert ! video/x-raw,format=I420"+
		" ! vp8enc deadline=1 cpu-used=-6 threads=%d token-partitions=%d lag-in-frames=0 auto-alt-ref=false error-resilient=0"+
		" static-threshold=1 noise-sensitivity=0 dropframe-threshold=0 end-usage=cbr target-bitrate=%d"+
		" buffer-size=1000 buffer-initial-size=500 buffer-optimal-size=600 undershoot=100 overshoot=15"+
		" min-quantizer=2 max-quantizer=56 max-intra-bitrate=900 keyframe-max-dist=%d"+
		" ! rtpvp8pay pt=%d mtu=%d picture-id-mode=2 ! udpsink host=%v port=%d sync=false async=false",
		pictureWidth, pictureHeight, pictureRate, encoderThreads, encoderThreads-1, pictureBits, keyPictures,
		capture.PayloadVP8, packetSize, to.IP, to.Port)
}

func words(format string, args ...any) *exec.Cmd {
	all := strings.Fields(fmt.Sprintf(format, args...))
	return exec.Command(all[0], all[1:]...)
}

// pipeSize is what an ordinary user may give a pipe (fs.pipe-max-size), bytes.
const pipeSize = 1 << 20

// chain is a process that turns raw pictures into RTP.
type chain struct {
	name string
	cmd  *exec.Cmd
	in   *os.File
	conn *net.UDPConn
	log  string
	end  func() // once, by whoever comes first: the benchmark or its end

	mu      sync.Mutex
	base    uint32      // RTP timestamp of the first picture
	written []time.Time // when the last byte of each was in the pipe
	shown   []shown     // by the picture's number
}

// shown is what came of a picture.
type shown struct {
	at   time.Time // of its last packet, zero: it has not come
	size int       // bytes of RTP payload
}

// startChain starts one and gives it the first picture.
func startChain(b *testing.B, name string, command func(*net.UDPAddr) *exec.Cmd, first []byte) *chain {
	b.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	c := &chain{name: name, conn: conn, cmd: command(conn.LocalAddr().(*net.UDPAddr)), log: filepath.Join(b.TempDir(), name+".log")}
	log, err1 := os.Create(c.log)
	out, in, err2 := os.Pipe()
	if err := errors.Join(err1, err2, conn.SetReadBuffer(socketBuffer)); err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	defer out.Close()
	c.in, c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = in, out, log, log
	raw, err := in.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) { _, err1 = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	if err := errors.Join(err, err1, c.cmd.Start()); err != nil {
		b.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(c.read)
	c.end = sync.OnceFunc(func() {
		c.wait(b)
		conn.Close()
		reading.Wait()
	})
	b.Cleanup(c.end)
	// It has to come out before there is a second one, or else the numbers of those that come are not those that were given.
	c.write(b, first)
	within(b, 20*time.Second, c.name+" gives the first picture", func() bool { return c.has(0) })
	return c
}

// wait closes the pipe, which ends each of them by itself.
func (c *chain) wait(b *testing.B) {
	c.in.Close()
	kill := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := c.cmd.Wait(); err != nil || b.Failed() {
		text, _ := os.ReadFile(c.log)
		b.Errorf("%s: %v\n%s", c.name, err, text[max(0, len(text)-4000):])
	}
}

// used is the processor time of the whole process so far: its clock of clock_getcpuclockid(3), made by pid as in Linux's
// posix-timers.h.
func (c *chain) used(b *testing.B) time.Duration {
	b.Helper()
	const sched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^c.cmd.Process.Pid<<3|sched), &ts); err != nil {
		b.Fatalf("asking for the processor time of %s: %v", c.name, err)
	}
	return time.Duration(ts.Nano())
}

// write puts a picture into the pipe and gives its number.
func (c *chain) write(b *testing.B, picture []byte) int {
	b.Helper()
	_ = c.in.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.in.Write(picture); err != nil {
		b.Fatalf("%s takes no more pictures: %v", c.name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = append(c.written, time.Now())
	return len(c.written) - 1
}

// read notes what comes until the socket is closed. The number of a picture is in its timestamp: all three count 30 a second
// and begin with the first.
func (c *chain) read() {
	buf := make([]byte, 2048)
	var p rtp.Packet
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			return
		}
		if p.Unmarshal(buf[:n]) == nil && p.PayloadType == capture.PayloadVP8 { // else it is RTCP
			c.note(&p, time.Now())
		}
	}
}

func (c *chain) note(p *rtp.Packet, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.shown) == 0 {
		c.base = p.Timestamp
	}
	n := int(p.Timestamp-c.base+ticksPicture/2) / ticksPicture
	if n > len(c.written) {
		return // no picture of ours
	}
	for len(c.shown) <= n {
		c.shown = append(c.shown, shown{})
	}
	c.shown[n].size += len(p.Payload)
	if p.Marker {
		c.shown[n].at = at
	}
}

// fed is how many pictures it has been given.
func (c *chain) fed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.written)
}

// has says whether a picture has come.
func (c *chain) has(n int) bool {
	_, size := c.result(n)
	return size > 0
}

// result is how long after its last byte a picture's last packet came, and its size in bytes; 0 when it did not come.
func (c *chain) result(n int) (took time.Duration, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n < 0 || n >= len(c.shown) || c.shown[n].at.IsZero() {
		return 0, 0
	}
	return c.shown[n].at.Sub(c.written[n]), c.shown[n].size
}
