package codec

/*
#cgo pkg-config: vpx
#include <stdlib.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

typedef struct {
	vpx_codec_ctx_t codec;
	vpx_image_t image;
} plenum_vp8;

// Set in C because libvpx's structures are large and full of unions.
static vpx_codec_err_t plenum_vp8_open(plenum_vp8 *e, unsigned w, unsigned h, unsigned kbps, unsigned fps,
                                       unsigned threads, unsigned key_every, int speed)
{
	vpx_codec_enc_cfg_t cfg;
	vpx_codec_err_t err;

	if ((err = vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &cfg, 0)) != VPX_CODEC_OK)
		return err;
	cfg.g_w = w;
	cfg.g_h = h;
	cfg.g_threads = threads;
	cfg.g_timebase.num = 1;
	cfg.g_timebase.den = 90000;
	cfg.g_lag_in_frames = 0;
	cfg.rc_end_usage = VPX_CBR;
	cfg.rc_target_bitrate = kbps;
	cfg.rc_undershoot_pct = 100;
	cfg.rc_overshoot_pct = 15;
	cfg.rc_buf_sz = 1000;
	cfg.rc_buf_initial_sz = 500;
	cfg.rc_buf_optimal_sz = 600;
	cfg.rc_min_quantizer = 2;
	cfg.rc_max_quantizer = 56;
	cfg.kf_mode = VPX_KF_AUTO;
	cfg.kf_max_dist = key_every;
	if ((err = vpx_codec_enc_init(&e->codec, vpx_codec_vp8_cx(), &cfg, 0)) != VPX_CODEC_OK)
		return err;
	// A key frame may take as much as half the optimal buffer holds; more would stand in the sender's way.
	unsigned intra = 600 * fps / 20;
	if ((err = vpx_codec_control(&e->codec, VP8E_SET_CPUUSED, -speed)) != VPX_CODEC_OK ||
	    (err = vpx_codec_control(&e->codec, VP8E_SET_STATIC_THRESHOLD, 1)) != VPX_CODEC_OK ||
	    (err = vpx_codec_control(&e->codec, VP8E_SET_TOKEN_PARTITIONS, threads > 1 ? VP8_TWO_TOKENPARTITION : VP8_ONE_TOKENPARTITION)) != VPX_CODEC_OK ||
	    (err = vpx_codec_control(&e->codec, VP8E_SET_MAX_INTRA_BITRATE_PCT, intra < 300 ? 300 : intra)) != VPX_CODEC_OK) {
		vpx_codec_destroy(&e->codec);
		return err;
	}
	vpx_img_wrap(&e->image, VPX_IMG_FMT_I420, w, h, 1, (unsigned char *)e); // planes are set for each picture
	return VPX_CODEC_OK;
}

static vpx_codec_err_t plenum_vp8_encode(plenum_vp8 *e, unsigned char *y, unsigned char *cb, unsigned char *cr, int ystride,
                                         int cstride, vpx_codec_pts_t pts, unsigned long duration, int key, void **data, size_t *size)
{
	vpx_codec_iter_t iter = NULL;
	const vpx_codec_cx_pkt_t *pkt;
	vpx_codec_err_t err;

	e->image.planes[VPX_PLANE_Y] = y;
	e->image.planes[VPX_PLANE_U] = cb;
	e->image.planes[VPX_PLANE_V] = cr;
	e->image.stride[VPX_PLANE_Y] = ystride;
	e->image.stride[VPX_PLANE_U] = e->image.stride[VPX_PLANE_V] = cstride;
	err = vpx_codec_encode(&e->codec, &e->image, pts, duration, key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
	e->image.planes[VPX_PLANE_Y] = e->image.planes[VPX_PLANE_U] = e->image.planes[VPX_PLANE_V] = NULL;
	*data = NULL;
	*size = 0;
	while (err == VPX_CODEC_OK && (pkt = vpx_codec_get_cx_data(&e->codec, &iter)) != NULL) {
		if (pkt->kind == VPX_CODEC_CX_FRAME_PKT) {
			*data = pkt->data.frame.buf;
			*size = pkt->data.frame.sz;
		}
	}
	return err;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"image"
	"io"
	"sync"
	"time"
	"unsafe"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// clockVP8 is the RTP clock of VP8 in Hz, RFC 7741, section 4.1.
const clockVP8 = 90000

// VP8 builds VP8 encoders for pion/mediadevices (its VideoEncoderBuilder). mediadevices' own encoder takes as much of a
// core as a picture's time allows, counts time in the wrong unit, and leaks when the size changes; so this one takes its
// place. Constant bit rate, no picture held back.
type VP8 struct {
	BitRate  int           // bit/s; needed
	KeyEvery time.Duration // a key frame at least so often; 0: 10 s
	Speed    int           // 1 to 16: the higher, the less processor time and the coarser the picture; 0: 6
	Threads  int           // 0: 1. More wait for each other by spinning: on a box with other work to do they burn its cores and lose pictures
}

// RTPCodec describes the stream: clock 90 kHz.
func (v *VP8) RTPCodec() *codec.RTPCodec { return codec.NewRTPVP8Codec(clockVP8) }

// BuildVideoEncoder makes an encoder that reads pictures of the size in p from r, at about its rate, and gives one frame
// for each; an empty one when the bit rate left no room. Its controller forces key frames. Pictures that are not 4:2:0 are
// converted.
func (v *VP8) BuildVideoEncoder(r video.Reader, p prop.Media) (codec.ReadCloser, error) {
	speed, threads, every := v.Speed, v.Threads, v.KeyEvery
	if speed == 0 {
		speed = 6
	}
	if threads == 0 {
		threads = 1
	}
	if every == 0 {
		every = 10 * time.Second
	}
	fps := max(float64(p.FrameRate), 1)
	if p.Width < 2 || p.Height < 2 || p.Width > 16383 || p.Height > 16383 || v.BitRate < 1000 || speed < 1 || speed > 16 || threads < 1 {
		return nil, fmt.Errorf("VP8 of %dx%d at %d bit/s, speed %d, %d threads cannot be", p.Width, p.Height, v.BitRate, speed, threads)
	}
	e := &pictureEncoder{reader: video.ToI420(r), size: image.Pt(p.Width, p.Height), period: time.Duration(float64(time.Second) / fps), last: -1}
	e.c = (*C.plenum_vp8)(C.calloc(1, C.sizeof_plenum_vp8))
	rc := C.plenum_vp8_open(e.c, C.uint(p.Width), C.uint(p.Height), C.uint(v.BitRate/1000), C.uint(fps), C.uint(threads),
		C.uint(max(1, every.Seconds()*fps)), C.int(speed))
	if rc != C.VPX_CODEC_OK {
		C.free(unsafe.Pointer(e.c))
		return nil, fmt.Errorf("making a VP8 encoder for %dx%d: %w", p.Width, p.Height, vpxError(rc))
	}
	return e, nil
}

func vpxError(rc C.vpx_codec_err_t) error {
	return errors.New(C.GoString(C.vpx_codec_err_to_string(rc)))
}

// pictureEncoder is one VP8 encoder.
type pictureEncoder struct {
	reader video.Reader
	size   image.Point
	period time.Duration
	begun  time.Time
	at     time.Time // of the next picture, when it was told
	last   int64     // time stamp of the last picture, in units of clockVP8

	mu  sync.Mutex // guards what follows: Close may come while Read waits for a picture
	c   *C.plenum_vp8
	key bool
}

// Read gives the next frame; it is the caller's to keep.
func (e *pictureEncoder) Read() ([]byte, func(), error) {
	none := func() {}
	img, release, err := e.reader.Read()
	if err != nil {
		return nil, none, err
	}
	defer release()
	yuv, ok := img.(*image.YCbCr)
	if !ok || yuv.Rect.Size() != e.size || yuv.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return nil, none, fmt.Errorf("a picture of %v came to a VP8 encoder for %v", img.Bounds().Size(), e.size)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c == nil {
		return nil, none, io.EOF
	}
	pts := e.stamp()
	var data unsafe.Pointer
	var size C.size_t
	key := C.int(0)
	if e.key {
		key = 1
	}
	rc := C.plenum_vp8_encode(e.c, (*C.uchar)(&yuv.Y[0]), (*C.uchar)(&yuv.Cb[0]), (*C.uchar)(&yuv.Cr[0]), C.int(yuv.YStride), C.int(yuv.CStride),
		C.vpx_codec_pts_t(pts), C.ulong(e.period.Seconds()*clockVP8), key, &data, &size)
	if rc != C.VPX_CODEC_OK {
		return nil, none, fmt.Errorf("encoding VP8: %w", vpxError(rc))
	}
	if size > 0 {
		e.key = false
	}
	return C.GoBytes(data, C.int(size)), none, nil
}

// At tells when the next picture was taken. Without it the time at which the picture is read counts, and on a busy machine
// that is uneven.
func (e *pictureEncoder) At(t time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at = t
}

// stamp is the picture's time: the rate control spends the bits by time, and a camera in the dark is slow.
func (e *pictureEncoder) stamp() int64 {
	now := e.at
	if e.at = (time.Time{}); now.IsZero() {
		now = time.Now()
	}
	if e.begun.IsZero() {
		e.begun = now
	}
	e.last = max(e.last+1, int64(now.Sub(e.begun))*clockVP8/int64(time.Second))
	return e.last
}

// ForceKeyFrame makes the next frame a key frame (mediadevices' KeyFrameController).
func (e *pictureEncoder) ForceKeyFrame() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.key = true
	return nil
}

// Controller gives access to ForceKeyFrame.
func (e *pictureEncoder) Controller() codec.EncoderController { return e }

// Close gives the encoder's memory back. Calling it again is harmless.
func (e *pictureEncoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c == nil {
		return nil
	}
	rc := C.vpx_codec_destroy(&e.c.codec)
	C.free(unsafe.Pointer(e.c))
	e.c = nil
	if rc != C.VPX_CODEC_OK {
		return fmt.Errorf("closing a VP8 encoder: %w", vpxError(rc))
	}
	return nil
}
