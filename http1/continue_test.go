package http1

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/holdfast-server/holdfast/conn"
)

const interim = "HTTP/1.1 100 Continue\r\n\r\n"

// expecting is the head of a POST that waits for a 100 before its 5 bytes.
func expecting(path string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
}

// RFC 9110 §10.1.1.
func TestContinue(t *testing.T) {
	in := func(name string, test func(t *testing.T, p *peer)) {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &Server{Handler: demo}, conn.Limits{}, func(t *testing.T, m *memory) {
				p := m.meet(t)
				defer p.Close()
				test(t, p)
			})
		})
	}
	in("it is sent when the handler reads, and once", func(t *testing.T, p *peer) {
		if got := p.says(expecting("/echo-slowly")); got != interim {
			t.Fatalf("heard %q, want the 100 alone", got)
		}
		p.says("he")
		got := p.says("llo")
		if strings.Count(got, "100 Continue") != 1 || !strings.HasSuffix(got, "\r\n\r\nhello") || strings.Contains(got, "close") {
			t.Errorf("heard %q", got)
		}
	})
	in("a handler that does not read gets none sent, and the connection ends", func(t *testing.T, p *peer) {
		got := p.says(expecting("/ignore"))
		if strings.Contains(got, "100 Continue") || !strings.Contains(got, "Connection: close") || !p.isOver() {
			t.Errorf("heard %q, over %t", got, p.isOver())
		}
	})
	in("content that came unasked needs none", func(t *testing.T, p *peer) {
		got := p.says(expecting("/echo") + "hello" + get("/ok"))
		if strings.Contains(got, "100 Continue") || strings.Count(got, "200 OK") != 2 {
			t.Errorf("heard %q", got)
		}
	})
	in("none comes behind the response's head", func(t *testing.T, p *peer) {
		got := p.says(expecting("/answer-first"))
		if strings.Contains(got, "100 Continue") || !strings.Contains(got, "early;") || !strings.Contains(got, "Connection: close") {
			t.Fatalf("heard %q, want the response begun and its end announced", got)
		}
		got = p.says("hello")
		if strings.Contains(got, "100 Continue") || !strings.Contains(got, "5 <nil>") || !p.isOver() {
			t.Errorf("heard %q, over %t: content that comes all the same is for the handler", got, p.isOver())
		}
	})
	in("HTTP/1.0 never gets one", func(t *testing.T, p *peer) {
		got := p.says("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
		if got != "" {
			t.Errorf("heard %q before the content came", got)
		}
		if got := p.says("hello"); strings.Contains(got, "100 Continue") || !strings.HasSuffix(got, "hello") {
			t.Errorf("heard %q", got)
		}
	})
	in("earlier responses go out before it, the own one after it", func(t *testing.T, p *peer) {
		got := p.says(get("/ok") + get("/ok") + expecting("/echo"))
		if strings.Count(got, "200 OK") != 2 || !strings.HasSuffix(got, interim) {
			t.Fatalf("heard %q, want two responses and the 100", got)
		}
		if got := p.says("hello"); strings.Count(got, "200 OK") != 3 {
			t.Errorf("heard %q", got)
		}
	})
	in("chunked content is waited for as well", func(t *testing.T, p *peer) {
		got := p.says("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n")
		if got != interim {
			t.Fatalf("heard %q, want the 100 alone", got)
		}
		if got := p.says("2\r\nhi\r\n0\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\nhi") {
			t.Errorf("heard %q", got)
		}
	})
}

// A response to an earlier request must not wait for a later one's content.
func TestFinishedResponsesGoOutBeforeARead(t *testing.T) {
	head := "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
	for _, path := range []string{"/echo", "/first-byte", "/ignore", "/answer-first"} {
		t.Run(path, func(t *testing.T) {
			inBubble(t, &Server{Handler: demo}, conn.Limits{}, func(t *testing.T, m *memory) {
				p := m.meet(t)
				defer p.Close()
				if got := p.says(get("/length") + strings.Replace(head, "%s", path, 1)); !strings.Contains(got, "0123456789") {
					t.Errorf("heard %q while the server waits for content, want the first response", got)
				}
				if got := p.says("hello"); strings.Count(got, "200 OK") != 2 {
					t.Errorf("heard %q, want both responses", got)
				}
			})
		})
	}
	t.Run("also when the handler has begun its own", func(t *testing.T) {
		h := HandlerFunc(func(w *Response, r *Request) {
			_, _ = w.WriteString(strings.Repeat("x", responseBufferBytes+1)) // commits, and waits
			_, _ = io.Copy(io.Discard, r.Body())
		})
		inBubble(t, &Server{Handler: h}, conn.Limits{}, func(t *testing.T, m *memory) {
			p := m.meet(t)
			defer p.Close()
			got := p.says(get("/") + strings.Replace(head, "%s", "/", 1))
			if strings.Count(got, "200 OK") < 1 {
				t.Errorf("heard %q, want the first response at least", got)
			}
			p.says("hello")
		})
	})
	t.Run("and before half a head", func(t *testing.T) {
		inBubble(t, &Server{Handler: demo}, conn.Limits{}, func(t *testing.T, m *memory) {
			p := m.meet(t)
			defer p.Close()
			if got := p.says(get("/ok") + "GET /o"); strings.Count(got, "200 OK") != 1 {
				t.Errorf("heard %q, want the first response", got)
			}
			if got := p.says("k HTTP/1.1\r\nHost: a\r\n\r\n"); strings.Count(got, "200 OK") != 2 {
				t.Errorf("heard %q, want both responses", got)
			}
			synctest.Wait()
		})
	})
}
