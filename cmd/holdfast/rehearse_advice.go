package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// advice is what to set so that nothing is lost, and why.
type advice struct {
	delay, timeout, grace time.Duration
	why                   []string
}

// newcomerMargin is the least that a lame duck should outlast the last newcomer by.
const newcomerMargin = 500 * time.Millisecond

// advise says what would have kept what was lost. Settings that lost nothing stay as they
// are, unless they were near to it.
func advise(s *settings, lag time.Duration, r *rehearsalReport) advice {
	a := advice{delay: s.DrainDelay, timeout: s.DrainTimeout}
	lost := early(r.tally.Leaving)
	if r.overLimit() > 0 {
		lost = 0 // a limit explains them as well
	}
	a.adviseDelay(lost, max(lag, r.extremes.Newcomer))
	a.adviseTimeout(r)
	a.grace = ceil(a.delay+a.timeout+time.Second, time.Second)
	a.adviseElse(s, r)
	return a
}

// early are the requests whose connection ended, or did not come about, before their
// response began: a server that had stopped too soon looks like that.
func early(ended traffic.Counts) (n int64) {
	for _, e := range []traffic.End{traffic.Refused, traffic.ResetFresh, traffic.ClosedFresh, traffic.ResetReused, traffic.ClosedReused} {
		n += ended[e]
	}
	return n
}

// adviseElse says what neither delay nor timeout explains.
func (a *advice) adviseElse(s *settings, r *rehearsalReport) {
	_, ended := r.tally.Sum()
	refused, cut := r.overLimit(), 0
	for _, n := range r.rounds {
		cut += n.end.Cut
		if n.end.Exit != exitOK && n.end.Cut == 0 {
			a.because("the server of round %d ended with exit code %d, though nothing was cut", n.number, n.end.Exit)
		}
	}
	if refused > 0 {
		a.because("connections over --max-connections %d: %d; raise it", s.MaxConnections, refused)
	}
	if n := early(ended) - early(r.tally.Leaving); n > 0 && refused == 0 {
		a.because("requests without a response though no stop was under way at their server: %d; see the losses", n)
	}
	if n := ended[traffic.Corrupt]; n > 0 {
		a.because("corrupt responses: %d, which no setting explains; please report that", n)
	}
	if n := ended[traffic.WrongStatus]; n > 0 {
		a.because("responses with another status than 200: %d; see the losses", n)
	}
	if n := ended[traffic.Truncated] + ended[traffic.TimedOut] + ended[traffic.Unfinished]; n > 0 && cut == 0 {
		a.because("responses that broke off or did not come, though no connection was cut: %d; see the losses", n)
	}
}

func (a *advice) because(format string, values ...any) {
	a.why = append(a.why, fmt.Sprintf(format, values...))
}

// adviseDelay fits the lame duck to when the last client came anew; lost are the requests that
// were early at a leaving server.
func (a *advice) adviseDelay(lost int64, newcomer time.Duration) {
	need := roundUp(newcomer + max(newcomer/2, newcomerMargin))
	switch {
	case a.delay < need && (lost > 0 || a.delay <= newcomer):
		a.because("clients chose a server up to %v after it was told to stop, and its lame duck lasted %v", newcomer.Round(time.Millisecond), a.delay)
		a.delay = need
	case lost > 0:
		a.because("requests whose connection ended under them all the same: %d; try a longer lame duck", lost)
		a.delay = roundUp(2 * a.delay)
	}
}

// adviseTimeout fits the drain to the longest request, where connections were cut.
func (a *advice) adviseTimeout(r *rehearsalReport) {
	cut := 0
	for _, n := range r.rounds {
		cut += n.end.Cut
	}
	if cut == 0 {
		return
	}
	a.because("connections cut at the drain timeout of %v: %d; the longest request took %v", a.timeout, cut, r.extremes.Request.Round(time.Millisecond))
	a.timeout = roundUp(max(a.timeout, r.extremes.Request) * 3 / 2)
}

// roundUp is a length that a person would have written.
func roundUp(d time.Duration) time.Duration {
	if d < time.Second {
		return ceil(d, 100*time.Millisecond)
	}
	return ceil(d, time.Second)
}

func ceil(d, unit time.Duration) time.Duration { return (d + unit - 1) / unit * unit }

// text is the advice for people.
func (a *advice) text() string {
	text := ""
	for _, why := range a.why {
		text += strings.ToUpper(why[:1]) + why[1:] + ".\n"
	}
	if len(a.why) == 0 {
		text = "These settings lost nothing.\n"
	}
	return text + fmt.Sprintf("Set --drain-delay %v --drain-timeout %v, and grant at least %v between SIGTERM and SIGKILL.\n", a.delay, a.timeout, a.grace)
}
