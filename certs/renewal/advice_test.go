package renewal

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// adviser answers as f does.
type adviser struct {
	mu    sync.Mutex
	f     func(leaf *x509.Certificate) (Window, error)
	asked []time.Time
}

func (a *adviser) Window(_ context.Context, leaf, _ *x509.Certificate) (Window, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, time.Now())
	return a.f(leaf)
}

func (a *adviser) set(f func(leaf *x509.Certificate) (Window, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.f = f
}

// questions returns how often it was asked.
func (a *adviser) questions() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

// advised is a replica's configuration with an adviser.
func advised(a *adviser) func(*Config) {
	return func(c *Config) { c.Adviser, c.Limits.Look = a, time.Hour }
}

// inWindow advises to renew between two moments of a certificate's life.
func inWindow(from, to, again time.Duration) func(*x509.Certificate) (Window, error) {
	return func(leaf *x509.Certificate) (Window, error) {
		return Window{Start: leaf.NotBefore.Add(from), End: leaf.NotBefore.Add(to), AskAgain: time.Now().Add(again), Explanation: "https://ca.example/why"}, nil
	}
}

func TestAdvice(t *testing.T) {
	bubble(t, "a certificate is renewed within the CA's window, which is polled as it asks", func(t *testing.T) {
		w, a := newWorld(t, 90*day), &adviser{f: inWindow(20*day, 22*day, 6*time.Hour)}
		r := w.start("a", advised(a), host)
		pass(19 * day)
		wantOrders(t, w.ca, 1, 1)
		if n := a.questions(); n < 19*4-2 || n > 19*4+2 {
			t.Errorf("asked %d times in 19 days, want every 6 hours", n)
		}
		if st := r.status(); st.Why != Advised {
			t.Errorf("status %+v", st)
		}
		pass(3*day + time.Hour)
		wantOrders(t, w.ca, 2, 2)
	})
	bubble(t, "a window that moves into the past is followed at once, and said", func(t *testing.T) {
		w, a := newWorld(t, 90*day), &adviser{f: inWindow(60*day, 62*day, 6*time.Hour)}
		r := w.start("a", advised(a), host)
		pass(5 * day)
		revoked := r.Certificates()[0].Leaf()
		a.set(func(leaf *x509.Certificate) (Window, error) {
			if leaf.Equal(revoked) {
				return inWindow(0, time.Hour, 6*time.Hour)(leaf)
			}
			return inWindow(60*day, 62*day, 6*time.Hour)(leaf)
		})
		pass(7 * time.Hour)
		wantOrders(t, w.ca, 2, 2)
		e, err := r.Explain(host)
		if err != nil || !hasEvent(e, EventAdvice, "https://ca.example/why; before") || r.Figures().AdviceMoved != 1 {
			t.Errorf("%v, events %v", err, e.Events)
		}
	})
	bubble(t, "a CA that advises to renew everything at once is followed once a day, within the budget", func(t *testing.T) {
		w, a := newWorld(t, 90*day), &adviser{f: inWindow(-day, -time.Hour, time.Minute)}
		w.start("a", advised(a), host)
		pass(3*day + time.Hour)
		wantOrders(t, w.ca, 4, 4)
		pass(3 * day)
		wantOrders(t, w.ca, 4, 4)
	})
	bubble(t, "junk and silence leave the share of the lifetime, and are asked about less and less", func(t *testing.T) {
		for _, f := range []func(*x509.Certificate) (Window, error){
			func(*x509.Certificate) (Window, error) { return Window{}, errors.New("404") },
			inWindow(20*day, 10*day, time.Second),
		} {
			w, a := newWorld(t, 45*day), &adviser{f: f}
			r := w.start("a", advised(a), host)
			pass(10 * day)
			if n := a.questions(); n > 55 {
				t.Errorf("asked %d times in 10 days", n)
			}
			pass(15 * day)
			wantOrders(t, w.ca, 1, 1)
			pass(6 * day)
			wantOrders(t, w.ca, 2, 2)
			r.stop()
		}
	})
	bubble(t, "asking is held between a minute and a day", func(t *testing.T) {
		for _, c := range []struct {
			again time.Duration
			most  int
		}{{time.Nanosecond, 61}, {365 * day, 1}} {
			w, a := newWorld(t, 90*day), &adviser{f: inWindow(60*day, 62*day, c.again)}
			r := w.start("a", advised(a), host)
			pass(time.Hour)
			if n := a.questions(); n == 0 || n > c.most {
				t.Errorf("asked %d times in an hour, want at most %d", n, c.most)
			}
			pass(day)
			if c.most == 1 && a.questions() != 2 {
				t.Errorf("asked %d times in a day", a.questions())
			}
			r.stop()
		}
	})
}

func hasEvent(e Explanation, kind, words string) bool {
	for _, event := range e.Events {
		if event.Kind == kind && strings.Contains(event.String(), words) {
			return true
		}
	}
	return false
}

func TestShorterLifetimes(t *testing.T) {
	bubble(t, "a CA that issues shorter certificates never cuts the life of one in use", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", func(c *Config) { c.Limits.Look = time.Hour }, host)
		pass(day)
		w.ca.set(func() { w.ca.life = 6 * day })
		pass(80 * day)
		wantOrders(t, w.ca, 2, 2) // the second is not served, and nothing is spent on a third
		if r.Figures().Orders["shorter"] != 1 || lifetime(r.Certificates()[0]) != 90*day {
			t.Errorf("figures %+v", r.Figures())
		}
		pass(19 * day)
		if lifetime(r.Certificates()[0]) != 6*day {
			t.Errorf("status %+v", r.status())
		}
		wantOrders(t, w.ca, 4, 7)
	})
}

func TestExplain(t *testing.T) {
	bubble(t, "it tells what happened and what comes, in words", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = func(n int) error {
			if n == 1 {
				return refusal{kind: "dns"}
			}
			return nil
		}
		r := w.start("web-1", nil, host)
		pass(30 * time.Second)
		e, err := r.Explain("EXAMPLE.org.")
		text := strings.Join(e.Sentences, "\n")
		for _, words := range []string{"no certificate for example.org", "not ordered before", "the CA says dns", "in a row: 1", "1 of 4 failed"} {
			if err != nil || !strings.Contains(text, words) {
				t.Errorf("%v, it does not say %q:\n%s", err, words, text)
			}
		}
		pass(2 * time.Minute)
		e, _ = r.Explain(host)
		text = strings.Join(e.Sentences, "\n")
		for _, words := range []string{"valid until", "It will be ordered at", "because its time had come", "1 of 4 certificates"} {
			if !strings.Contains(text, words) {
				t.Errorf("it does not say %q:\n%s", words, text)
			}
		}
		for kind, words := range map[string]string{EventOrdered: "there was none (web-1)", EventNote: "challenge tls-alpn-01", EventFailed: "dns", EventIssued: r.serial()} {
			if !hasEvent(e, kind, words) {
				t.Errorf("no event %s with %q in %v", kind, words, e.Events)
			}
		}
		if _, err := r.Explain("other.example"); err == nil {
			t.Error("a host that is not ours was explained")
		}
		r.stop()
		r = w.start("web-2", nil, host)
		pass(time.Second)
		if e, _ := r.Explain(host); !hasEvent(e, EventFailed, "web-1") {
			t.Errorf("another replica does not know of the failure: %v", e.Events)
		}
	})
	bubble(t, "no log, error or event holds a key", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, host)
		pass(time.Minute)
		e, _ := r.Explain(host)
		value, _ := (&ledger{Events: e.Events}).encode()
		if strings.Contains(w.log.all()+string(value), "PRIVATE KEY") || w.log.count("got a certificate") != 1 {
			t.Error(w.log.all())
		}
	})
}
