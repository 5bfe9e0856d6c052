package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"plenum/media/stage"
)

const (
	maxOffer = 64 << 10 // bytes
	maxLines = 32       // media lines of an offer
)

// errOffer marks an offer that is well formed but cannot be served.
var errOffer = errors.New("the offer cannot be served")

// offer is a checked session description of a peer.
type offer struct {
	desc  *sdp.SessionDescription
	kinds []stage.Kind // of the media lines, in order
	role  webrtc.DTLSRole
}

// parseOffer reads an offer and checks that the box can serve it. open is our
// DTLS role when the offer leaves it to us.
func parseOffer(body []byte, d Direction, voices int, open webrtc.DTLSRole) (*offer, error) {
	var desc sdp.SessionDescription
	if err := desc.Unmarshal(body); err != nil {
		return nil, fmt.Errorf("reading the session description: %w", err)
	}
	o := &offer{desc: &desc, role: open}
	if len(desc.MediaDescriptions) == 0 || len(desc.MediaDescriptions) > maxLines {
		return nil, fmt.Errorf("%w: it has %d media lines", errOffer, len(desc.MediaDescriptions))
	}
	if _, lite := desc.Attribute("ice-lite"); lite {
		return nil, fmt.Errorf("%w: both sides are ICE-lite", errOffer)
	}
	for i, m := range desc.MediaDescriptions {
		kind, err := checkLine(m, d)
		if err != nil {
			return nil, fmt.Errorf("%w: media line %d: %w", errOffer, i+1, err)
		}
		o.kinds = append(o.kinds, kind)
		if role := setup(&desc, m, open); i == 0 {
			o.role = role
		}
		// As the lite side we never send checks, so peers' candidates are of no
		// use, and a host name in one must not be looked up.
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
			return a.Key == "candidate" || a.Key == "end-of-candidates"
		})
	}
	maxVideo, maxAudio := 1, 1
	if d == Play {
		maxVideo, maxAudio = 2, 1+voices
	}
	if o.count(stage.Video) > maxVideo || o.count(stage.Audio) > maxAudio {
		return nil, fmt.Errorf("%w: at most %d video and %d audio lines can be %sed", errOffer, maxVideo, maxAudio, d)
	}
	return o, nil
}

func (o *offer) count(kind stage.Kind) (n int) {
	for _, k := range o.kinds {
		if k == kind {
			n++
		}
	}
	return n
}

// text returns the description as it is handed to pion.
func (o *offer) text() (string, error) {
	b, err := o.desc.Marshal()
	if err != nil {
		return "", fmt.Errorf("writing the session description: %w", err)
	}
	return string(b), nil
}

// checkLine checks one media line and turns its direction into the one that is meant.
func checkLine(m *sdp.MediaDescription, d Direction) (stage.Kind, error) {
	codecs := map[string]string{"video": "vp8/90000", "audio": "opus/48000"}
	codec, ok := codecs[m.MediaName.Media]
	if !ok {
		return 0, fmt.Errorf("%q is not carried here, only audio and video", m.MediaName.Media)
	}
	if _, bundled := m.Attribute("bundle-only"); m.MediaName.Port.Value == 0 && !bundled {
		return 0, errors.New("its port is 0")
	}
	if mid, ok := m.Attribute("mid"); !ok || mid == "" {
		return 0, errors.New("it has no mid")
	}
	if !offers(m, codec) {
		return 0, fmt.Errorf("it does not offer %s", codec)
	}
	want, other := "sendonly", "recvonly"
	if d == Play {
		want, other = other, want
	}
	m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool { return a.Key == "sendrecv" })
	for _, a := range m.Attributes {
		if a.Key == other || a.Key == "inactive" {
			return 0, fmt.Errorf("it is %s, a peer that wants to %s offers %s", a.Key, d, want)
		}
	}
	if _, ok := m.Attribute(want); !ok {
		m.Attributes = append(m.Attributes, sdp.Attribute{Key: want})
	}
	if m.MediaName.Media == "video" {
		return stage.Video, nil
	}
	return stage.Audio, nil
}

// offers tells whether the line has a codec, "name/rate" in lower case.
func offers(m *sdp.MediaDescription, codec string) bool {
	return slices.ContainsFunc(m.Attributes, func(a sdp.Attribute) bool {
		if a.Key != "rtpmap" {
			return false
		}
		_, name, _ := strings.Cut(a.Value, " ")
		return strings.HasPrefix(strings.ToLower(name), codec)
	})
}

// setup returns our DTLS role for a peer's a=setup, RFC 5763 section 5.
func setup(desc *sdp.SessionDescription, m *sdp.MediaDescription, open webrtc.DTLSRole) webrtc.DTLSRole {
	value, ok := m.Attribute("setup")
	if !ok {
		value, _ = desc.Attribute("setup")
	}
	switch value {
	case "active":
		return webrtc.DTLSRoleServer
	case "passive":
		return webrtc.DTLSRoleClient
	}
	return open
}

// credentials returns the first ICE user fragment and password of a description.
func credentials(desc *sdp.SessionDescription) (ufrag, pwd string) {
	ufrag, _ = desc.Attribute("ice-ufrag")
	pwd, _ = desc.Attribute("ice-pwd")
	for _, m := range desc.MediaDescriptions {
		if v, ok := m.Attribute("ice-ufrag"); ok && ufrag == "" {
			ufrag = v
		}
		if v, ok := m.Attribute("ice-pwd"); ok && pwd == "" {
			pwd = v
		}
	}
	return ufrag, pwd
}

// restart replaces the peer's ICE credentials everywhere in the offer.
func (o *offer) restart(ufrag, pwd string) {
	replace := func(attrs []sdp.Attribute) {
		for i := range attrs {
			switch attrs[i].Key {
			case "ice-ufrag":
				attrs[i].Value = ufrag
			case "ice-pwd":
				attrs[i].Value = pwd
			}
		}
	}
	replace(o.desc.Attributes)
	for _, m := range o.desc.MediaDescriptions {
		replace(m.Attributes)
	}
}
