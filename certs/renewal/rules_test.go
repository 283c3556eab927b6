package renewal

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/store"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func certificate(t *testing.T, from, to time.Time) *certs.Certificate {
	t.Helper()
	c, err := certs.ParseBundle("test", newCA(t, 0).bundle(from, to, host))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPlan(t *testing.T) {
	ninety := certificate(t, epoch, epoch.Add(90*day))
	six := certificate(t, epoch, epoch.Add(6*day))
	hours := certificate(t, epoch.Add(-time.Hour), epoch.Add(time.Hour))
	window := func(from, to time.Duration) *Window {
		return &Window{Start: epoch.Add(from), End: epoch.Add(to)}
	}
	for _, c := range []struct {
		name     string
		cert     *certs.Certificate
		lot      float64
		advice   *Window
		obtained time.Time
		want     time.Duration // after epoch
		why      Reason
	}{
		{"two thirds of 90 days", ninety, 0, nil, time.Time{}, 60 * day, Due},
		{"up to a twentieth earlier", ninety, 1, nil, time.Time{}, 60*day - 108*time.Hour, Due},
		{"half of what lives less than 10 days", six, 0, nil, time.Time{}, 3 * day, Due},
		{"half of what is left of a backdated one", hours, 0, nil, epoch, 30 * time.Minute, Due},
		{"the beginning of the CA's window", ninety, 0, window(10*day, 12*day), time.Time{}, 10 * day, Advised},
		{"its middle", ninety, 0.5, window(10*day, 12*day), time.Time{}, 11 * day, Advised},
		{"advice in the past", ninety, 0.5, window(-2*day, -day), time.Time{}, -36 * time.Hour, Advised},
		{"advice against what was issued just now", ninety, 0.5, window(-2*day, -day), epoch, day, Advised},
		{"advice after the end", ninety, 0.5, window(100*day, 102*day), time.Time{}, 81 * day, Advised},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := planFor(c.cert, c.lot, c.advice, c.obtained)
			if !got.at.Equal(epoch.Add(c.want)) || got.why != c.why {
				t.Errorf("got %v after issuance (%s), want %v (%s)", got.at.Sub(epoch), got.why, c.want, c.why)
			}
		})
	}
	t.Run("the lot is the certificate's own and in [0, 1)", func(t *testing.T) {
		a, b := lot(ninety), lot(six)
		if a == b || a != lot(ninety) || a < 0 || a >= 1 || b < 0 || b >= 1 {
			t.Errorf("lots %v and %v", a, b)
		}
	})
}

func TestCooldown(t *testing.T) {
	for _, c := range []struct {
		failures int
		life     time.Duration
		random   float64
		want     time.Duration
	}{
		{1, 90 * day, 0, time.Minute},
		{2, 90 * day, 0, 2 * time.Minute},
		{6, 90 * day, 0, 32 * time.Minute},
		{7, 90 * day, 0, time.Hour},
		{1 << 40, 0, 0, time.Hour},
		{1, 0, 0.8, 72 * time.Second},
		{1, 30 * time.Second, 0, 1500 * time.Millisecond},
		{9, 30 * time.Second, 0, 3 * time.Second},
		{1, time.Second, 0, time.Second},
	} {
		t.Run(fmt.Sprintf("failure %d with a life of %v", c.failures, c.life), func(t *testing.T) {
			if got := cooldown(c.failures, c.life, c.random); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	t.Run("a hold from the future begins now and keeps its length", func(t *testing.T) {
		h := hold{Since: epoch.Add(time.Hour), Until: epoch.Add(3 * time.Hour), Kind: holdCooldown}.settle(epoch)
		if h.Since != epoch || h.Until != epoch.Add(2*time.Hour) || h.settle(epoch) != h {
			t.Errorf("got %+v", h)
		}
	})
}

func TestHostBudget(t *testing.T) {
	limits := Limits{}.orDefaults()
	budget := func(outcome string, ages ...time.Duration) *hostBudget {
		b := new(hostBudget)
		for i, age := range ages {
			b.Orders = append(b.Orders, placed{ID: fmt.Sprint(outcome, i), At: epoch.Add(-age), Outcome: outcome})
		}
		return b
	}
	for _, c := range []struct {
		name   string
		budget *hostBudget
		life   time.Duration
		free   time.Duration // after epoch; 0: at once
	}{
		{"three issued leave one", budget(orderIssued, day, 2*day, 3*day), 90 * day, 0},
		{"four issued leave none until the first is a week old", budget(orderIssued, time.Hour, day, 2*day, 3*day), 90 * day, 4 * day},
		{"open ones count as issued", budget(orderOpen, time.Hour, day, 2*day, 3*day), 90 * day, 4 * day},
		{"what is older than a week is forgotten", budget(orderIssued, 7*day, 8*day, 9*day, time.Hour), 0, 0},
		{"four failed leave none for the hour", budget(orderFailed, 5*time.Minute, 20*time.Minute, 30*time.Minute, 50*time.Minute), 0, 10 * time.Minute},
		{"failures of the day do not count", budget(orderFailed, 2*time.Hour, 3*time.Hour, 4*time.Hour, 5*time.Hour), 0, 0},
		{"certificates of 30 s have a budget to match", budget(orderIssued, 31*time.Second, 40*time.Second, 50*time.Second, 60*time.Second), 30 * time.Second, 0},
		{"and a limit", budget(orderIssued, 1*time.Second, 2*time.Second, 3*time.Second, 20*time.Second), 30 * time.Second, 10 * time.Second},
		{"orders of the future count as of now", budget(orderIssued, -day, -day, -day, -day), 90 * day, 7 * day},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.budget.tidy(epoch, c.life)
			free, words := c.budget.check(c.life, limits)
			if c.free == 0 && epoch.Before(free) || c.free > 0 && (!free.Equal(epoch.Add(c.free)) || words == "") {
				t.Errorf("free %v after now (%s), want %v", free.Sub(epoch), words, c.free)
			}
		})
	}
	t.Run("two records of one order are one, with the outcome that is known", func(t *testing.T) {
		open, known := budget(orderOpen, time.Hour), budget(orderFailed, time.Hour)
		known.Orders[0].ID = open.Orders[0].ID
		open.merge(*known)
		if len(open.Orders) != 1 || open.Orders[0].Outcome != orderFailed {
			t.Errorf("got %+v", open.Orders)
		}
	})
}

func TestAccountBudget(t *testing.T) {
	var a accountBudget
	now := epoch
	for range 1000 {
		if _, words := a.take(now, accountWindow, 250); words != "" {
			now = now.Add(time.Minute)
		}
		now = now.Add(time.Second)
		a.tidy(now)
		recent := 0
		for _, at := range a.Orders {
			if now.Sub(at) < accountWindow {
				recent++
			}
		}
		if recent > 250 || len(a.Orders) > 250 {
			t.Fatalf("%d orders within 3 hours, %d kept", recent, len(a.Orders))
		}
	}
	value, err := json.Marshal(a)
	if err != nil || len(value) > store.MaxValueBytes/2 {
		t.Errorf("a record of %d bytes, %v", len(value), err)
	}
	early := accountBudget{Orders: []time.Time{epoch.Add(365 * day)}}
	if !early.tidy(epoch) || early.tidy(epoch) {
		t.Error("an order of the future is not moved once")
	}
}

func TestLedger(t *testing.T) {
	t.Run("holds the last 50 events, of which the store keeps what fits 4 kB", func(t *testing.T) {
		var l ledger
		for i := range 200 {
			l.add(Event{At: epoch.Add(time.Duration(i) * time.Minute), Kind: EventFailed, Holder: "web-1", Words: strings.Repeat("é", 2000)})
		}
		value, err := l.encode()
		if err != nil || len(l.Events) != 50 || len(value) > ledgerBytes || len(value) < ledgerBytes-ledgerWordsBytes-200 {
			t.Fatalf("%d events, %d bytes, %v", len(l.Events), len(value), err)
		}
		if !l.Events[49].At.Equal(epoch.Add(199 * time.Minute)) {
			t.Error("it is not the last that were kept")
		}
		kept, err := parseLedger(value)
		if err != nil || len(kept.Events) == 0 || !kept.Events[len(kept.Events)-1].At.Equal(epoch.Add(199*time.Minute)) {
			t.Errorf("%+v, %v", kept.Events, err)
		}
	})
	t.Run("fits the store whatever a CA's words are, and shows no control characters", func(t *testing.T) {
		var l ledger
		for i := range ledgerEvents {
			l.add(Event{At: epoch.Add(time.Duration(i)), Kind: EventFailed, Words: strings.Repeat("<\x1b[31m", 100)})
			l.Events[i].Words += strings.Repeat("<", 500)
		}
		value, err := l.encode()
		if err != nil || len(value) > ledgerBytes || strings.Contains(l.Events[0].Words, "\x1b") {
			t.Errorf("%d bytes, %v, %q", len(value), err, l.Events[0].Words)
		}
		if kept, err := parseLedger(value); err != nil || len(kept.Events) == 0 || !kept.Events[len(kept.Events)-1].At.Equal(l.Events[ledgerEvents-1].At) {
			t.Errorf("%+v, %v", kept, err)
		}
	})
	t.Run("merges another's events by time, each once", func(t *testing.T) {
		ours := ledger{Events: []Event{{At: epoch, Kind: EventOrdered}, {At: epoch.Add(2), Kind: EventIssued}}}
		theirs := []Event{{At: epoch, Kind: EventOrdered}, {At: epoch.Add(1), Kind: EventFailed}}
		ours.merge(theirs)
		ours.merge(theirs)
		if len(ours.Events) != 3 || ours.Events[1].Kind != EventFailed {
			t.Errorf("got %+v", ours.Events)
		}
	})
	t.Run("a stored hold is cut to a day", func(t *testing.T) {
		l, err := parseLedger([]byte(`{"failures":-5,"hold":{"since":"2026-01-01T00:00:00Z","until":"9999-01-01T00:00:00Z"},"life_seconds":99999999999999}`))
		if err != nil || l.Failures != 0 || l.Hold.Until.Sub(l.Hold.Since) != day || l.Life.duration() < 0 {
			t.Errorf("got %+v, %v", l, err)
		}
	})
	t.Run("every kind of event has words", func(t *testing.T) {
		for _, kind := range []string{EventOrdered, EventNote, EventIssued, EventFailed, EventTaken, EventLost, EventProof, EventStore, EventStored,
			EventBadEntry, EventAdvice, EventBudget, EventClock, EventShorter, EventOverdue, EventExpiring, EventNotYet} {
			e := Event{At: epoch, Kind: kind, Holder: "web-1", Serial: "5e", NotAfter: epoch, Reason: Due}
			if words := e.sentence(); words == kind || words == "" || !strings.Contains(e.String(), "web-1") {
				t.Errorf("%s has no words: %s", kind, e)
			}
		}
	})
}
