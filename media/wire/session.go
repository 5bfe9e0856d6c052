package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

// session is one peer connection, a publisher's or a player's.
type session struct {
	host      *Host
	id        string // in the session's URL; not to be guessed
	number    uint64
	person    string
	many      bool // other sessions of the person may stand beside it
	direction Direction
	peer      string
	born      time.Time
	pc        *webrtc.PeerConnection
	estimator cc.BandwidthEstimator // players only
	tracks    []*track              // players only, in the order of the media lines

	ctx      context.Context // ends with the session
	cancel   context.CancelFunc
	verified chan struct{} // closed when the negotiated ciphers have been checked
	readers  sync.WaitGroup

	negotiate sync.Mutex // one offer or ICE restart at a time
	offer     *offer
	restarts  int

	mu      sync.Mutex
	up      bool
	ended   bool
	reason  string
	ufrag   string    // ours; the guard knows the peer by it
	crypto  [3]string // DTLS version, suite, SRTP profile
	closers []func()  // withdraw the session from the stage

	reported Leg    // what was told last; belongs to Host.report
	warned   string // of which codec the log has been told that it is missing; likewise

	audioAt, videoAt atomic.Int64 // unix ns of the newest packet
	unreported       atomic.Int64 // unix ns of the first packet sent since the player last reported that some arrive; 0: none
	packets          atomic.Uint64
	keys             atomic.Uint64
	feedback         atomic.Bool   // transport-wide feedback has come
	missing          atomic.Uint32 // the stage.Codec left out last
	missingAt        atomic.Int64  // unix ns of the newest packet left out
	omitted          atomic.Uint64 // packets left out
}

// errAnswer is returned when pion cannot make an answer in time.
var errAnswer = errors.New("no answer could be made")

const answerLimit = 5 * time.Second // gathering one UDP port's candidates takes milliseconds

// open makes a session from an offer and returns it with the answer.
func (h *Host) open(caller Caller, peer string, d Direction, o *offer) (*session, string, error) {
	pc, estimator, err := h.newPeer(d, o.role)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{
		host: h, id: rand.Text(), person: caller.Person, many: caller.Many, direction: d, peer: peer, born: time.Now(),
		pc: pc, estimator: estimator, ctx: ctx, cancel: cancel, verified: make(chan struct{}), offer: o,
	}
	if d == Publish {
		pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) { s.spawn(func() { s.receive(t, r) }) })
	} else if err = s.addTracks(); err != nil {
		s.abandon()
		return nil, "", err
	}
	for _, t := range s.tracks {
		s.spawn(t.readRTCP)
	}
	answer, err := s.answer(ctx)
	if err == nil {
		err = h.add(s)
	}
	if err != nil {
		s.abandon()
		return nil, "", err
	}
	pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { h.touch(s) })
	h.touch(s)
	s.spawn(func() {
		var expired <-chan time.Time // never
		if !caller.Expires.IsZero() {
			timer := time.NewTimer(time.Until(caller.Expires))
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-caller.Gone:
			s.close("the link was withdrawn")
		case <-expired:
			s.close("the link has expired")
		case <-s.ctx.Done():
		}
	})
	return s, answer, nil
}

// spawn runs f on a goroutine the session's end waits for.
func (s *session) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.readers.Go(f)
	}
}

// abandon takes the connection down and waits for all that belongs to it.
func (s *session) abandon() {
	s.cancel()
	s.mu.Lock()
	s.host.mux.guard.forget(s.ufrag)
	s.mu.Unlock()
	if err := s.pc.GracefulClose(); err != nil {
		s.host.log.Debug("closing a peer connection", "err", err)
	}
	s.readers.Wait()
}

// answer hands the offer to pion and waits for the answer with all candidates.
func (s *session) answer(ctx context.Context) (string, error) {
	text, err := s.offer.text()
	if err != nil {
		return "", err
	}
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	for _, t := range s.tracks {
		if err := t.narrow(); err != nil {
			return "", err
		}
	}
	local, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	gathered := webrtc.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(local); err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	timeout := time.NewTimer(answerLimit)
	defer timeout.Stop()
	select {
	case <-gathered:
		text := s.pc.LocalDescription().SDP
		return text, s.letIn(text)
	case <-ctx.Done():
		return "", ErrClosed
	case <-timeout.C:
		return "", errAnswer
	}
}

// letIn has the guard take the peer's checks under the credentials of our answer, and those before no more.
func (s *session) letIn(answer string) error {
	var ours sdp.SessionDescription
	if err := ours.UnmarshalString(answer); err != nil {
		return fmt.Errorf("reading our own answer: %w", err)
	}
	ufrag, pwd := credentials(&ours)
	remoteUfrag, remotePwd := credentials(s.offer.desc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return ErrClosed
	}
	if s.ufrag != ufrag {
		s.host.mux.guard.forget(s.ufrag)
	}
	s.ufrag = ufrag
	s.host.mux.guard.know(ufrag, pwd, remoteUfrag, remotePwd)
	return nil
}

// etag names the session's present ICE credentials, RFC 9725 section 4.3.1.
// s.negotiate is held or the session is new.
func (s *session) etag() string { return strconv.Quote(s.id[:8] + "-" + strconv.Itoa(s.restarts)) }

// look brings the session up to date with its peer connection. Only Run calls it.
func (s *session) look() {
	if s.ctx.Err() != nil {
		return
	}
	switch s.pc.ConnectionState() {
	case webrtc.PeerConnectionStateConnected:
		s.connected()
	case webrtc.PeerConnectionStateDisconnected:
		s.setUp(false)
	case webrtc.PeerConnectionStateFailed:
		s.close(s.failure("the connection was lost"))
	case webrtc.PeerConnectionStateClosed:
		s.close(s.failure("the peer has left"))
	default:
		s.setUp(false)
		if !s.isVerified() && time.Since(s.born) > connectLimit {
			s.close(s.failure(""))
		}
	}
}

func (s *session) isVerified() bool {
	select {
	case <-s.verified:
		return true
	default:
		return false
	}
}

func (s *session) setUp(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = up && !s.ended
}

// failure says in words why the session ended when its connection did.
// otherwise is the reason for a connection that had stood.
func (s *session) failure(otherwise string) string {
	if s.isVerified() {
		return otherwise
	}
	switch s.pc.ICEConnectionState() {
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted, webrtc.ICEConnectionStateClosed:
		// Packets went both ways (only a DTLS alert closes the connection from afar).
		return "refused: no encrypted connection came about; the peer must offer DTLS 1.2 ECDHE-ECDSA with AES-GCM on P-256 or P-384 and SRTP AES-GCM"
	default:
		return "no connection: is UDP to the media port blocked?"
	}
}

// connected reads the negotiated ciphers back and lets media through when they
// are as strong as the profile demands.
func (s *session) connected() {
	if s.isVerified() {
		s.setUp(true)
		return
	}
	stats := s.pc.GetStats()
	// pion v4.2.26 reads its statsGetter there outside its lock and clears it when
	// the peer hangs up. Taking the lock once more puts the two in order; the field
	// is nil here in any case.
	s.pc.GetTransceivers()
	for _, st := range stats {
		if t, ok := st.(webrtc.TransportStats); ok {
			s.mu.Lock()
			s.crypto = [3]string{dtlsVersion(t.TLSVersion), t.DTLSCipher, t.SRTPCipher}
			s.mu.Unlock()
		}
	}
	if srtp := s.leg().SRTP; !s.host.profile.accepts(srtp) {
		s.close(fmt.Sprintf("refused: SRTP profile %q is not allowed here", srtp))
		return
	}
	if s.direction == Play {
		if err := s.startTracks(); err != nil {
			s.close(err.Error())
			return
		}
	}
	s.setUp(true)
	close(s.verified)
}

// dtlsVersion turns the version number on the wire into the one people know.
func dtlsVersion(hex string) string {
	if hex == "FEFD" {
		return "1.2"
	}
	return hex
}

// whenClosed has f called when the session ends, at once if it has ended.
func (s *session) whenClosed(f func()) {
	s.mu.Lock()
	ended := s.ended
	if !ended {
		s.closers = append(s.closers, f)
	}
	s.mu.Unlock()
	if ended {
		f()
	}
}

// close ends the session. When it returns the stage takes nothing from the peer
// and sends nothing to it; the connection itself is taken down behind it.
func (s *session) close(reason string) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.up, s.reason = true, false, reason
	closers := s.closers
	s.closers = nil
	s.mu.Unlock()
	s.cancel()
	for _, f := range closers {
		f()
	}
	s.host.remove(s)
	s.host.touch(s)
	go func() {
		defer s.host.closing.Done()
		s.abandon()
	}()
}

func (s *session) leg() Leg {
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := func(at *atomic.Int64) bool {
		return s.up && time.Since(time.Unix(0, at.Load())) < fresh
	}
	since, play := s.unreported.Load(), s.direction == Play
	arrives := since == 0 || time.Since(time.Unix(0, since)) < reportLimit || !recent(&s.audioAt) && !recent(&s.videoAt)
	l := Leg{
		Person: s.person, Direction: s.direction, Session: s.number, Up: s.up,
		Audio: recent(&s.audioAt) && (!play || arrives), Video: recent(&s.videoAt) && (!play || arrives),
		Arrives: play && s.up && arrives,
		DTLS:    s.crypto[0], Cipher: s.crypto[1], SRTP: s.crypto[2], Peer: s.peer, Reason: s.reason,
	}
	if recent(&s.missingAt) {
		l.Missing = stage.Codec(s.missing.Load()).String()
	}
	return l
}

// sent notes a packet that went to a player. After a silence the player has time to report anew.
func (s *session) sent(kind stage.Kind, now time.Time) {
	last := time.Unix(0, max(s.audioAt.Load(), s.videoAt.Load()))
	if s.unreported.Load() == 0 || now.Sub(last) > fresh {
		s.unreported.Store(now.UnixNano())
	}
	if kind == stage.Audio {
		s.audioAt.Store(now.UnixNano())
	} else {
		s.videoAt.Store(now.UnixNano())
	}
}

// leftOut counts a packet the player cannot be sent. It is called under a slot's lock.
func (s *session) leftOut(codec stage.Codec) {
	s.missing.Store(uint32(codec))
	s.missingAt.Store(time.Now().UnixNano())
	s.omitted.Add(1)
}

func (s *session) stats() LegStats {
	st := LegStats{Leg: s.leg(), Packets: s.packets.Load(), LeftOut: s.omitted.Load(), KeyRequests: s.keys.Load()}
	for _, t := range s.tracks {
		sent, resent, loss := t.figures()
		st.Packets += sent
		st.Resent += resent
		st.Loss = max(st.Loss, loss)
	}
	if s.feedback.Load() {
		st.Estimate = s.estimator.GetTargetBitrate()
	}
	return st
}
