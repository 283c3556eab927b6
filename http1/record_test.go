package http1

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestRecords(t *testing.T) {
	overBoth(t, demo, func(t *testing.T, s *site) {
		scheme, version := "http", "plain"
		if s.secure {
			scheme, version = "https", "tls"
		}
		c := s.ask(get("/ok") + post("/echo", 3, "abc") + "HEAD /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/204") + "GET /bad\n")
		_, _ = io.ReadAll(c.in)
		var got []string
		for _, r := range s.observed(5) {
			code := ""
			if r.Reason != nil {
				code = r.Reason.Code
			}
			got = append(got, fmt.Sprintf("%s %s %s %s: %d, %d bytes, %s %s", r.Proto, r.Method, r.Target, r.Authority, r.Status, r.Bytes, r.Ending, code))
			if !r.Client.Addr().IsLoopback() || r.Local.String() != s.nets.Addr().String() || (r.TLS != nil) != s.secure {
				t.Errorf("%s over %s: client %s, local %s, TLS %t", scheme, version, r.Client, r.Local, r.TLS != nil)
			}
			if r.Start.IsZero() || r.Duration < 0 {
				t.Errorf("start %s, duration %s", r.Start, r.Duration)
			}
		}
		want := []string{
			"HTTP/1.1 GET /ok a: 200, 2 bytes, completed ",
			"HTTP/1.1 POST /echo a: 200, 3 bytes, completed ",
			"HTTP/1.0 HEAD /length : 200, 10 bytes, completed ",
			"HTTP/1.1 GET /204 a: 204, 0 bytes, completed ",
			" GET  : 400, ",
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("record %d: %s\nwant %s", i, got[i], want[i])
			}
		}
		if !strings.HasSuffix(got[4], "refused bare-lf") {
			t.Errorf("record 4: %s", got[4])
		}
	})
}

func TestConcealedQuery(t *testing.T) {
	conceals := HandlerFunc(func(w *Response, r *Request) {
		if strings.HasPrefix(r.Path(), "/secret") {
			r.ConcealQuery()
		}
		w.Text(200, r.Query())
	})
	overBoth(t, conceals, func(t *testing.T, s *site) {
		c := s.ask(get("/secret?token=1") + get("/ok?a=b") + get("/secret") + get("/secret?token=2") + "GET /ok?c HTTP/1.1\r\nHost: a\r\nBad : x\r\n\r\n")
		_, _ = io.ReadAll(c.in)
		for i, want := range []string{"/secret?<concealed>", "/ok?a=b", "/secret", "/secret?<concealed>", "/ok?c"} {
			if got := s.observed(5)[i].Target; got != want {
				t.Errorf("record %d has the target %s, want %s", i, got, want)
			}
		}
	})
}

func TestIdentity(t *testing.T) {
	ids := make(chan string, 4)
	h := HandlerFunc(func(_ *Response, r *Request) { ids <- r.ID() })
	s := open(t, "plain", h, nil)
	for range 2 {
		c := s.ask(get("/") + get("/"))
		c.gets("GET", 200, "")
		c.gets("GET", 200, "")
	}
	form := regexp.MustCompile(`^[0-9a-f]{8}-[12]-[12]$`)
	seen := map[string]bool{}
	for _, r := range s.observed(4) {
		id := <-ids
		if !form.MatchString(id) || seen[id] || r.ID != id {
			t.Errorf("the handler saw %q, the observer %q; seen before: %t", id, r.ID, seen[id])
		}
		seen[id] = true
	}
}

// What a Request gives stays valid, but for its views: those show garbage here, where a
// request's memory is overwritten when it is over.
func TestWhatARequestGives(t *testing.T) {
	type kept struct {
		strings    []string
		field      []byte
		path       []byte
		pathDuring string
	}
	keep := make(chan kept, 2)
	h := HandlerFunc(func(_ *Response, r *Request) {
		k := kept{field: r.FieldView("x-secret"), path: r.PathView()}
		k.pathDuring = string(k.path)
		for name, value := range r.Fields() {
			k.strings = append(k.strings, name+"="+value)
		}
		content, _ := io.ReadAll(r.Body())
		k.strings = append(k.strings, r.Method(), r.Path(), r.Query(), r.Target(), r.Authority(), r.Field("X-Secret"), string(content), r.Proto(), r.ID())
		keep <- k
	})
	overBoth(t, h, func(t *testing.T, s *site) {
		c := s.ask("PURGE /path/1?q=1 HTTP/1.1\r\nHost: a.test\r\nX-Secret: one\r\nContent-Length: 4\r\n\r\nbody")
		c.gets("PURGE", 200, "")
		k := <-keep
		before := strings.Join(k.strings, " ")
		c.send("PURGE /diff/2?q=2 HTTP/1.1\r\nHost: b.test\r\nX-Secret: two\r\nContent-Length: 4\r\n\r\nBODY")
		c.gets("PURGE", 200, "")
		<-keep
		if got := strings.Join(k.strings, " "); got != before || !strings.Contains(got, "PURGE /path/1 q=1 /path/1?q=1 a.test one body") {
			t.Errorf("the strings are now %q, were %q", got, before)
		}
		if k.pathDuring != "/path/1" {
			t.Errorf("the path's view was %q while the handler ran", k.pathDuring)
		}
		for _, view := range [][]byte{k.field, k.path} {
			if !bytes.Equal(view, bytes.Repeat([]byte{0xDB}, len(view))) {
				t.Errorf("a view that was kept shows %q: it could have been another request's", view)
			}
		}
	})
}

// Bytes that are no request do not count as one.
func TestEmptyLinesAreNoRequest(t *testing.T) {
	for _, send := range []string{"", "\r", "\r\n"} {
		s := open(t, "plain", demo, nil)
		c := s.ask(send)
		c.finish()
		c.ends()
		await(t, "the connection's end", func() bool { return s.conns.Ledger().Open == 0 })
		if l := s.server.Ledger(); l.Begun != 0 || s.conns.Ledger().Quiet != 1 {
			t.Errorf("%q: %+v, %+v", send, l, s.conns.Ledger())
		}
	}
}

// A client that leaves in the middle of its head aborts a request; one that ends its half
// there is told what is missing.
func TestHalfAHead(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		s := open(t, "plain", demo, nil)
		c := s.ask(get("/ok") + "GET /h")
		c.gets("GET", 200, "OK")
		c.vanish()
		if r := s.observed(2)[1]; r.Ending != Aborted || r.Status != 0 || r.Err == nil {
			t.Errorf("observed %+v", r)
		}
	})
	t.Run("half-closed", func(t *testing.T) {
		s := open(t, "plain", demo, nil)
		c := s.ask("GET /h HTTP/1.1\r\nHost: a\r\n")
		c.finish()
		if a := c.answer("GET"); a.StatusCode != 400 || !strings.Contains(a.content, "incomplete-head") {
			t.Errorf("got %d %q", a.StatusCode, a.content)
		}
		c.ends()
	})
}

func TestUnbalancedBooks(t *testing.T) {
	good := Ledger{Begun: 10, Completed: 4, Refused: 3, Aborted: 1, Forced: 1, Open: 1}
	if err := good.Balance(); err != nil {
		t.Errorf("balanced books are reported: %v", err)
	}
	bad := good
	bad.Completed++
	if err := bad.Balance(); err == nil || !strings.Contains(err.Error(), "10 requests begun, but 11") {
		t.Errorf("one request too many: %v", err)
	}
}

func TestEndingNames(t *testing.T) {
	for e, want := range map[Ending]string{Completed: "completed", Refused: "refused", Aborted: "aborted", Forced: "forced"} {
		if e.String() != want {
			t.Errorf("%d is %q, want %q", e, e.String(), want)
		}
	}
}
