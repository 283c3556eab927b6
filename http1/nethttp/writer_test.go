package nethttp_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

var patienceOver = time.Unix(1, 0)

// logged runs h and gives its response and what was logged.
func logged(h http.HandlerFunc) (*http1test.Response, string) {
	var b bytes.Buffer
	o := nethttp.Options{Log: slog.New(slog.NewTextHandler(&b, nil))}
	return http1test.Do(o.Handler(h), http1test.Request{}), b.String()
}

func TestLog(t *testing.T) {
	rows := []struct {
		name    string
		handler http.HandlerFunc
		want    []string // empty for silence
	}{
		{"a proper handler leaves no line", typed("x"), nil},
		{"a superfluous WriteHeader is named with its place", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			http.Error(w, "late", 500)
		}, []string{"superfluous", "status=500", "before=200", "writer_test.go:"}},
		{"an invalid length", set("Content-Length", "x"), []string{"invalid Content-Length"}},
		{"more content than declared", set("Content-Length", "2"), []string{"more than the declared", "declared=2"}},
		{"a name that is no token", set("X A", "1"), []string{"no token", `"X A"`}},
		{"a trailer for the head", set("Trailer", "Set-Cookie"), []string{"must stand in a head", "Set-Cookie"}},
		{"a status from nowhere", status(601), []string{"no RFC knows", "601"}},
		{"101 without Hijack", status(101), []string{"did not take the connection"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, log := logged(row.handler)
			if len(row.want) == 0 && log != "" {
				t.Errorf("logged %s", log)
			}
			for _, part := range row.want {
				if !strings.Contains(log, part) {
					t.Errorf("no %q in %s", part, log)
				}
			}
		})
	}
}

func TestPanics(t *testing.T) {
	t.Run("an invalid status panics in the handler, as there", func(t *testing.T) {
		for _, code := range []int{-1, 0, 99, 1000} {
			res, _ := logged(func(w http.ResponseWriter, _ *http.Request) {
				defer func() {
					if v := recover(); v == nil || !strings.HasPrefix(v.(string), "invalid WriteHeader code") {
						t.Errorf("%d: %v", code, v)
					}
				}()
				w.WriteHeader(code)
			})
			if res.Status != 200 {
				t.Errorf("%d: %+v", code, res)
			}
		}
	})
	t.Run("a panic keeps its value and its stack", func(t *testing.T) {
		res, _ := logged(panicsOnPurpose)
		p, ok := res.Result.Err.(*http1.PanicError)
		if !ok || p.Value != "on purpose" || !bytes.Contains(p.Stack, []byte("panicsOnPurpose")) {
			t.Errorf("%+v", res.Result)
		}
	})
	t.Run("an abort is http1's", func(t *testing.T) {
		res, log := logged(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		if res.Result.Err != http1.ErrAbort || !res.Cut || log != "" {
			t.Errorf("%+v %s", res.Result, log)
		}
	})
}

func panicsOnPurpose(http.ResponseWriter, *http.Request) { panic("on purpose") }

func TestWriterAfterTheHandler(t *testing.T) {
	t.Run("every method fails and nothing is sent", func(t *testing.T) {
		var kept http.ResponseWriter
		logged(func(w http.ResponseWriter, _ *http.Request) { kept = w })
		c := http.NewResponseController(kept)
		_, write := kept.Write([]byte("late"))
		_, text := kept.(io.StringWriter).WriteString("late")
		_, from := kept.(io.ReaderFrom).ReadFrom(strings.NewReader("late"))
		_, _, hijack := c.Hijack()
		kept.WriteHeader(500)
		for i, err := range []error{write, text, from, hijack, c.Flush(), c.SetReadDeadline(patienceOver), c.SetWriteDeadline(patienceOver)} {
			if err == nil {
				t.Errorf("method %d succeeded", i)
			}
		}
	})
	t.Run("a goroutine left behind spoils no later response", func(t *testing.T) {
		var left sync.WaitGroup
		h := nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			begun := make(chan bool)
			left.Go(func() {
				close(begun)
				for {
					if _, err := io.WriteString(w, "left "); err != nil {
						return
					}
				}
			})
			<-begun
		}))
		plain := nethttp.Handler(typed("whole"))
		for range 100 {
			http1test.Do(h, http1test.Request{Method: "HEAD"})
			if res := http1test.Do(plain, http1test.Request{}); string(res.Content) != "whole" {
				t.Fatalf("%q", res.Content)
			}
		}
		left.Wait()
	})
}

func TestReadFrom(t *testing.T) {
	t.Run("a file of declared length arrives whole", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "big")
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		if err := os.WriteFile(name, big, 0o600); err != nil {
			t.Fatal(err)
		}
		o := observe(t, serveOurs(t, withAgain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, name)
		}))), get("/"))
		if o.Content != string(big) || !o.Kept {
			t.Errorf("%d bytes, kept %v", len(o.Content), o.Kept)
		}
	})
	t.Run("content comes as it is read, while more is being sent", func(t *testing.T) {
		address := serveOurs(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			_ = c.Flush()
			buf := make([]byte, 1)
			for {
				if _, err := io.ReadFull(r.Body, buf); err != nil {
					return
				}
				_, _ = w.Write(buf)
				_ = c.Flush()
			}
		}))
		c, r := dial(t, address)
		_, _ = io.WriteString(c, message("POST /", "", "Content-Length: 3"))
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, sent := range []string{"a", "b", "c"} {
			_, _ = io.WriteString(c, sent)
			got := make([]byte, 1)
			if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != sent {
				t.Fatalf("%q, %v", got, err)
			}
		}
	})
}
