package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/admin"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// ask asks and wants a status. No response here may be stored.
func ask(t *testing.T, h http1.Handler, method, target string, status int) *http1test.Response {
	t.Helper()
	response := http1test.Do(h, http1test.Request{Method: method, Target: target})
	if response.Status != status {
		t.Errorf("%s %s: %d %s, want %d", method, target, response.Status, response.Content, status)
	}
	if response.Get("Cache-Control") != "no-store" || response.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s: fields %v", method, target, response.Fields)
	}
	return response
}

// answers wants a probe's JSON, whole.
func answers(t *testing.T, h http1.Handler, target string, status int, want string) {
	t.Helper()
	response := ask(t, h, "GET", target, status)
	if got := string(response.Content); got != want+"\n" || response.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %s\nwant %s\nfields %v", target, got, want, response.Fields)
	}
}

var probes = []string{"/livez", "/readyz", "/startupz"}

func TestProbes(t *testing.T) {
	t.Run("without checks all is well", func(t *testing.T) {
		h := admin.New(admin.Options{})
		for _, path := range probes {
			answers(t, h, path, 200, `{"status":"ok"}`)
		}
	})
	t.Run("each has its own checks", func(t *testing.T) {
		live, ready, started := new(admin.Checks), new(admin.Checks), new(admin.Checks)
		h := admin.New(admin.Options{Live: live, Ready: ready, Started: started})
		for path, checks := range map[string]*admin.Checks{"/livez": live, "/readyz": ready, "/startupz": started} {
			checks.Add("mine", func() admin.Verdict { return admin.Failure("because of " + path) })
		}
		for _, path := range probes {
			answers(t, h, path, 503, fmt.Sprintf(`{"status":"failed","reasons":[{"check":"mine","reason":"because of %s"}]}`, path))
		}
	})
	t.Run("every reason is told, and those that are well only when asked for", func(t *testing.T) {
		ready := new(admin.Checks)
		ready.Add("mast", admin.OK)
		ready.Add("rope", func() admin.Verdict { return admin.Failure("torn") })
		ready.Add("paint", func() admin.Verdict { return admin.Warning(`it says "fresh"`) })
		ready.Add("keel", func() admin.Verdict { return admin.Failure("rotten") })
		h := admin.New(admin.Options{Ready: ready})
		const brief = `{"status":"failed","reasons":[{"check":"rope","reason":"torn"},{"check":"keel","reason":"rotten"}],` +
			`"warnings":[{"check":"paint","reason":"it says \"fresh\""}]`
		answers(t, h, "/readyz", 503, brief+"}")
		const all = brief + `,"checks":[{"check":"mast","status":"ok"},{"check":"rope","status":"failed","reason":"torn"},` +
			`{"check":"paint","status":"warning","reason":"it says \"fresh\""},{"check":"keel","status":"failed","reason":"rotten"}]}`
		for _, query := range []string{"verbose", "verbose=", "verbose=1", "a=b&verbose"} {
			answers(t, h, "/readyz?"+query, 503, all)
		}
		for _, query := range []string{"", "quiet", "a=verbose", "verbosely"} {
			answers(t, h, "/readyz?"+query, 503, brief+"}")
		}
	})
	t.Run("a warning leaves the status", func(t *testing.T) {
		ready := new(admin.Checks)
		ready.Add("certificates", func() admin.Verdict { return admin.Warning("none for a.test") })
		answers(t, admin.New(admin.Options{Ready: ready}), "/readyz", 200,
			`{"status":"ok","warnings":[{"check":"certificates","reason":"none for a.test"}]}`)
	})
}

func TestChecksAreAskedEachTime(t *testing.T) {
	var sick atomic.Bool
	ready := new(admin.Checks)
	h := admin.New(admin.Options{Ready: ready})
	answers(t, h, "/readyz", 200, `{"status":"ok"}`)
	ready.Add("late", func() admin.Verdict {
		if sick.Load() {
			return admin.Failure("sick")
		}
		return admin.OK()
	})
	answers(t, h, "/readyz", 200, `{"status":"ok"}`)
	sick.Store(true)
	answers(t, h, "/readyz", 503, `{"status":"failed","reasons":[{"check":"late","reason":"sick"}]}`)
	sick.Store(false)
	answers(t, h, "/readyz", 200, `{"status":"ok"}`)
}

// A check may take its time; another probe, and whoever adds one, does not wait for it.
func TestACheckThatHangs(t *testing.T) {
	live, hangs, goOn := new(admin.Checks), make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	live.Add("slow", func() admin.Verdict {
		if first.CompareAndSwap(false, true) {
			close(hangs)
			<-goOn
		}
		return admin.OK()
	})
	h := admin.New(admin.Options{Live: live})
	done := make(chan int)
	go func() { done <- http1test.Do(h, http1test.Request{Target: "/livez"}).Status }()
	<-hangs
	live.Add("another", admin.OK)
	ask(t, h, "GET", "/livez", 200)
	close(goOn)
	if status := <-done; status != 200 {
		t.Errorf("the slow one answered %d", status)
	}
}

func TestPages(t *testing.T) {
	page := http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.Text(200, "some metrics\n") })
	whole := admin.New(admin.Options{Metrics: page, Pprof: true})
	least := admin.New(admin.Options{})
	t.Run("what is not there is not found, whatever the method", func(t *testing.T) {
		for _, path := range []string{"/", "/x", "/readyz/", "//readyz", "/READYZ", "/readyz%20", "/ready%7A", "/metrics/x", "/debug", "/debug/pprof", "/../livez"} {
			ask(t, whole, "GET", path, 404)
		}
		ask(t, whole, "POST", "/x", 404)
		ask(t, whole, "OPTIONS", "/x", 404)
	})
	t.Run("metrics and profiles are there where they are wanted", func(t *testing.T) {
		if got := ask(t, whole, "GET", "/metrics", 200); string(got.Content) != "some metrics\n" {
			t.Errorf("%q", got.Content)
		}
		for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
			ask(t, least, "GET", path, 404)
		}
	})
	t.Run("other methods get 405 and which there are", func(t *testing.T) {
		for _, path := range append(probes, "/metrics", "/debug/pprof/", "/debug/pprof/profile") {
			for _, method := range []string{"POST", "PUT", "DELETE", "TRACE", "CONNECT", "BREW", "get"} {
				if allow := ask(t, whole, method, path, 405).Get("Allow"); allow != "GET, HEAD, OPTIONS" {
					t.Errorf("%s %s: Allow %q", method, path, allow)
				}
			}
		}
	})
	t.Run("OPTIONS tells the methods", func(t *testing.T) {
		for _, target := range []string{"/readyz", "*"} {
			if allow := ask(t, whole, "OPTIONS", target, 204).Get("Allow"); allow != "GET, HEAD, OPTIONS" {
				t.Errorf("%s: Allow %q", target, allow)
			}
		}
	})
	t.Run("HEAD is GET without the content", func(t *testing.T) {
		if got := ask(t, whole, "HEAD", "/livez", 200); len(got.Content) > 0 || got.Length != int64(len(`{"status":"ok"}`)+1) {
			t.Errorf("%q, length %d", got.Content, got.Length)
		}
	})
}

func TestProfiles(t *testing.T) {
	h := admin.New(admin.Options{Pprof: true})
	for _, c := range []struct {
		target string
		status int
		want   string
	}{
		{"/debug/pprof/", 200, "full goroutine stack dump"},
		{"/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total"},
		{"/debug/pprof/heap", 200, "\x1f\x8b"},
		{"/debug/pprof/trace?seconds=0.01", 200, "go 1."},
		{"/debug/pprof/symbol", 200, "num_symbols: 1"},
		{"/debug/pprof/cmdline", 404, ""},
		{"/debug/pprof/nothing", 404, ""},
		{"/debug/pprof/profile?seconds=100000", 400, "up to 120"},
		{"/debug/pprof/profile?seconds=1&seconds=121", 400, "up to 120"},
		{"/debug/pprof/heap?seconds=NaN", 400, "up to 120"},
		{"/debug/pprof/trace?seconds=-1", 400, "up to 120"},
		{"/debug/pprof/trace?seconds=soon", 400, "up to 120"},
	} {
		t.Run(c.target, func(t *testing.T) {
			if got := ask(t, h, "GET", c.target, c.status); !strings.Contains(string(got.Content), c.want) {
				t.Errorf("%.300q, want %q in it", got.Content, c.want)
			}
		})
	}
	t.Run("symbols may be posted, as go tool pprof does", func(t *testing.T) {
		response := http1test.Do(h, http1test.Request{Method: "POST", Target: "/debug/pprof/symbol", Content: "0x1"})
		if response.Status != 200 {
			t.Errorf("%d %s", response.Status, response.Content)
		}
		if allow := ask(t, h, "OPTIONS", "/debug/pprof/symbol", 204).Get("Allow"); allow != "GET, HEAD, POST, OPTIONS" {
			t.Errorf("Allow %q", allow)
		}
	})
}

// The answers are for programs: each is one JSON object, whatever a reason holds.
func FuzzReasonIsJSON(f *testing.F) {
	f.Add("plain", "certificates")
	f.Add("\"\n\x00\xff</script>\u2028", "")
	f.Fuzz(func(t *testing.T, reason, name string) {
		ready := new(admin.Checks)
		ready.Add(name, func() admin.Verdict { return admin.Failure(reason) })
		response := http1test.Do(admin.New(admin.Options{Ready: ready}), http1test.Request{Target: "/readyz?verbose"})
		var got struct {
			Status  string
			Reasons []struct{ Check, Reason string }
		}
		if err := json.Unmarshal(response.Content, &got); err != nil || got.Status != "failed" || len(got.Reasons) != 1 {
			t.Errorf("%s: %v", response.Content, err)
		}
		if strings.Count(string(response.Content), "\n") != 1 {
			t.Errorf("more than one line: %q", response.Content)
		}
	})
}
