package http1

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// waits is demo with a path whose response waits for the gate, and tells of its arrival.
func waits(entered, gate chan struct{}) Handler {
	return HandlerFunc(func(w *Response, r *Request) {
		if r.Path() == "/wait" {
			entered <- struct{}{}
			<-gate
		}
		demo.Serve(w, r)
	})
}

func TestClosing(t *testing.T) {
	closes := func(heard string) (announced []bool) {
		for _, part := range strings.Split(heard, "HTTP/1.1 ")[1:] {
			announced = append(announced, strings.Contains(part, "Connection: close"))
		}
		return announced
	}
	in := func(name string, test func(t *testing.T, m *memory, p *peer)) {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &Server{Handler: demo}, conn.Limits{}, func(t *testing.T, m *memory) {
				p := m.meet(t)
				defer p.Close()
				test(t, m, p)
			})
		})
	}
	expect := func(t *testing.T, p *peer, heard string, want ...bool) {
		t.Helper()
		got := closes(heard)
		if len(got) != len(want) {
			t.Fatalf("heard %q, want %d responses", heard, len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("response %d: close announced %t, want %t", i, got[i], want[i])
			}
		}
		if over := want[len(want)-1]; p.isOver() != over {
			t.Errorf("connection over %t, want %t", p.isOver(), over)
		}
	}
	in("a kept connection is answered once more, with the end announced", func(t *testing.T, m *memory, p *peer) {
		p.says(get("/ok"))
		m.conns.Announce()
		expect(t, p, p.says(get("/ok")), false, true)
	})
	in("requests at hand are answered before the end", func(t *testing.T, m *memory, p *peer) {
		m.conns.Announce()
		expect(t, p, p.says(get("/ok")+get("/length")+get("/stream")), false, false, true)
	})
	in("requests behind content that was read are at hand too", func(t *testing.T, m *memory, p *peer) {
		m.conns.Announce()
		expect(t, p, p.says(post("/echo", 2, "ab")+chunked("/echo", "1\r\nc\r\n0\r\n\r\n")+get("/ok")), false, false, true)
	})
	in("an empty line is not a request", func(t *testing.T, m *memory, p *peer) {
		m.conns.Announce()
		expect(t, p, p.says(get("/ok")+"\r\n"), true)
	})
	in("half a request at hand is waited for", func(t *testing.T, m *memory, p *peer) {
		m.conns.Announce()
		expect(t, p, p.says(get("/ok")+"GET /o"), false)
		expect(t, p, p.says("k HTTP/1.1\r\nHost: a\r\n\r\n"), false, true)
	})
	in("HTTP/1.0 is not told keep-alive any more", func(t *testing.T, m *memory, p *peer) {
		m.conns.Announce()
		if got := p.says("GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"); strings.Contains(got, "keep-alive") || !p.isOver() {
			t.Errorf("heard %q, over %t", got, p.isOver())
		}
	})
}

func TestClosingOverSockets(t *testing.T) {
	entered, gate := make(chan struct{}), make(chan struct{})
	overBoth(t, waits(entered, gate), func(t *testing.T, s *site) {
		c := s.ask(get("/wait") + get("/ok") + get("/ok"))
		<-entered
		s.conns.Announce()
		gate <- struct{}{}
		if a := c.gets("GET", 404, "none\n"); a.Close {
			t.Error("the first response ends the connection although two requests are at hand")
		}
		c.gets("GET", 200, "OK")
		if a := c.gets("GET", 200, "OK"); !a.Close {
			t.Error("the last response does not announce the end")
		}
		c.ends()
	})
}

// A request under way when the listeners have closed is finished.
func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered, gate := make(chan struct{}), make(chan struct{})
		m := openMemory(&Server{Handler: waits(entered, gate), poison: true}, conn.Limits{})
		idle, busy := m.meet(t), m.meet(t)
		idle.says(get("/ok"))
		go func() { _, _ = io.WriteString(busy, get("/wait")) }()
		<-entered
		m.conns.Announce()
		m.conns.CloseListeners(t.Context())
		gone := m.conns.Drain()
		after(time.Second)
		if !idle.isOver() || busy.isOver() {
			t.Errorf("idle over %t, busy over %t", idle.isOver(), busy.isOver())
		}
		gate <- struct{}{}
		synctest.Wait()
		if got := busy.heard.String(); !strings.HasPrefix(got, "HTTP/1.1 404 ") || !strings.Contains(got, "Connection: close") {
			t.Errorf("heard %q", got)
		}
		_, _ = idle.Close(), busy.Close()
		<-gone
		m.audit(t)
	})
}
