package capture

import (
	"context"
	"errors"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"plenum/hal/camera"
)

const (
	keyWait  = 10 * time.Second       // how long the first key frame with its parameter sets may take
	askEvery = 500 * time.Millisecond // a camera is not asked for key frames more often
)

// errNoKey: nobody could ever join the camera's stream.
var errNoKey = errors.New("its H.264 has no key frame with parameter sets: set the camera's encoder to send them, or take another format")

// passPictures sends a camera's own H.264 on as it is, in packetization mode 1 (RFC 6184).
func (s *Source) passPictures(ctx context.Context, l *lens, write func(*rtp.Packet)) error {
	// Parameter sets go as packets of their own: a camera may have more than one of a kind.
	s.stream.carry(PayloadH264, &codecs.H264Payloader{DisableStapA: true})
	defer s.eye.close()
	p := passing{s: s, l: l, begun: time.Now(), holding: true}
	for ctx.Err() == nil {
		f, err := l.next()
		if err != nil {
			return err
		}
		at := f.At
		picture, key := p.units.picture(f.Data)
		f.Release()
		if s.key.Load() && p.ask() {
			s.key.Store(false)
		}
		if p.admit(key) && len(picture) > 0 {
			s.eye.sent(at, !key && p.moves(len(picture)))
			s.send(picture, s.stream.stamp(at), key, 0, write)
		}
		if !p.live && time.Since(p.begun) > keyWait {
			return errNoKey
		}
	}
	return ctx.Err()
}

// passing is the state of one attempt.
type passing struct {
	s       *Source
	l       *lens
	units   units
	begun   time.Time
	asked   time.Time
	mute    bool // the camera cannot be asked for a key frame
	live    bool // the first picture has gone out
	holding bool // nothing goes out before the next key frame
}

// admit decides whether a picture goes out. What follows a lost one shows rubbish until the next key frame, so it is held back
// when the camera can be asked for that; when it cannot, rubbish is better than a picture that stands still for ten seconds.
func (p *passing) admit(key bool) bool {
	broke := p.l.broke
	p.l.broke = false
	if key {
		p.holding = false
		if !p.live {
			p.live = true
			p.s.came(p.l)
		}
		return true
	}
	p.holding = p.holding || broke
	if p.holding {
		p.ask()
	}
	if p.mute && p.live {
		p.holding = false
	}
	return !p.holding
}

// ask asks for a key frame; false when it is too early to ask again.
func (p *passing) ask() bool {
	if p.mute {
		return true
	}
	if time.Since(p.asked) < askEvery {
		return false
	}
	p.asked = time.Now()
	err := p.l.dev.ForceKey()
	if errors.Is(err, camera.ErrNoControl) {
		p.mute = true
		p.s.o.Log.Info("this camera sends key frames when it likes and cannot be asked; who joins waits for the next one")
	} else if err != nil {
		p.s.o.Log.Warn("asking the camera for a key frame", "error", err)
	}
	return true
}

// moves judges by the size, since nothing is decoded: a picture in which nothing moves says about as much in less than a bit
// for each of its macroblocks of 16x16 pixels.
func (p *passing) moves(bytes int) bool {
	return bytes*8 > p.l.mode.Width*p.l.mode.Height/256
}

// NAL unit types, ITU-T H.264 table 7-1.
const (
	nalSlice     = 1 // a picture that needs others
	nalIDR       = 5 // one that stands on its own
	nalSPS       = 7
	nalPPS       = 8
	nalDelimiter = 9
	nalFiller    = 12
	maxSet       = 4096 // bytes of a parameter set that are believed
)

// units reads access units and remembers the parameter sets, so that every key frame can carry them.
type units struct {
	sps, pps map[uint32][]byte // by their ids
}

// picture takes an access unit with start codes (ITU-T H.264, annex B) apart and puts it together anew, in memory of its own:
// the known parameter sets before a key frame, and nowhere else; no delimiters, no filler. It is nil when there is no picture
// in the unit, or a key frame whose parameter sets have never been seen.
func (u *units) picture(data []byte) (picture []byte, key bool) {
	var rest []byte
	pictures := false
	for nal := range nals(data) {
		switch typ := nal[0] & 0x1f; typ {
		case nalSPS:
			u.sps = remember(u.sps, nal, 4)
			continue
		case nalPPS:
			u.pps = remember(u.pps, nal, 1)
			continue
		case nalDelimiter, nalFiller:
			continue
		case nalIDR:
			key = true
			pictures = true
		default:
			pictures = pictures || typ >= nalSlice && typ < nalIDR
		}
		rest = appendUnit(rest, nal)
	}
	if !pictures || key && (len(u.sps) == 0 || len(u.pps) == 0) {
		return nil, false
	}
	if key {
		picture = appendSets(appendSets(picture, u.sps), u.pps)
	}
	return append(picture, rest...), key
}

// remember keeps a copy of a parameter set whose id begins at byte at.
func remember(sets map[uint32][]byte, nal []byte, at int) map[uint32][]byte {
	if len(nal) <= at || len(nal) > maxSet {
		return sets
	}
	id, ok := golomb(nal[at:])
	if !ok || id > 255 {
		return sets
	}
	if sets == nil {
		sets = map[uint32][]byte{}
	}
	sets[id] = append([]byte(nil), nal...)
	return sets
}
