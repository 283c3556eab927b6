package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
	"github.com/holdfast-server/holdfast/http1/session/sqlitestore"
)

// The password of all members of the tests, and one of nobody's.
const (
	memberPassword = "nine wet otters"
	wrongPassword  = "nine dry otters"
)

// membersSite is a root with a public page and one for members.
func membersSite(t testing.TB) string {
	t.Helper()
	return site(t, map[string]string{"index.html": "for all", "members/index.html": "for members", "members/style.css": "css",
		"_holdfast/note.txt": "for the server"})
}

// membersFile is a configuration with these lines in [accounts] beside protect.
func membersFile(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "holdfast.toml")
	replace(t, path, "[accounts]\nprotect = [\"/members/**\"]\n"+strings.Join(lines, "\n")+"\n")
	return path
}

// again starts the server anew, with the state that the last one left.
func (s *server) again() *server {
	s.t.Helper()
	next := &server{t: s.t, state: s.state, log: new(transcript), access: new(transcript), gone: make(chan struct{})}
	next.cmd = exec.Command(s.cmd.Path, s.cmd.Args[1:]...)
	next.cmd.Env = s.cmd.Env
	next.cmd.Stdout, next.cmd.Stderr = next.access, next.log
	if err := next.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(next.gone)
		_ = next.cmd.Wait()
	}()
	s.t.Cleanup(next.end)
	return next.listen()
}

// A visitor is a browser of the tests. It may be shown other servers of the same state: cookies
// know no ports.
type visitor struct {
	t      testing.TB
	server *server
	http   *http.Client
	fields map[string]string // of each request
	hasty  bool              // takes the first answer, and does not come back where the store was busy
}

func newVisitor(t testing.TB, s *server) *visitor {
	t.Helper()
	return newVisitorBy(t, s, client(t, s.trust()))
}

// newVisitorBy is one who trusts somebody else than the server's own CA.
func newVisitorBy(t testing.TB, s *server, c *http.Client) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Jar = jar
	return &visitor{t: t, server: s, http: c}
}

// reply is what matters of a response.
type reply struct {
	status   int
	location string
	content  string
	header   http.Header
}

// try asks and returns what is wrong with the connection.
func (v *visitor) try(method, path string, form url.Values, fields ...string) (reply, error) {
	r, err := http.NewRequest(method, v.server.url(path), strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range v.fields {
		r.Header.Set(name, value)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	answer, err := v.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header.Get("Location"), string(content), answer.Header}, err
}

// ask comes back, as it is told to, where the store had no answer in time: a tenth of a second is
// little on a busy machine.
func (v *visitor) ask(method, path string, form url.Values, fields ...string) (r reply) {
	v.t.Helper()
	eventually(v.t, "a store that is not busy", func() bool {
		var err error
		if r, err = v.try(method, path, form, fields...); err != nil {
			v.t.Fatalf("%s %s: %v", method, path, err)
		}
		return v.hasty || !busy(r.status, r.header)
	})
	return r
}

func (v *visitor) get(path string, fields ...string) reply {
	v.t.Helper()
	return v.ask("GET", path, nil, fields...)
}

func (v *visitor) post(path string, pairs ...string) reply {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return v.ask("POST", path, form)
}

// signUp makes a member, who is signed in then.
func (v *visitor) signUp(name string) {
	v.t.Helper()
	if r := v.post("/-/sign-up", "name", name, "password", memberPassword); r.status != 303 {
		v.t.Fatalf("sign-up: %d %s", r.status, r.content)
	}
}

// isMember tells whether the protected page is shown.
func (v *visitor) isMember() bool {
	v.t.Helper()
	switch r := v.get("/members/"); {
	case r.status == 200 && r.content == "for members":
		return true
	case r.status == 303 && strings.HasPrefix(r.location, "/-/sign-in?next="):
		return false
	default:
		v.t.Fatalf("/members/: %d %s", r.status, r.content)
		return false
	}
}

// seeds are sessions that a test makes in a store before a server has it: begun without a
// password's work.
type seeds struct {
	t        testing.TB
	store    session.Store
	sessions *session.Manager
	members  *account.Members
}

// openSeeds opens the store below a state directory.
func openSeeds(t testing.TB, state string) *seeds {
	t.Helper()
	store, err := sqlitestore.Open(sqliteBelow(state).path, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	sessions, err := session.New(session.Config{Store: store, StoreTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	hasher, err := account.NewHasher(account.Cost{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &seeds{t: t, store: store, sessions: sessions, members: account.NewMembers(store, hasher)}
}

// add makes a member.
func (s *seeds) add(name string) {
	s.t.Helper()
	if _, err := s.members.Add(s.t.Context(), name, memberPassword, ""); err != nil {
		s.t.Fatal(err)
	}
}

// begin makes a session and returns its cookie.
func (s *seeds) begin(name string) *http.Cookie {
	s.t.Helper()
	answer := http1test.Do(s.sessions.Attach(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if _, err := session.From(r).Begin(name); err != nil {
			s.t.Error(err)
		}
		w.SetStatus(204)
	})), http1test.Request{Secure: true})
	cookie, err := http.ParseSetCookie(answer.Get("Set-Cookie"))
	if err != nil {
		s.t.Fatal(err)
	}
	return cookie
}

// carrying gives the visitor a cookie.
func (v *visitor) carrying(cookie *http.Cookie) *visitor {
	v.t.Helper()
	v.http.Jar.SetCookies(v.at(), []*http.Cookie{cookie})
	return v
}

// address has the visitor come from an address, by the word of a trusted proxy.
func (v *visitor) address(n int) *visitor {
	v.fields = map[string]string{"Forwarded": fmt.Sprintf("for=10.%d.%d.%d;proto=https", n>>16&255, n>>8&255, n&255)}
	return v
}

// within tells how long something took.
func within(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// at is the server as cookie jars know it.
func (v *visitor) at() *url.URL {
	v.t.Helper()
	at, err := url.Parse(v.server.url("/"))
	if err != nil {
		v.t.Fatal(err)
	}
	return at
}

// modeOf is the mode of a file as ls writes it.
func modeOf(t testing.TB, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().String()
}
