package rehearsal_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/rehearsal"
)

// mounted is the rehearsal before a site that says that it was asked.
var mounted = rehearsal.Mount(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
	w.Text(200, "the site: "+r.Path())
}))

func get(target string) *http1test.Response {
	return http1test.Do(mounted, http1test.Request{Target: target})
}

func TestMount(t *testing.T) {
	t.Run("the site keeps all that is not below the prefix", func(t *testing.T) {
		for _, path := range []string{"/", "/echo", "/.holdfast-rehearsal", "/.holdfast-rehearsals/echo", "/a/.holdfast-rehearsal/echo", "//.holdfast-rehearsal/echo"} {
			if res := get(path); string(res.Content) != "the site: "+path {
				t.Errorf("%s: %d %q", path, res.Status, res.Content)
			}
		}
	})
	t.Run("what is below it and unknown is not found, and not asked of the site", func(t *testing.T) {
		for _, name := range []string{"", "other", "echo/", "echo/x", "%65cho"} {
			if res := get(rehearsal.Prefix + name); res.Status != 404 || strings.Contains(string(res.Content), "the site") {
				t.Errorf("%q: %d %q", name, res.Status, res.Content)
			}
		}
	})
}

func TestEcho(t *testing.T) {
	put := func(content string, chunked bool) *http1test.Response {
		return http1test.Do(mounted, http1test.Request{Method: "PUT", Target: rehearsal.Prefix + "echo", Content: content, Chunked: chunked})
	}
	t.Run("gives the content back, whatever its framing", func(t *testing.T) {
		content := string(rehearsal.Content(rehearsal.EchoLimitBytes))
		for _, c := range []string{"", "x", content} {
			for _, chunked := range []bool{false, true} {
				res := put(c, chunked)
				if res.Status != 200 || string(res.Content) != c || res.Length != int64(len(c)) {
					t.Errorf("%d bytes, chunked %v: %d with %d bytes", len(c), chunked, res.Status, len(res.Content))
				}
			}
		}
	})
	t.Run("more than the limit is refused", func(t *testing.T) {
		for _, chunked := range []bool{false, true} {
			if res := put(string(rehearsal.Content(rehearsal.EchoLimitBytes+1)), chunked); res.Status != 413 {
				t.Errorf("chunked %v: status %d, want 413", chunked, res.Status)
			}
		}
	})
	t.Run("another method is not allowed", func(t *testing.T) {
		if res := get(rehearsal.Prefix + "echo"); res.Status != 405 || res.Get("Allow") != "PUT" {
			t.Errorf("%d, Allow %q", res.Status, res.Get("Allow"))
		}
	})
}

func TestSlowAndStream(t *testing.T) {
	for _, c := range []struct {
		query string
		want  []byte
		over  time.Duration
	}{
		{"slow?bytes=0&over=1s", nil, time.Second},
		{"slow?bytes=7&over=7s", rehearsal.Content(7), 7 * time.Second},
		{"slow?bytes=100000&over=1m", rehearsal.Content(100000), time.Minute},
		{"slow?bytes=1000&over=0s", rehearsal.Content(1000), 0},
		{"stream?events=0&over=0s", nil, 0},
		{"stream?events=50&over=10s", rehearsal.Events(50), 10 * time.Second},
	} {
		t.Run(c.query+" takes its time and is what was agreed on", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				res := get(rehearsal.Prefix + c.query)
				if res.Status != 200 || !bytes.Equal(res.Content, c.want) || res.Cut {
					t.Errorf("%d with %d bytes, cut %v; want %d bytes", res.Status, len(res.Content), res.Cut, len(c.want))
				}
				if took := time.Since(begun).Round(time.Second); took != c.over && len(c.want) > 0 {
					t.Errorf("took %v, want %v", took, c.over)
				}
			})
		})
	}
	t.Run("each event leaves when it happens", func(t *testing.T) {
		if res := get(rehearsal.Prefix + "stream?events=5&over=1ms"); res.Flushes != 5 || res.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%d flushes of %s", res.Flushes, res.Get("Content-Type"))
		}
	})
	t.Run("who leaves with the last piece was answered, and nothing is cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			until, leave := context.WithTimeout(t.Context(), 95*time.Second) // the last piece is written after 90
			defer leave()
			res := http1test.Do(mounted, http1test.Request{Target: rehearsal.Prefix + "slow?bytes=10&over=100s", Context: until})
			if res.Status != 200 || res.Cut || !bytes.Equal(res.Content, rehearsal.Content(10)) {
				t.Errorf("%d with %d bytes, cut %v", res.Status, len(res.Content), res.Cut)
			}
		})
	})
	t.Run("when nobody waits any more the rest is not sent, and the peer sees a cut", func(t *testing.T) {
		gone, leave := context.WithCancel(t.Context())
		leave()
		for _, query := range []string{"slow?bytes=100&over=1m", "stream?events=100&over=1m"} {
			res := http1test.Do(mounted, http1test.Request{Target: rehearsal.Prefix + query, Context: gone})
			if !res.Cut || len(res.Content) == 0 || len(res.Content) >= 100*20 {
				t.Errorf("%s: cut %v after %d bytes", query, res.Cut, len(res.Content))
			}
		}
	})
}

func TestAmounts(t *testing.T) {
	for _, query := range []string{
		"slow", "slow?bytes=10", "slow?over=1s", "slow?bytes=-1&over=1s", "slow?bytes=16777217&over=1s", "slow?bytes=x&over=1s",
		"slow?bytes=1&over=-1s", "slow?bytes=1&over=1h", "slow?bytes=1&over=1", "slow?bytes=1;over=1s",
		"stream", "stream?events=10001&over=1s", "stream?events=-1&over=1s",
	} {
		t.Run(query+" is refused", func(t *testing.T) {
			if res := get(rehearsal.Prefix + query); res.Status != 400 {
				t.Errorf("status %d with %q", res.Status, res.Content)
			}
		})
	}
}

func TestContent(t *testing.T) {
	t.Run("is the same each time, and the shorter begins the longer", func(t *testing.T) {
		if !bytes.Equal(rehearsal.Content(1000), rehearsal.Content(2000)[:1000]) {
			t.Error("it differs")
		}
	})
	t.Run("has no pattern: no piece of it stands twice", func(t *testing.T) {
		content, seen := rehearsal.Content(10_000), map[string]bool{}
		for i := 0; i+8 <= len(content); i += 8 {
			if seen[string(content[i:i+8])] {
				t.Fatalf("the piece at %d stands twice", i)
			}
			seen[string(content[i:i+8])] = true
		}
	})
	t.Run("events are numbered", func(t *testing.T) {
		if got := string(rehearsal.Events(2)); got != "id: 0\ndata: still here\n\nid: 1\ndata: still here\n\n" {
			t.Errorf("%q", got)
		}
	})
}
