package account

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

// A site is Accounts in front of a handler that says what it was asked for.
type site struct {
	t testing.TB
	*Accounts
	handler http1.Handler
	log     *strings.Builder
}

// newSite has a store in memory, cheap hashes and no limits unless edit says otherwise.
func newSite(t testing.TB, store session.Store, edit func(*Config)) *site {
	t.Helper()
	if store == nil {
		store = session.NewMemory()
	}
	// A store in memory that takes 100 ms is a machine that is busy.
	manager, err := session.New(session.Config{Store: store, StoreTimeout: 250 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return newSiteOn(t, manager, edit)
}

func newSiteOn(t testing.TB, manager *session.Manager, edit func(*Config)) *site {
	t.Helper()
	s := &site{t: t, log: new(strings.Builder)}
	none := []Limit{}
	c := Config{Sessions: manager, Protect: []string{"/members/**"}, SignUp: SignUpOpen, Hasher: newHasher(t, cheap, 1),
		Limits: Limits{none, none, none, none}, Site: "Example", Log: slog.New(slog.NewTextHandler(s.log, nil))}
	if edit != nil {
		edit(&c)
	}
	var err error
	if s.Accounts, err = New(c); err != nil {
		t.Fatal(err)
	}
	s.handler = manager.Attach(s.Wrap(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		w.Text(200, "served "+r.Path())
	})))
	return s
}

// A browser has a site's cookie, an address and a name.
type browser struct {
	*site
	cookie string
	from   netip.AddrPort
	fields []string // that it sends besides
}

func (s *site) browser() *browser {
	return &browser{site: s, from: netip.MustParseAddrPort("192.0.2.1:50000"), fields: []string{"Sec-Fetch-Site", "same-origin", "Accept", "text/html",
		"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}}
}

// program is a client that asks for JSON.
func (s *site) program() *browser {
	b := s.browser()
	b.fields = []string{"Accept", "application/json"}
	return b
}

func (b *browser) do(r http1test.Request) *http1test.Response {
	b.t.Helper()
	r.Secure, r.Client = true, b.from
	r.Fields = append(append([]string(nil), b.fields...), r.Fields...)
	if b.cookie != "" {
		r.Fields = append(r.Fields, "Cookie", b.cookie)
	}
	res := http1test.Do(b.handler, r)
	if res.Result.Err != nil {
		b.t.Fatalf("%s %s: %v", r.Method, r.Target, res.Result.Err)
	}
	for _, set := range res.Values("Set-Cookie") {
		b.cookie, _, _ = strings.Cut(set, ";")
		if strings.Contains(set, "Max-Age=0") {
			b.cookie = ""
		}
	}
	return res
}

func (b *browser) get(target string) *http1test.Response {
	b.t.Helper()
	return b.do(http1test.Request{Target: target})
}

// post sends a form of names and values in turn.
func (b *browser) post(target string, pairs ...string) *http1test.Response {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return b.do(http1test.Request{Method: "POST", Target: target, Content: values.Encode(), Fields: []string{"Content-Type", formType}})
}

func (b *browser) signIn(name, password string) *http1test.Response {
	b.t.Helper()
	return b.post("/-/sign-in", "name", name, "password", password)
}

// member is a browser in which somebody has signed up.
func (s *site) member(name string) *browser {
	s.t.Helper()
	mustAdd(s.t, s.Members(), name)
	b := s.browser()
	if res := b.signIn(name, goodPassword); res.Status != 303 || b.cookie == "" {
		s.t.Fatalf("%s cannot sign in: %d %s", name, res.Status, res.Content)
	}
	return b
}

// memberAgain is another browser of a member.
func (s *site) memberAgain(name string) *browser {
	s.t.Helper()
	b := s.browser()
	leads(s.t, b.signIn(name, goodPassword), "/-/account")
	return b
}

// is fails unless the answer has that status.
func is(t testing.TB, res *http1test.Response, status int) {
	t.Helper()
	if res.Status != status {
		t.Fatalf("status %d, want %d: %s", res.Status, status, res.Content)
	}
}

// leads fails unless the answer is a 303 to that address.
func leads(t testing.TB, res *http1test.Response, location string) {
	t.Helper()
	if res.Status != 303 || res.Get("Location") != location {
		t.Fatalf("status %d to %q, want 303 to %q: %s", res.Status, res.Get("Location"), location, res.Content)
	}
}

// says fails unless the answer has all of texts in it.
func says(t testing.TB, res *http1test.Response, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(string(res.Content), text) {
			t.Errorf("without %q:\n%s", text, res.Content)
		}
	}
}

// sleep is time that a store takes.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
