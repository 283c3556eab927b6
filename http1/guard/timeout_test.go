package guard_test

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn/conntest"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/guard"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// A late row is a handler with 10 s, and what comes of it.
type lateRow struct {
	name    string
	handler http1.HandlerFunc
	want    []string // statuses of the responses to two pipelined requests
	ending  http1.Ending
	err     error // in the first record
	took    time.Duration
}

func waits(_ *http1.Response, r *http1.Request) { <-r.Context().Done() }

var lateRows = []lateRow{
	{"in time it is as without a limit", func(w *http1.Response, _ *http1.Request) { time.Sleep(9 * time.Second) },
		[]string{"200", "200"}, http1.Completed, nil, 9 * time.Second},
	{"one that waits for its context is a 503 and the connection goes on", waits, []string{"503", "503"}, http1.Completed, nil, 10 * time.Second},
	{"one that does not look is a 503 when it returns", func(w *http1.Response, _ *http1.Request) {
		time.Sleep(time.Minute)
		_, _ = w.WriteString("done")
	}, []string{"503", "503"}, http1.Completed, nil, time.Minute},
	{"what it had set and written is dropped", func(w *http1.Response, r *http1.Request) {
		w.SetStatus(201)
		w.Set("X-Half", "half")
		_, _ = w.WriteString("half")
		waits(w, r)
	}, []string{"503", "503"}, http1.Completed, nil, 10 * time.Second},
	{"a stream that was begun is cut", func(w *http1.Response, r *http1.Request) {
		_, _ = w.WriteString("half")
		_ = w.Flush()
		waits(w, r)
	}, []string{"200"}, http1.Aborted, guard.ErrTimeout, 10 * time.Second},
	{"so is content shorter than declared", func(w *http1.Response, r *http1.Request) {
		w.SetLength(9)
		_, _ = w.WriteString("half")
		waits(w, r)
	}, []string{"200"}, http1.Aborted, guard.ErrTimeout, 10 * time.Second},
	{"content that is whole is not", func(w *http1.Response, r *http1.Request) {
		w.SetLength(4)
		_, _ = w.WriteString("full")
		waits(w, r)
	}, []string{"200", "200"}, http1.Completed, nil, 10 * time.Second},
	{"a panic is a 500 however late", func(w *http1.Response, r *http1.Request) { waits(w, r); panic("no") },
		[]string{"500"}, http1.Completed, nil, 10 * time.Second},
}

func TestTimeout(t *testing.T) {
	for _, row := range lateRows {
		t.Run(row.name, func(t *testing.T) {
			var began time.Time
			h := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
				began = time.Now()
				row.handler(w, r)
			})
			var took []time.Duration
			timed := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
				defer func() { took = append(took, time.Since(began)) }()
				guard.Timeout(h, 10*time.Second).Serve(w, r)
			})
			p := inBubble(t, timed, asks(get+get))
			if got := statuses(p.said); !slices.Equal(got, row.want) || strings.Contains(p.said, "X-Half") {
				t.Errorf("got %q, want %v", p.said, row.want)
			}
			if took[0] != row.took {
				t.Errorf("the handler returned after %v, want %v", took[0], row.took)
			}
			if r := p.records[0]; r.Ending != row.ending || row.err != nil && !errors.Is(r.Err, row.err) {
				t.Errorf("booked as %s for %v, want %s for %v", r.Ending, r.Err, row.ending, row.err)
			}
		})
	}
}

// A handler that is blocked in a read or a write cannot look at its context.
func TestTimeoutWakes(t *testing.T) {
	t.Run("a read of content that does not come", func(t *testing.T) {
		var got error
		var took time.Duration
		h := http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) {
			began := time.Now()
			_, got = io.ReadAll(r.Body())
			took = time.Since(began)
			<-r.Context().Done()
			if cause := http1.Cause(r.Context()); cause != guard.ErrTimeout {
				t.Errorf("the context ended for %v: the client is still there", cause)
			}
		})
		p := inBubble(t, guard.Timeout(h, 10*time.Second), func(c *conntest.Conn) {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
			time.Sleep(11 * time.Second) // without this the client would half-close, and end the content
		})
		if !errors.Is(got, os.ErrDeadlineExceeded) || took != 10*time.Second {
			t.Errorf("the read failed with %v after %v", got, took)
		}
		if !strings.HasPrefix(p.said, "HTTP/1.1 503 ") || !strings.Contains(p.said, "Connection: close\r\n") {
			t.Errorf("got %q", p.said)
		}
	})
	t.Run("a write that nobody reads", func(t *testing.T) {
		var took time.Duration
		h := http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) {
			began := time.Now()
			for err := error(nil); err == nil; _, err = w.Write(make([]byte, 64<<10)) {
			}
			took = time.Since(began)
		})
		p := inBubble(t, guard.Timeout(h, 10*time.Second), func(c *conntest.Conn) {
			_, _ = io.WriteString(c, get)
			time.Sleep(11 * time.Second)
		})
		if took != 10*time.Second || len(p.records) != 1 || p.records[0].Ending != http1.Aborted {
			t.Errorf("the write failed after %v, booked as %+v", took, p.records)
		}
	})
	t.Run("and no longer than the handler runs", func(t *testing.T) {
		h := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			guard.Timeout(page, 10*time.Second).Serve(w, r)
			time.Sleep(time.Minute) // behind the limit: what follows has the server's own clocks
		})
		p := inBubble(t, h, asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"+get))
		if got := statuses(p.said); !slices.Equal(got, []string{"200", "200"}) {
			t.Errorf("got %q", p.said)
		}
	})
}

var page = http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { _, _ = w.WriteString("page") })

func TestTimeoutsAroundEachOther(t *testing.T) {
	for name, h := range map[string]func(http1.Handler) http1.Handler{
		"the outer one is shorter": func(h http1.Handler) http1.Handler { return guard.Timeout(guard.Timeout(h, time.Minute), time.Second) },
		"the inner one is shorter": func(h http1.Handler) http1.Handler { return guard.Timeout(guard.Timeout(h, time.Second), time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				res := http1test.Do(h(http1.HandlerFunc(waits)), http1test.Request{})
				if took := time.Since(began); res.Status != 503 || took != time.Second {
					t.Errorf("got %d after %v", res.Status, took)
				}
			})
		})
	}
	t.Run("the outer deadline comes back when the inner handler has returned", func(t *testing.T) {
		var read error
		h := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			guard.Timeout(page, time.Second).Serve(w, r)
			_, read = io.ReadAll(r.Body())
		})
		p := inBubble(t, guard.Timeout(h, 10*time.Second), func(c *conntest.Conn) {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
			time.Sleep(20 * time.Second)
		})
		if !errors.Is(read, os.ErrDeadlineExceeded) || statuses(p.said)[0] != "503" {
			t.Errorf("the read failed with %v; got %q", read, p.said)
		}
	})
}

func TestTimeoutContext(t *testing.T) {
	// look is what a handler with 10 s sees of its context.
	look := func(t *testing.T, request http1test.Request, see func(ctx context.Context)) {
		synctest.Test(t, func(t *testing.T) {
			h := http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) { see(r.Context()) })
			http1test.Do(guard.Timeout(h, 10*time.Second), request)
		})
	}
	t.Run("its deadline is known and it has not ended", func(t *testing.T) {
		look(t, http1test.Request{}, func(ctx context.Context) {
			if at, ok := ctx.Deadline(); !ok || time.Until(at) != 10*time.Second || ctx.Err() != nil || http1.Cause(ctx) != nil {
				t.Errorf("deadline %v %t, %v, %v", at, ok, ctx.Err(), http1.Cause(ctx))
			}
		})
	})
	t.Run("for one who did not wait the time is up as well", func(t *testing.T) {
		look(t, http1test.Request{}, func(ctx context.Context) {
			time.Sleep(11 * time.Second)
			if http1.Cause(ctx) != guard.ErrTimeout || context.Cause(ctx) != guard.ErrTimeout || ctx.Err() != context.DeadlineExceeded {
				t.Errorf("%v, %v, %v", http1.Cause(ctx), context.Cause(ctx), ctx.Err())
			}
		})
	})
	t.Run("contexts that are derived from it end with it", func(t *testing.T) {
		look(t, http1test.Request{}, func(ctx context.Context) {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			<-derived.Done()
			if http1.Cause(derived) != guard.ErrTimeout {
				t.Errorf("for %v", http1.Cause(derived))
			}
		})
	})
	t.Run("it ends with the request's own, before its time", func(t *testing.T) {
		why := errors.New("gone")
		synctest.Test(t, func(t *testing.T) {
			outer, cancel := context.WithCancelCause(context.Background())
			h := http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) {
				time.AfterFunc(time.Second, func() { cancel(why) })
				<-r.Context().Done()
				if context.Cause(r.Context()) != why {
					t.Errorf("for %v", context.Cause(r.Context()))
				}
			})
			http1test.Do(guard.Timeout(h, 10*time.Second), http1test.Request{Context: outer})
		})
	})
	t.Run("it has the request's values", func(t *testing.T) {
		type key struct{}
		look(t, http1test.Request{Context: context.WithValue(context.Background(), key{}, "v")}, func(ctx context.Context) {
			before := ctx.Value(key{})
			<-ctx.Done()
			if before != "v" || ctx.Value(key{}) != "v" {
				t.Errorf("got %v, and %v once it has ended", before, ctx.Value(key{}))
			}
		})
	})
	for name, use := range map[string]func(context.Context){"who waited": func(ctx context.Context) { ctx.Done() }, "who did not": func(context.Context) {}} {
		t.Run("it ends when the handler has returned, for one "+name, func(t *testing.T) {
			var kept context.Context
			h := http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) { kept = r.Context(); use(kept) })
			inBubble(t, guard.Timeout(h, 10*time.Second), asks(get), func() {
				select {
				case <-kept.Done():
				default:
					t.Error("it has not ended")
				}
				if kept.Err() != context.Canceled {
					t.Errorf("it has ended with %v", kept.Err())
				}
			})
		})
	}
}

// A connection that was taken over is its handler's, however long.
func TestTimeoutOfAnUpgrade(t *testing.T) {
	h := http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) {
		s, err := w.Upgrade("echo")
		if err != nil {
			t.Error(err)
			return
		}
		time.Sleep(time.Minute)
		_, _ = io.Copy(s, s)
	})
	p := inBubble(t, guard.Timeout(h, 10*time.Second), func(c *conntest.Conn) {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
	})
	if !strings.HasPrefix(p.said, "HTTP/1.1 101 ") || !strings.HasSuffix(p.said, "\r\n\r\nhello") || p.records[0].Ending != http1.Completed {
		t.Errorf("got %q, booked as %s for %v", p.said, p.records[0].Ending, p.records[0].Err)
	}
}

func TestTimeoutOfNothing(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("was taken")
		}
	}()
	guard.Timeout(page, 0)
}
