package account

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

func TestStreamsEndWithTheirSession(t *testing.T) {
	// streamed is how long a member's stream goes on after what happens to the session; an hour
	// for one that nothing ends.
	streamed := func(t *testing.T, method string, store session.Store, what func(s *site, ann *browser)) (lasted time.Duration) {
		s := newSite(t, store, nil)
		ann := s.member("ann")
		stream := s.config.Sessions.Attach(s.Wrap(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			other := *ann
			what(s, &other)
			began := time.Now()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Hour):
			}
			lasted = time.Since(began)
			w.Text(200, "over")
		})))
		http1test.Do(stream, http1test.Request{Method: method, Target: "/members/events", Secure: true, Fields: []string{"Cookie", ann.cookie, "Sec-Fetch-Site", "same-origin"}})
		return lasted
	}
	for _, c := range []struct {
		name, method string
		what         func(s *site, ann *browser)
		goesOn       bool
	}{
		{"a sign-out", "GET", func(s *site, ann *browser) { is(s.t, ann.post("/-/sign-out"), 303) }, false},
		{"a sign-out everywhere", "GET", func(s *site, ann *browser) { is(s.t, s.memberAgain("ann").post("/-/sign-out-everywhere"), 303) }, false},
		{"another password", "GET", func(s *site, _ *browser) { _ = s.Members().SetPassword(s.t.Context(), "ann", "another "+goodPassword) }, false},
		{"a removal", "GET", func(s *site, _ *browser) { _ = s.Members().Remove(s.t.Context(), "ann") }, false},
		{"nothing", "GET", func(*site, *browser) {}, true},
		{"another's sign-out", "GET", func(s *site, _ *browser) { is(s.t, s.member("bob").post("/-/sign-out"), 303) }, true},
		{"a sign-out, of what changes something", "POST", func(s *site, ann *browser) { is(s.t, ann.post("/-/sign-out"), 303) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lasted := streamed(t, c.method, nil, c.what)
				if goesOn := lasted == time.Hour; goesOn != c.goesOn || !goesOn && lasted > 2*watchPause {
					t.Errorf("the stream went on for %v", lasted)
				}
			})
		})
	}
	t.Run("a store that is away ends none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := &troubled{Store: session.NewMemory()}
			if lasted := streamed(t, "GET", store, func(*site, *browser) { store.down.Store(true) }); lasted != time.Hour {
				t.Errorf("the stream went on for %v", lasted)
			}
		})
	})
}
