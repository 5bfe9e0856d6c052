package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

const (
	seat7 = "Jasmin Keller" // who sits at desk 7 of the demo
	aylin = "Aylin Demir"   // the first remote member
)

// house is the demo with the chair, a remote member, the hall screen and an independent listener.
type house struct {
	*demo
	panel, member, screen *tab
	other                 *listener // the second remote member, a Go peer that only listens
}

// openHouse is for tests that are not parallel: two houses at a time keep a machine of two cores busier than twice one.
func openHouse(t *testing.T) house {
	t.Helper()
	d := startDemo(t)
	b := startBrowser(t)
	h := house{demo: d}
	h.panel = b.open("panel", d.Panel, 1280, 800)
	h.panel.do(chromedp.WaitVisible(chromedp.CSS("#pin")), chromedp.SendKeys(chromedp.CSS("#pin"), d.ChairPIN+"\r"))
	h.panel.until("the chair is in", `window.document.querySelector('[data-action="next"]')`)
	h.member = b.open("member", d.Members[0].Link, 1280, 800)
	h.screen = b.open("screen", d.Screen, 1920, 1080)
	h.other = d.listen(d.Members[1].Token, 4)
	h.member.until("the member's sound and picture work both ways", presence("a.demir", "remote"))
	return h
}

// presence is what everybody is told of a person.
func presence(person, is string) string {
	return fmt.Sprintf(`window.__plenum.view.people.find(p => p.id === '%s').presence === '%s'`, person, is)
}

// order is the list as a page shows it.
func (tb *tab) order(selector string) string {
	tb.t.Helper()
	var got []string
	tb.eval(fmt.Sprintf(`[...document.querySelectorAll('%s')].map(e => e.textContent.replace(/ \(.*/, ''))`, selector), &got)
	return fmt.Sprint(got)
}

func TestSittingEndToEnd(t *testing.T) {
	h := openHouse(t)

	// A desk key and a raised hand reach one list.
	h.ctl("demo", "press", "7")
	eventually(t, "desk 7 on the list", func() bool { return h.waiting() == seat7 })
	h.member.click(`[data-action="raise"]`)
	eventually(t, "both on the list", func() bool { return h.waiting() == seat7+", "+aylin })
	want := fmt.Sprint([]string{seat7, aylin})
	for tb, selector := range map[*tab]string{
		h.panel:  ".request .name",
		h.member: ".order-requests .order-name",
		h.screen: ".screen-next-name",
	} {
		eventually(t, "the same order on the "+tb.name+" page", func() bool { return tb.order(selector) == want })
	}
	l := h.list()
	if l.Requests[0].Seat != "7" || l.Requests[0].Origin != "desk" || l.Requests[1].Origin != "remote" || !l.Requests[0].At.Before(l.Requests[1].At) {
		t.Fatalf("the list is %+v", l.Requests)
	}

	// The word to desk 7: its microphone opens, the member hears the hall.
	h.panel.click(`[data-person="platz-7"] [data-action="grant"]`)
	eventually(t, "desk 7's ring is red", func() bool { open, _ := h.desk("7"); return open })
	h.panel.until("the panel knows that it is open", `document.querySelector('[data-person="platz-7"].speaker-open')`)
	h.member.until("the member hears the hall", `(await window.__plenum.stats())['audio.hall']?.audioLevel > 0.005`)
	h.member.until("pictures arrive", `(s => s['video.word']?.framesDecoded > 10 && s['video.hall']?.framesDecoded > 10)(await window.__plenum.stats())`)
	if n := h.other.voicesIn(h.other.mark()); n != 0 {
		t.Fatalf("%d voice packets came while no remote member had the word", n)
	}

	// The word to the member: sound and picture go out, the slot switches, the hall hears.
	h.other.sees("the word slot shows a hall camera", "video0", look.hall)
	h.panel.click(`[data-person="a.demir"] [data-action="grant"]`)
	h.member.until("the member is told", `document.querySelector('.my-word')`)
	eventually(t, "the member's voice arrives elsewhere", func() bool { return h.other.voices() > 25 })
	h.other.sees("the word slot shows the member", "video0", look.member)
	eventually(t, "the hall hears the member", func() bool { return h.hallLoud() })
	h.screen.until("the hall screen shows the member's picture", greenInPage)
	h.member.shot("member-speaking")
	h.panel.shot("panel-speaking")
	h.screen.shot("screen-speaking")

	h.withdrawn()

	// No renegotiation, no gap that anybody would see.
	for _, tb := range []*tab{h.member, h.screen} {
		var n int
		tb.eval(`window.__plenum.negotiations`, &n)
		if n != 0 {
			t.Errorf("%s renegotiated %d times", tb.name, n)
		}
	}
	if fault := h.other.broken(); fault != "" {
		t.Errorf("a slot's numbers are not one stream: %s", fault)
	}
}

// withdrawn takes the word: nothing more of the member reaches anybody, although the browser goes on sending.
func (h house) withdrawn() {
	h.t.Helper()
	h.ctl("withdraw", aylin)
	cut := h.other.mark() // what comes from here on left the box after it had answered
	var sent float64
	h.member.eval(outbound, &sent)
	h.member.until("the browser goes on sending", fmt.Sprintf("await %s >= %v", outbound, sent+100))
	h.other.goesOn("audio0", cut, 100) // the hall's sound, by the same way
	if n := h.other.voicesIn(h.other.mark()) - h.other.voicesIn(cut); n != 0 {
		h.t.Fatalf("%d packets of the member left the box after the withdrawal", n)
	}
	h.other.sees("the word slot shows a hall camera again", "video0", look.hall)
	h.screen.until("the hall screen does not show the member any more", "!"+greenInPage)
}

// outbound is how many sound packets the member's browser has sent.
const outbound = `(async () => {
	let n = 0
	for (const s of (await window.__plenum.pcs.whip.getStats()).values()) if (s.type === 'outbound-rtp' && s.kind === 'audio') n += s.packetsSent
	return n
})()`
