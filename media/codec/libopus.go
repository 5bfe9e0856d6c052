package codec

/*
#cgo pkg-config: opus
#include <opus.h>

// opus_encoder_ctl and opus_decoder_ctl take any number of arguments, and Go cannot call such functions.
static int plenum_opus_set_bitrate(OpusEncoder *e, opus_int32 rate) { return opus_encoder_ctl(e, OPUS_SET_BITRATE(rate)); }
static int plenum_opus_set_fec(OpusEncoder *e, opus_int32 on) { return opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(on)); }
static int plenum_opus_set_loss(OpusEncoder *e, opus_int32 percent) { return opus_encoder_ctl(e, OPUS_SET_PACKET_LOSS_PERC(percent)); }
static int plenum_opus_reset(OpusDecoder *d) { return opus_decoder_ctl(d, OPUS_RESET_STATE); }
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// What RFC 6716 and libopus call meaningful, in bit/s (opus_defines.h, OPUS_SET_BITRATE). Below zero libopus has values
// with a meaning of their own.
const (
	minBitRate = 500
	maxBitRate = 512_000
)

// opusEncoder and opusDecoder are the memory of one encoder and one decoder of libopus. It promises that this is one block,
// of a size that it tells, which may be copied (opus.h), so it lies on Go's heap: nothing has to be freed, and an owner who
// forgets Close loses nothing. Words, because libopus puts pointers to its own tables there: these need the alignment, and
// the garbage collector has no business with them.
type (
	opusEncoder []uint64
	opusDecoder []uint64
)

func words(bytes C.int) int { return int(bytes+7) / 8 }

func (e opusEncoder) c() *C.OpusEncoder { return (*C.OpusEncoder)(unsafe.Pointer(&e[0])) }
func (d opusDecoder) c() *C.OpusDecoder { return (*C.OpusDecoder)(unsafe.Pointer(&d[0])) }

// newEncoder makes an encoder for speech, 48 kHz, one channel.
func newEncoder() (opusEncoder, error) {
	e := make(opusEncoder, words(C.opus_encoder_get_size(1)))
	if err := opusError(C.opus_encoder_init(e.c(), Rate, 1, C.OPUS_APPLICATION_VOIP)); err != nil {
		return nil, fmt.Errorf("making an Opus encoder: %w", err)
	}
	return e, nil
}

// setBitRate sets the bit rate, in bit/s.
func (e opusEncoder) setBitRate(rate int) error {
	if rate < minBitRate || rate > maxBitRate {
		return fmt.Errorf("setting the Opus encoder to %d bit/s: it takes %d to %d", rate, minBitRate, maxBitRate)
	}
	if err := opusError(C.plenum_opus_set_bitrate(e.c(), C.opus_int32(rate))); err != nil {
		return fmt.Errorf("setting the Opus encoder to %d bit/s: %w", rate, err)
	}
	return nil
}

// setLoss makes the encoder send in-band FEC for so much loss; for none, none.
func (e opusEncoder) setLoss(percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("setting the Opus encoder to %d %% loss: it takes 0 to 100", percent)
	}
	err := errors.Join(opusError(C.plenum_opus_set_fec(e.c(), C.opus_int32(min(percent, 1)))),
		opusError(C.plenum_opus_set_loss(e.c(), C.opus_int32(percent))))
	if err != nil {
		return fmt.Errorf("setting the Opus encoder to %d %% loss: %w", percent, err)
	}
	return nil
}

// encode writes pcm, one frame of a length that Opus has, into packet and returns the bytes it took.
func (e opusEncoder) encode(pcm []int16, packet []byte) (int, error) {
	if len(pcm) == 0 || len(pcm) > MaxSamples || len(packet) == 0 {
		return 0, fmt.Errorf("encoding %d samples of Opus into %d bytes: want 1 to %d, and room", len(pcm), len(packet), MaxSamples)
	}
	n := C.opus_encode(e.c(), (*C.opus_int16)(&pcm[0]), C.int(len(pcm)), (*C.uchar)(&packet[0]), C.opus_int32(min(len(packet), MaxPacket)))
	if n < 0 {
		return 0, fmt.Errorf("encoding %d samples of Opus into %d bytes: %w", len(pcm), len(packet), opusError(C.int(n)))
	}
	return int(n), nil
}

// newDecoder makes a decoder to 48 kHz, one channel.
func newDecoder() (opusDecoder, error) {
	d := make(opusDecoder, words(C.opus_decoder_get_size(1)))
	if err := opusError(C.opus_decoder_init(d.c(), Rate, 1)); err != nil {
		return nil, fmt.Errorf("making an Opus decoder: %w", err)
	}
	return d, nil
}

// reset makes the decoder as new.
func (d opusDecoder) reset() error { return opusError(C.plenum_opus_reset(d.c())) }

// decode writes at most len(pcm) samples and returns their number: those of the packet, or with fec those before it, or
// without a packet what may have come next. pcm must not be empty. The bound is there because libopus takes room on its
// stack for as many samples as it is told of.
func (d opusDecoder) decode(packet []byte, pcm []int16, fec bool) (int, error) {
	var again C.int
	if fec {
		again = 1
	}
	n := C.opus_decode(d.c(), (*C.uchar)(unsafe.SliceData(packet)), C.opus_int32(len(packet)),
		(*C.opus_int16)(&pcm[0]), C.int(min(len(pcm), MaxSamples)), again)
	return int(max(n, 0)), opusError(n)
}

// opusError says in libopus' words what a result below zero means; others are no error.
func opusError(rc C.int) error {
	if rc >= 0 {
		return nil
	}
	return errors.New(C.GoString(C.opus_strerror(rc)))
}
