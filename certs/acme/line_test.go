package acme

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/acme"
)

// fakeCA answers with handler; for what no real CA does.
func fakeCA(t *testing.T, handler http.HandlerFunc) Options {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is told of handshakes that are meant to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s := newMapStore()
	return Options{
		Directory: server.URL + "/dir", Roots: roots, Challenge: HTTP01, TermsAgreed: true, Version: "1.2.3",
		Store: s, Challenges: testChallenges(s), Log: slog.New(slog.DiscardHandler),
	}
}

func TestLine(t *testing.T) {
	issue := func(t *testing.T, handler http.HandlerFunc) *refusal {
		t.Helper()
		i, err := New(fakeCA(t, handler))
		if err != nil {
			t.Fatal(err)
		}
		return refused(t, i, "example.org").(*refusal)
	}
	t.Run("a response without end is cut", func(t *testing.T) {
		r := issue(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, responseLimitBytes+1))
		})
		if r.Kind() != "unreachable" || !strings.Contains(r.Error(), "more than 1048576 bytes") {
			t.Errorf("%s: %s", r.Kind(), r)
		}
	})
	t.Run("a CA that leads to plain HTTP is not followed", func(t *testing.T) {
		for _, handler := range []http.HandlerFunc{
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
			},
			func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"newOrder":"http://127.0.0.1:1/o","newAccount":"http://127.0.0.1:1/a","newNonce":"http://127.0.0.1:1/n"}`))
			},
		} {
			if r := issue(t, handler); !strings.Contains(r.Error(), "not https") {
				t.Errorf("%s: %s", r.Kind(), r)
			}
		}
	})
	t.Run("redirects end", func(t *testing.T) {
		n := 0
		r := issue(t, func(w http.ResponseWriter, r *http.Request) {
			n++
			http.Redirect(w, r, "/again", http.StatusFound)
		})
		if !strings.Contains(r.Error(), "without end") || n > redirectLimit+1 {
			t.Errorf("%s after %d", r, n)
		}
	})
	t.Run("a web page instead of a CA is told in its words, bounded", func(t *testing.T) {
		r := issue(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("<html>\n\x1b[31m" + strings.Repeat("page ", 1000)))
		})
		if r.Kind() != "malformed" || !strings.Contains(r.Error(), "<html> [31mpage page") || len(r.Error()) > 2*detailLimitBytes || strings.ContainsAny(r.Error(), "\n\x1b") {
			t.Errorf("%s: %q", r.Kind(), r)
		}
	})
	t.Run("our name and version are told", func(t *testing.T) {
		var agent string
		issue(t, func(w http.ResponseWriter, r *http.Request) {
			agent = r.UserAgent()
			w.WriteHeader(http.StatusNotFound)
		})
		if !strings.HasPrefix(agent, "holdfast/1.2.3 ") {
			t.Errorf("User-Agent: %s", agent)
		}
	})
	t.Run("a CA with another root is not believed", func(t *testing.T) {
		o := fakeCA(t, http.NotFound)
		o.Roots = x509.NewCertPool()
		i, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if r := refused(t, i, "example.org"); r.Kind() != "unreachable" || !strings.Contains(r.Error(), "certificate") {
			t.Errorf("%s: %s", r.Kind(), r)
		}
	})
}

func TestLinePaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t.Context(), &Options{}, 1)
		defer l.close()
		post, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://ca.example/authz/1", nil)
		for field, want := range map[string]time.Duration{"5": 5 * time.Second, "3600": pollLimit, "0": 0} {
			res := &http.Response{StatusCode: 200, Header: http.Header{"Retry-After": {field}}}
			l.look(post, res, []byte(`{"status":"pending"}`), time.Now())
			if wait, err := l.enter(post); wait != want || err != nil {
				t.Errorf("Retry-After: %s: wait %v, want %v (%v)", field, wait, want, err)
			}
			if res.Header.Get("Retry-After") != "" {
				t.Error("the acme package sleeps, and no context of ours wakes it")
			}
		}
		other, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://ca.example/authz/2", nil)
		if wait, _ := l.enter(other); wait > 0 {
			t.Errorf("another URL waits for %v", wait)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := sleep(ctx, t.Context(), time.Hour); err == nil {
			t.Error("the wait outlives the attempt")
		}
		if err := sleep(t.Context(), ctx, time.Hour); err == nil {
			t.Error("the wait outlives the request")
		}
	})
}

func TestLineCountsOrders(t *testing.T) {
	l := newLine(t.Context(), &Options{}, 1)
	defer l.close()
	say := func(url string, status int, v any) {
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		l.look(req, &http.Response{StatusCode: status, Header: http.Header{}}, body, time.Now())
	}
	order, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://ca.example/new", nil)
	say("https://ca.example/dir", 200, map[string]string{"newOrder": "https://ca.example/new"})
	say("https://ca.example/new", 400, map[string]string{"type": "urn:ietf:params:acme:error:badNonce"})
	if _, err := l.enter(order); err != nil {
		t.Errorf("a refused nonce counts as an order: %v", err)
	}
	say("https://ca.example/new", 201, spoken{Status: acme.StatusPending, Authorizations: []string{"https://ca.example/authz/1"}})
	if _, err := l.enter(order); err == nil {
		t.Error("a second order goes out")
	}
	l.close()
	other, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://ca.example/x", nil)
	if _, err := l.enter(other); err == nil {
		t.Error("a closed line carries a request")
	}
}

func TestLineKeepsFewFaults(t *testing.T) {
	l := newLine(t.Context(), &Options{}, 1)
	defer l.close()
	say := func(n int, detail string) {
		challenge := fmt.Sprintf(`{"type":"http-01","error":{"type":"urn:ietf:params:acme:error:dns","detail":%q}}`, detail)
		body := `{"status":"invalid","challenges":[` + strings.Repeat(challenge+",", 999) + challenge + `]}`
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("https://ca.example/authz/%d", n), nil)
		l.look(req, &http.Response{StatusCode: 200, Header: http.Header{}}, []byte(body), time.Now())
	}
	for n := range 100 {
		say(n, strings.Repeat("long ", 200))
	}
	if kept := len(l.failedChallenges()); kept != subproblemLimit*subproblemLimit {
		t.Errorf("%d faults are kept", kept)
	}
	r := l.refuse(errChallengeFailed)
	if words := r.Error(); len(words) > subproblemLimit*2*detailLimitBytes || !strings.Contains(words, "http-01") {
		t.Errorf("%d bytes: %s", len(words), words)
	}
}

func TestBackoff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	wait := backoff(ctx)
	answer := func(status int, retryAfter string) *http.Response {
		res := &http.Response{StatusCode: status, Header: http.Header{}}
		if retryAfter != "" {
			res.Header.Set("Retry-After", retryAfter)
		}
		return res
	}
	for _, c := range []struct {
		name  string
		n     int
		res   *http.Response
		again bool
	}{
		{"a bad nonce", 1, answer(400, ""), true},
		{"the twentieth bad nonce", nonceTries, answer(400, ""), true},
		{"one more", nonceTries + 1, answer(400, ""), false},
		{"429", 1, answer(429, ""), false},
		{"503", serverTries, answer(503, ""), true},
		{"503 again and again", serverTries + 1, answer(503, ""), false},
		{"503 with a time", 1, answer(503, "1"), false},
	} {
		if got := wait(c.n, nil, c.res); (got > 0) != c.again || got > 2*time.Second {
			t.Errorf("%s: again after %v", c.name, got)
		}
	}
	cancel()
	if got := wait(1, nil, answer(400, "")); got > 0 {
		t.Errorf("after the attempt: again after %v", got)
	}
}
