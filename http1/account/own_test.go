package account

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

// anonymous begins a session for nobody.
type anonymous struct {
	t      *testing.T
	cookie *string
}

func (a anonymous) Serve(w *http1.Response, r *http1.Request) {
	if _, err := session.From(r).Begin(""); err != nil {
		a.t.Error(err)
	}
	*a.cookie, _, _ = strings.Cut(w.Get("Set-Cookie"), ";")
}

func TestSignOut(t *testing.T) {
	s := newSite(t, nil, nil)
	ann := s.member("ann")
	second := s.browser()
	leads(t, second.signIn("ann", goodPassword), "/-/account")
	t.Run("the page asks first, so that a link alone signs nobody out", func(t *testing.T) {
		says(t, ann.get("/-/sign-out"), `action="/-/sign-out"`, `action="/-/sign-out-everywhere"`)
		is(t, ann.get("/members/"), 200)
	})
	t.Run("a post with nothing but the cookie ends this session alone", func(t *testing.T) {
		old := ann.cookie
		leads(t, ann.do(http1test.Request{Method: "POST", Target: "/-/sign-out"}), "/-/sign-out")
		if ann.cookie != "" {
			t.Error("the cookie is still there")
		}
		says(t, ann.get("/-/sign-out"), "You are signed out.")
		ann.cookie = old
		is(t, ann.get("/members/"), 303)
		is(t, second.get("/members/"), 200)
	})
	t.Run("once more is no error", func(t *testing.T) {
		leads(t, ann.do(http1test.Request{Method: "POST", Target: "/-/sign-out"}), "/-/sign-out")
	})
	t.Run("everywhere ends all", func(t *testing.T) {
		leads(t, ann.signIn("ann", goodPassword), "/-/account")
		leads(t, second.post("/-/sign-out-everywhere"), "/-/sign-out")
		is(t, ann.get("/members/"), 303)
		is(t, second.get("/members/"), 303)
	})
	t.Run("everywhere wants a member", func(t *testing.T) {
		is(t, s.browser().post("/-/sign-out-everywhere"), 401)
	})
	t.Run("a program gets an object", func(t *testing.T) {
		p := s.program()
		is(t, p.signIn("ann", goodPassword), 200)
		res := p.post("/-/sign-out")
		is(t, res, 200)
		says(t, res, `{"done":"sign-out"}`)
	})
}

func TestAccountPage(t *testing.T) {
	s := newSite(t, nil, nil)
	ann := s.member("Ann")
	phone := s.browser()
	phone.fields = append(phone.fields[:4:4], "User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1")
	leads(t, phone.signIn("ann", goodPassword), "/-/account")
	sessions := func() (lines []SessionLine) {
		b := *ann
		b.fields = []string{"Accept", "application/json"}
		var answer accountAnswer
		if err := json.Unmarshal(b.get("/-/account").Content, &answer); err != nil || answer.Name != "Ann" {
			t.Fatalf("%+v, %v", answer, err)
		}
		return answer.Sessions
	}
	t.Run("it wants a member", func(t *testing.T) {
		leads(t, s.browser().get("/-/account"), "/-/sign-in?next=%2F-%2Faccount")
		is(t, s.program().get("/-/account"), 401)
	})
	t.Run("it shows the sessions with their devices, this one first", func(t *testing.T) {
		res := ann.get("/-/account")
		says(t, res, "Firefox on Linux", "this one", "Safari on iPhone", "last seen")
		if text := string(res.Content); strings.Index(text, "Firefox on Linux") > strings.Index(text, "Safari on iPhone") {
			t.Error("the other one is first")
		}
	})
	t.Run("it shows this one, whichever of the hundred that go on it is", func(t *testing.T) {
		s := newSite(t, nil, nil)
		mustAdd(t, s.Members(), "bob")
		bobs := make([]*browser, 120)
		for i := range bobs {
			bobs[i] = s.browser()
			leads(t, bobs[i].signIn("bob", goodPassword), "/-/account")
		}
		shown := 0
		for _, b := range bobs {
			res := b.get("/-/account")
			if res.Status == 303 {
				continue // it ended for a later one
			}
			if shown++; strings.Count(string(res.Content), "<em>this one</em>") != 1 {
				t.Fatal("it is missing")
			}
		}
		if shown != session.MaxSessions {
			t.Errorf("%d sessions go on", shown)
		}
	})
	t.Run("it shows no cookie", func(t *testing.T) {
		_, token, _ := strings.Cut(ann.cookie, "=")
		if strings.Contains(string(ann.get("/-/account").Content), token) {
			t.Error("the token is on the page")
		}
	})
	t.Run("another session can be ended", func(t *testing.T) {
		lines := sessions()
		if len(lines) != 2 || !lines[0].Current || lines[1].Current {
			t.Fatalf("%+v", lines)
		}
		leads(t, ann.post("/-/end-session", "session", lines[1].ID), "/-/account?done=session")
		is(t, phone.get("/members/"), 303)
		is(t, ann.get("/members/"), 200)
		leads(t, ann.post("/-/end-session", "session", lines[1].ID), "/-/account?done=session")
		says(t, ann.get("/-/account?done=session"), `role="status"`)
	})
	t.Run("that of another member cannot", func(t *testing.T) {
		bob := s.member("bob")
		leads(t, bob.post("/-/end-session", "session", sessions()[0].ID), "/-/account?done=session")
		is(t, ann.get("/members/"), 200)
	})
	t.Run("what is no session ends none", func(t *testing.T) {
		for _, id := range []string{"", "../ann", strings.Repeat("0", 64)} {
			leads(t, ann.post("/-/end-session", "session", id), "/-/account?done=session")
		}
		is(t, ann.get("/members/"), 200)
	})
}

func TestChangePassword(t *testing.T) {
	s := newSite(t, nil, nil)
	ann, second := s.member("ann"), s.browser()
	leads(t, second.signIn("ann", goodPassword), "/-/account")
	const changed = "another " + goodPassword
	for _, c := range []struct{ name, old, new, field string }{
		{"a wrong old one", "wrong horse", changed, "old"},
		{"a new one that is too short", goodPassword, "short", "new"},
		{"a new one that everybody has", goodPassword, "password1", "new"},
		{"the name", goodPassword, "ann", "new"},
	} {
		t.Run(c.name+" changes nothing and is told at its field", func(t *testing.T) {
			res := ann.post("/-/password", "old", c.old, "new", c.new)
			is(t, res, 422)
			_, field, _ := strings.Cut(string(res.Content), `id="`+c.field+`"`)
			if field, _, _ = strings.Cut(field, ">"); !strings.Contains(field, `aria-invalid="true"`) {
				t.Errorf("%s", res.Content)
			}
			is(t, second.get("/members/"), 200)
		})
	}
	t.Run("it goes on here in a new session, and ends all others", func(t *testing.T) {
		before := ann.cookie
		leads(t, ann.post("/-/password", "old", goodPassword, "new", changed), "/-/account?done=password")
		is(t, ann.get("/members/"), 200)
		is(t, second.get("/members/"), 303)
		if ann.cookie == before {
			t.Error("the cookie is the same")
		}
		ann.cookie = before
		is(t, ann.get("/members/"), 303)
	})
	t.Run("the new one is right from now on", func(t *testing.T) {
		is(t, s.browser().signIn("ann", goodPassword), 401)
		is(t, s.browser().signIn("ann", changed), 303)
	})
	t.Run("nobody changes it without being signed in", func(t *testing.T) {
		is(t, s.browser().post("/-/password", "old", changed, "new", goodPassword), 401)
	})
}

func TestMembersFromTheCommandLine(t *testing.T) {
	store := session.NewMemory()
	s, m := newSite(t, store, nil), NewMembers(store, newHasher(t, cheap, 1))
	ann, bob := s.member("ann"), s.member("bob")
	t.Run("another password there ends the sessions here", func(t *testing.T) {
		if err := m.SetPassword(t.Context(), "ann", "another "+goodPassword); err != nil {
			t.Fatal(err)
		}
		is(t, ann.get("/members/"), 303)
		is(t, bob.get("/members/"), 200)
	})
	t.Run("so does a removal, and the next of that name is another", func(t *testing.T) {
		if err := m.Remove(t.Context(), "bob"); err != nil {
			t.Fatal(err)
		}
		mustAdd(t, m, "bob")
		is(t, bob.get("/members/"), 303)
	})
}

func TestDevice(t *testing.T) {
	for agent, want := range map[string]string{
		"": "Unknown device",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36":                  "Chrome on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15":         "Safari on Mac",
		"curl/8.5.0":             "curl",
		strings.Repeat("ü", 100): strings.Repeat("ü", 40),
	} {
		t.Run(want, func(t *testing.T) {
			if got := device(agent); got != want {
				t.Errorf("%q", got)
			}
		})
	}
}
