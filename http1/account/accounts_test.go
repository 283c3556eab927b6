package account

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

func TestProtectedPaths(t *testing.T) {
	s := newSite(t, nil, nil)
	t.Run("a public page goes through as it came", func(t *testing.T) {
		res := s.browser().get("/public")
		is(t, res, 200)
		if len(res.Fields) != 2 { // the handler's own
			t.Errorf("%v", res.Fields)
		}
	})
	t.Run("a person is sent to sign in, and back", func(t *testing.T) {
		leads(t, s.browser().get("/members/a?b=c&d"), "/-/sign-in?next=%2Fmembers%2Fa%3Fb%3Dc%26d")
	})
	t.Run("so is HEAD", func(t *testing.T) {
		leads(t, s.browser().do(http1test.Request{Method: "HEAD", Target: "/members/"}), "/-/sign-in?next=%2Fmembers%2F")
	})
	t.Run("an address that would lead elsewhere is not carried on", func(t *testing.T) {
		leads(t, s.browser().get("//members/"), "/-/sign-in")
	})
	t.Run("a program is told, with a challenge", func(t *testing.T) {
		res := s.program().get("/members/")
		is(t, res, 401)
		if res.Get("Content-Type") != "application/problem+json" || !strings.HasPrefix(res.Get("WWW-Authenticate"), "Cookie ") {
			t.Errorf("%v", res.Fields)
		}
		var p problem
		if err := json.Unmarshal(res.Content, &p); err != nil || p.Status != 401 || p.Title == "" {
			t.Errorf("%s", res.Content)
		}
	})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		t.Run(method+" is told too: it cannot be done anew after a redirect", func(t *testing.T) {
			is(t, s.browser().do(http1test.Request{Method: method, Target: "/members/"}), 401)
		})
	}
	ann := s.member("ann")
	t.Run("a member is let through", func(t *testing.T) {
		res := ann.get("/members/a")
		is(t, res, 200)
		says(t, res, "served /members/a")
		if res.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", res.Fields)
		}
	})
	t.Run("a made-up cookie is nobody's", func(t *testing.T) {
		b := s.browser()
		b.cookie = "__Host-session=" + strings.Repeat("A", 43)
		is(t, b.get("/members/"), 303)
	})
	t.Run("nor is a session that nobody has signed in to", func(t *testing.T) {
		b := s.browser()
		http1test.Do(s.config.Sessions.Attach(anonymous{t, &b.cookie}), http1test.Request{Secure: true})
		if b.cookie == "" {
			t.Fatal("no cookie")
		}
		is(t, b.get("/members/"), 303)
	})
	t.Run("another site cannot have a member's browser post", func(t *testing.T) {
		eve := *ann
		eve.fields = []string{"Sec-Fetch-Site", "cross-site", "Accept", "text/html"}
		is(t, eve.post("/members/"), 403)
		is(t, eve.get("/members/"), 200)
	})
	t.Run("nor open a WebSocket", func(t *testing.T) {
		b := *ann
		b.fields = []string{"Upgrade", "websocket", "Connection", "Upgrade", "Origin", "https://other.example.test"}
		is(t, b.get("/members/"), 403)
		b.fields[5] = "https://example.test"
		is(t, b.get("/members/"), 200)
	})
	t.Run("over plain HTTP nobody is a member", func(t *testing.T) {
		res := http1test.Do(s.handler, http1test.Request{Target: "/members/", Fields: []string{"Cookie", ann.cookie}})
		is(t, res, 303)
	})
}

func TestSignIn(t *testing.T) {
	s := newSite(t, nil, nil)
	ann := s.member("Ann")
	t.Run("it leads to the member's page", func(t *testing.T) {
		b := s.browser()
		leads(t, b.signIn("ann", goodPassword), "/-/account")
		is(t, b.get("/members/"), 200)
	})
	t.Run("or to the page that was asked for", func(t *testing.T) {
		leads(t, s.browser().post("/-/sign-in", "name", "ann", "password", goodPassword, "next", "/members/a?b"), "/members/a?b")
	})
	t.Run("never to another site", func(t *testing.T) {
		leads(t, s.browser().post("/-/sign-in", "name", "ann", "password", goodPassword, "next", "//evil.example"), "/-/account")
	})
	t.Run("the page keeps where to go, if it is on the site", func(t *testing.T) {
		says(t, s.browser().get("/-/sign-in?next=/members/a%3Fb%3D%22"), `<form method="post" action="/-/sign-in">`, `name="next" value="/members/a?b=&#34;"`)
		if res := s.browser().get("/-/sign-in?next=//evil.example"); strings.Contains(string(res.Content), "evil") {
			t.Errorf("%s", res.Content)
		}
	})
	t.Run("the cookie is another after each", func(t *testing.T) {
		b := *ann
		leads(t, b.signIn("ann", goodPassword), "/-/account")
		if b.cookie == ann.cookie || b.cookie == "" {
			t.Error("the same")
		}
		if is(t, ann.get("/members/"), 303); ann.cookie == b.cookie {
			t.Error("the one before still is valid")
		}
		*ann = b
	})
	t.Run("a member who is signed in goes on at once", func(t *testing.T) {
		leads(t, ann.get("/-/sign-in?next=/members/x"), "/members/x")
	})
	t.Run("an unknown name, a wrong password and what is no name get one answer", func(t *testing.T) {
		var bodies []string
		for _, try := range [][2]string{{"ann", "wrong horse"}, {"bob", goodPassword}, {"a/b", goodPassword}, {"ann", ""}, {"", ""}, {"ann", "\x01"}} {
			b := s.browser()
			res := b.signIn(try[0], try[1])
			is(t, res, 401)
			if b.cookie != "" || res.Get("WWW-Authenticate") == "" {
				t.Errorf("%q: %v", try, res.Fields)
			}
			bodies = append(bodies, strings.ReplaceAll(string(res.Content), `value="`+try[0]+`"`, `value=""`))
		}
		for _, body := range bodies {
			if body != bodies[0] {
				t.Errorf("%s\nand\n%s", body, bodies[0])
			}
		}
	})
	t.Run("the name stays in the form, the password does not, and neither can be markup", func(t *testing.T) {
		res := s.browser().signIn(`"><script>`, "secret horse")
		says(t, res, `value="&#34;&gt;&lt;script&gt;"`, `role="alert"`)
		if strings.Contains(string(res.Content), "secret horse") || strings.Contains(string(res.Content), "<script") {
			t.Errorf("%s", res.Content)
		}
	})
	for _, accept := range []string{"application/json", "*/*", ""} {
		t.Run("a program that accepts "+accept+" posts an object and gets one", func(t *testing.T) {
			b := s.program()
			b.fields = []string{"Accept", accept}
			post := func(password string) *http1test.Response {
				return b.do(http1test.Request{Method: "POST", Target: "/-/sign-in", Fields: []string{"Content-Type", jsonType},
					Content: `{"name":"ann","password":"` + password + `","next":"/members/"}`})
			}
			if res := post("wrong horse"); res.Status != 401 || res.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %v", res.Status, res.Fields)
			}
			res := post(goodPassword)
			is(t, res, 200)
			if got := string(res.Content); got != `{"name":"Ann","next":"/members/"}`+"\n" || b.cookie == "" {
				t.Errorf("%s, cookie %q", got, b.cookie)
			}
		})
	}
	t.Run("the time of it is in the record", func(t *testing.T) {
		if got, err := s.Members().Get(t.Context(), "ann"); err != nil || got.SignedIn.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("the log names members, and nothing that was typed", func(t *testing.T) {
		s.browser().signIn("my password in the wrong field", "hunter2 horse")
		if log := s.log.String(); strings.Contains(log, "wrong field") || strings.Contains(log, "horse") || !strings.Contains(log, "member=ann") {
			t.Errorf("%s", log)
		}
	})
}

func TestSignInRaces(t *testing.T) {
	// overtaken is a site on whose store something happens before the first sign-in is written.
	overtaken := func(t *testing.T, what func(m *Members)) (s *site, status int) {
		store := session.NewMemory()
		m := NewMembers(store, newHasher(t, cheap, 1))
		mustAdd(t, m, "ann")
		s = newSite(t, &interrupted{Store: store, before: func(n int64) {
			if n == 1 {
				what(m)
			}
		}}, nil)
		return s, s.browser().signIn("ann", goodPassword).Status
	}
	t.Run("nobody is in by a password that was changed meanwhile", func(t *testing.T) {
		if _, status := overtaken(t, func(m *Members) { _ = m.SetPassword(t.Context(), "ann", "another "+goodPassword) }); status != 401 {
			t.Errorf("status %d", status)
		}
	})
	t.Run("nor as a member who was removed", func(t *testing.T) {
		if _, status := overtaken(t, func(m *Members) { _ = m.Remove(t.Context(), "ann") }); status != 401 {
			t.Errorf("status %d", status)
		}
	})
	t.Run("another change of the member keeps nobody out", func(t *testing.T) {
		s, status := overtaken(t, func(m *Members) { _ = m.SetQuota(t.Context(), "ann", &Quota{5, time.Hour}) })
		if got, err := s.Members().Get(t.Context(), "ann"); status != 303 || err != nil || got.Quota == nil {
			t.Errorf("status %d, %+v, %v", status, got, err)
		}
	})
	t.Run("nor does the same password as a hash of another cost", func(t *testing.T) {
		_, status := overtaken(t, func(m *Members) {
			m.hasher = newHasher(t, Cost{MemoryKiB: 128, Passes: 1, Lanes: 1}, 1)
			_ = m.SetPassword(t.Context(), "ann", goodPassword)
		})
		if status != 303 {
			t.Errorf("status %d", status)
		}
	})
}

func TestSignInRehashes(t *testing.T) {
	store := session.NewMemory()
	m := NewMembers(store, newHasher(t, Cost{MemoryKiB: 128, Passes: 2, Lanes: 1}, 1))
	mustAdd(t, m, "ann")
	s := newSite(t, store, nil)
	b := s.browser()
	leads(t, b.signIn("ann", goodPassword), "/-/account")
	got, err := m.read(t.Context(), "ann")
	if err != nil || !strings.Contains(got.Hash, "m=64,t=1,p=1") {
		t.Fatalf("%v, %v", got.Hash[:30], err)
	}
	leads(t, s.browser().signIn("ann", goodPassword), "/-/account")
	is(t, b.get("/members/"), 200) // a hash is no change of password
}

func TestSignInLimits(t *testing.T) {
	s := newSite(t, nil, func(c *Config) { c.Limits = Limits{} })
	mustAdd(t, s.Members(), "ann")
	refusedAfter := func(name string) (n int, res *http1test.Response) {
		for n = range 40 {
			if res = s.browser().signIn(name, "wrong horse"); res.Status == 429 {
				break
			}
		}
		return n, res
	}
	n, known := refusedAfter("ann")
	m, unknown := refusedAfter("nobody")
	if n != 5 || m != 5 {
		t.Errorf("after %d and %d", n, m)
	}
	if a, b := string(known.Content), strings.ReplaceAll(string(unknown.Content), `value="nobody"`, `value="ann"`); a != b {
		t.Errorf("%s\nand\n%s", a, b)
	}
	if known.Get("Retry-After") != "60" {
		t.Errorf("Retry-After: %q", known.Get("Retry-After"))
	}
	t.Run("then the right password does not help", func(t *testing.T) {
		is(t, s.browser().signIn("ann", goodPassword), 429)
	})
	t.Run("but from elsewhere", func(t *testing.T) {
		b := s.browser()
		b.from = netip.MustParseAddrPort("192.0.2.99:1")
		is(t, b.signIn("ann", goodPassword), 303)
	})
	t.Run("guesses from everywhere do not lock a member out who was here before", func(t *testing.T) {
		s := newSite(t, nil, func(c *Config) { c.Limits = Limits{} })
		s.member("ann")
		up := s.browser()
		up.from = netip.MustParseAddrPort("192.0.2.77:1")
		is(t, up.post("/-/sign-up", "name", "bob", "password", goodPassword), 303)
		for n := range 40 {
			b := s.browser()
			b.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), 1)
			b.signIn("ann", "wrong horse")
			b.signIn("bob", "wrong horse")
		}
		for _, name := range []string{"ann", "bob"} {
			b := s.browser()
			b.from = netip.MustParseAddrPort("192.0.2.99:1")
			is(t, b.signIn(name, goodPassword), 429)
		}
		is(t, s.browser().signIn("ann", goodPassword), 303)
		is(t, up.signIn("bob", goodPassword), 303)
	})
	t.Run("a change of password is a guess too", func(t *testing.T) {
		b := s.member("bob")
		var res *http1test.Response
		for range 6 {
			res = b.post("/-/password", "old", "wrong horse", "new", "another "+goodPassword)
		}
		is(t, res, 429)
	})
}

func TestSignUp(t *testing.T) {
	s := newSite(t, nil, nil)
	t.Run("whoever signs up is signed in", func(t *testing.T) {
		b := s.browser()
		leads(t, b.post("/-/sign-up", "name", "Ann", "password", goodPassword, "email", "ann@example.org", "next", "/members/x"), "/members/x")
		is(t, b.get("/members/x"), 200)
		if got, err := s.Members().Get(t.Context(), "ann"); err != nil || got.Email != "ann@example.org" || got.Name.Shown != "Ann" || got.SignedIn.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
	})
	for _, c := range []struct {
		name   string
		form   []string
		status int
		field  string
	}{
		{"a taken name", []string{"name", "ANN", "password", goodPassword}, 409, "name"},
		{"a name that is none", []string{"name", "a b", "password", goodPassword}, 422, "name"},
		{"no name", []string{"password", goodPassword}, 422, "name"},
		{"a short password", []string{"name", "bob", "password", "short"}, 422, "password"},
		{"a common password", []string{"name", "bob", "password", "Password1"}, 422, "password"},
		{"an address that is none", []string{"name", "bob", "password", goodPassword, "email", "bob"}, 422, "email"},
	} {
		t.Run(c.name+" is told at its field", func(t *testing.T) {
			b := s.browser()
			res := b.post("/-/sign-up", c.form...)
			is(t, res, c.status)
			_, field, _ := strings.Cut(string(res.Content), `id="`+c.field+`"`)
			field, _, _ = strings.Cut(field, ">")
			if !strings.Contains(field, `aria-invalid="true"`) || !strings.Contains(field, `aria-describedby="problem`) || b.cookie != "" {
				t.Errorf("%s", res.Content)
			}
			res = s.program().post("/-/sign-up", c.form...)
			var p problem
			if err := json.Unmarshal(res.Content, &p); err != nil || p.Field != c.field || p.Status != c.status {
				t.Errorf("%s", res.Content)
			}
		})
	}
	t.Run("of those who sign up by one name at once, one has a session", func(t *testing.T) {
		store := session.NewMemory()
		s := newSite(t, &interrupted{Store: store, before: func(n int64) {
			if n == 1 {
				mustAdd(t, NewMembers(store, newHasher(t, cheap, 1)), "carl")
			}
		}}, nil)
		b := s.browser()
		is(t, b.post("/-/sign-up", "name", "carl", "password", goodPassword), 409)
		if b.cookie != "" {
			t.Error("a cookie")
		}
	})
	t.Run("too many from one address wait", func(t *testing.T) {
		s := newSite(t, nil, func(c *Config) { c.Limits = Limits{SignUp: []Limit{{1, time.Hour}}} })
		is(t, s.browser().post("/-/sign-up", "name", "ann", "password", goodPassword), 303)
		res := s.browser().post("/-/sign-up", "name", "bob", "password", goodPassword)
		is(t, res, 429)
		if res.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

func TestSignUpByInvite(t *testing.T) {
	s := newSite(t, nil, func(c *Config) { c.SignUp = SignUpInvite })
	code, err := s.Members().Invite(t.Context(), time.Hour, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("without one nobody gets in", func(t *testing.T) {
		res := s.browser().post("/-/sign-up", "name", "ann", "password", goodPassword)
		is(t, res, 403)
		says(t, res, "invite", `aria-invalid="true"`)
	})
	t.Run("a link has it in the form", func(t *testing.T) {
		res := s.browser().get("/-/sign-up?invite=" + code)
		if says(t, res, `value="`+code+`"`); !res.SecretQuery {
			t.Error("the code gets into the access log")
		}
	})
	t.Run("with one somebody does, once", func(t *testing.T) {
		b := s.browser()
		leads(t, b.post("/-/sign-up", "name", "ann", "password", goodPassword, "invite", code), "/-/account")
		is(t, b.get("/members/"), 200)
		is(t, s.browser().post("/-/sign-up", "name", "bob", "password", goodPassword, "invite", code), 403)
	})
	t.Run("a closed site has no form", func(t *testing.T) {
		s := newSite(t, nil, func(c *Config) { c.SignUp = "" })
		if res := s.browser().get("/-/sign-up"); res.Status != 200 || strings.Contains(string(res.Content), "<form") {
			t.Errorf("%d %s", res.Status, res.Content)
		}
		if res := s.browser().get("/-/sign-in"); strings.Contains(string(res.Content), "sign-up") {
			t.Errorf("%s", res.Content)
		}
		is(t, s.browser().post("/-/sign-up", "name", "ann", "password", goodPassword), 403)
		if _, err := s.Members().Get(t.Context(), "ann"); !errors.Is(err, ErrNoMember) {
			t.Error(err)
		}
	})
}
