package hall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"plenum/media/codec"
)

// wavLimit bounds the file of OpenSink, in bytes: 46 minutes.
const wavLimit = 256 << 20

const wavHeader = 44

// WAV is a sink that writes a RIFF WAVE file, 48 kHz mono 16 bit. The header
// says after every frame how much there is, so the file of a process that was
// killed can be read. A file that has reached its limit is renamed to NAME.1,
// replacing the one before, and a new one begun; so is one found at the start.
type WAV struct {
	clock
	path  string
	limit int64
	file  *os.File
	size  int64 // of the sound, bytes
	buf   [2 * Frame]byte
}

// OpenWAV begins a file of at most limit bytes.
func OpenWAV(path string, limit int64) (*WAV, error) {
	w := &WAV{clock: clock{period: FrameTime}, path: path, limit: limit}
	if limit < wavHeader+2*Frame || limit > 1<<31 {
		return nil, fmt.Errorf("WAV file %s: a limit of %d bytes is not possible", path, limit)
	}
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *WAV) begin() error {
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			return fmt.Errorf("closing %s: %w", w.path, err)
		}
	}
	err := os.Rename(w.path, w.path+".1")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("putting the last WAV file aside: %w", err)
	}
	// O_EXCL: never write through a link that somebody put here.
	w.file, err = os.OpenFile(w.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("creating the hall's WAV file (does the folder exist, may we write to it?): %w", err)
	}
	w.size = 0
	return w.header()
}

// header writes the 44 bytes of a RIFF WAVE header for PCM.
func (w *WAV) header() error {
	const bytesPerSample = 2
	h := make([]byte, 0, wavHeader)
	le := binary.LittleEndian
	h = append(h, "RIFF"...)
	h = le.AppendUint32(h, uint32(wavHeader-8+w.size))
	h = append(h, "WAVEfmt "...)
	h = le.AppendUint32(h, 16)
	h = le.AppendUint16(h, 1) // PCM
	h = le.AppendUint16(h, 1) // channels
	h = le.AppendUint32(h, codec.Rate)
	h = le.AppendUint32(h, codec.Rate*bytesPerSample)
	h = le.AppendUint16(h, bytesPerSample)
	h = le.AppendUint16(h, 8*bytesPerSample)
	h = append(h, "data"...)
	h = le.AppendUint32(h, uint32(w.size))
	if _, err := w.file.WriteAt(h, 0); err != nil {
		return fmt.Errorf("writing the WAV header: %w", err)
	}
	return nil
}

// Write appends a frame: the sound first, then the header that counts it.
func (w *WAV) Write(pcm []int16) error {
	b := w.buf[:0]
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	if wavHeader+w.size+int64(len(b)) > w.limit {
		if err := w.begin(); err != nil {
			return err
		}
	}
	if _, err := w.file.WriteAt(b, wavHeader+w.size); err != nil {
		return fmt.Errorf("writing %s: %w", w.path, err)
	}
	w.size += int64(len(b))
	return w.header()
}

// Close ends the file.
func (w *WAV) Close() error { return w.file.Close() }
