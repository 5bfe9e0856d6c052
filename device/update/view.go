package update

import "time"

// View returns what screens show.
func (u *Updater) View() View {
	u.mu.Lock()
	defer u.mu.Unlock()
	v := View{State: u.phase, Reason: u.reason, Current: u.opt.Release.Version, Last: u.told()}
	m := u.chosen
	switch u.phase {
	case Installing, Installed, Rebooting:
		v.Reason, v.Percent, v.Step = "", u.percent, u.step
	case Failed:
	default:
		v.State, v.Reason, m = u.standing()
	}
	f := facts{current: v.Current, percent: v.Percent}
	if m != nil {
		v.Version, v.Notes, v.Built, v.Size = m.bundle.Version, m.bundle.Description, m.bundle.Build, m.size
		f.file, f.kind, f.want = m.file, m.bundle.Compatible, m.want
	} else if u.trial != nil {
		v.Version = u.trial.Version
	}
	f.version = v.Version
	text := say(u.topic(v, m), f)
	v.DE, v.EN = text.de, text.en
	return v
}

// standing is what the media come to when nothing is under way. The lock is held.
func (u *Updater) standing() (State, Reason, *medium) {
	switch offers := u.offers(); len(offers) {
	case 0:
	case 1:
		return Offered, "", offers[0]
	default:
		return Refused, TwoSticks, nil
	}
	var first *medium
	for _, m := range u.media {
		if first == nil || m.id < first.id {
			first = m
		}
	}
	if first == nil {
		return Idle, "", nil
	}
	return Refused, first.reason, first
}

// topic is what a view is about. The lock is held.
func (u *Updater) topic(v View, m *medium) topic {
	switch {
	case v.State == Refused:
		return topic("refused " + v.Reason)
	case v.State == Failed:
		return topic("failed " + v.Reason)
	case v.State == Offered && u.last != nil && u.last.Result == WentBack && u.last.Version == m.bundle.Version:
		return "offered again"
	case v.State == Idle && u.trying():
		return "on trial"
	case v.State == Idle && u.trial != nil:
		return "unsure"
	}
	return topic(v.State)
}

// told is the outcome to show. The lock is held.
func (u *Updater) told() *Outcome {
	r := u.last
	if t := u.trial; u.trying() {
		r = &record{Outcome: Outcome{Result: OnTrial, Version: t.Version, From: t.FromVersion, At: t.At}}
	}
	if r == nil {
		return nil
	}
	o := r.Outcome
	text := outcome(r)
	o.DE, o.EN = text.de, text.en
	return &o
}

// outcome is the sentence of a result.
func outcome(r *record) sentence {
	about := topic("last " + r.Result)
	if r.Late {
		about = "last went-back late"
	}
	return say(about, facts{version: r.Version, current: r.From})
}

// built is when a bundle was built, as far as its text can be understood.
func built(b Bundle) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "20060102150405", time.DateOnly} {
		if t, err := time.Parse(layout, b.Build); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
