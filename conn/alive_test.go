package conn_test

import (
	"net"
	"testing"

	"github.com/holdfast-server/holdfast/conn"
)

func TestPulse(t *testing.T) {
	h := &held{let: make(chan struct{})}
	s := newStation(t, options{listener: func(l net.Listener) net.Listener {
		h.TCPListener = l.(*net.TCPListener)
		return h
	}})
	p := conn.Pulse{Server: s.server}
	t.Run("a loop that nobody asks anything beats", func(t *testing.T) {
		for range 3 {
			if !p.Beats() {
				t.Fatal("it does not")
			}
		}
	})
	c := dialAddr(t, s.source.Addr())
	t.Run("one that leaves a connection waiting from look to look does not", func(t *testing.T) {
		until(t, "no beat", func() bool { return !p.Beats() })
	})
	t.Run("once it accepts again it does", func(t *testing.T) {
		close(h.let)
		c.ask("echo a\n", "a")
		for range 3 {
			if !p.Beats() {
				t.Fatal("it does not")
			}
		}
	})
	t.Run("in the drain nothing is expected", func(t *testing.T) {
		s.end()
		if !p.Beats() {
			t.Error("it does not beat")
		}
	})
}
