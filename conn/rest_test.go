package conn_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// atRest is a station with one client whose connection was used once and rests now.
func atRest(t *testing.T, o options) (*station, *client) {
	t.Helper()
	s := newStation(t, o)
	c := s.dial()
	c.ask("echo a\n", "a")
	until(t, "a rest", func() bool { return s.lines.rested() == 1 })
	return s, c
}

// TestRest: a connection that rests is served, timed out, drained and cut like any other.
func TestRest(t *testing.T) {
	onLoopback(t, "a request wakes it, and it rests again", func(t *testing.T, o options) {
		t.Parallel()
		s, c := atRest(t, o)
		if state := s.lines.newest().State(); state != conn.Idle {
			t.Errorf("it is %v at rest, want idle", state)
		}
		c.ask("echo b\n", "b")
		c.ask("echo c\n", "c")
		until(t, "another rest", func() bool { return s.lines.rested() == 2 })
		c.ask("echo d\n", "d")
	})
	onLoopback(t, "a drain answers the request that was written before it", func(t *testing.T, o options) {
		t.Parallel()
		s, c := atRest(t, o)
		s.closeListeners()
		if _, err := io.WriteString(c.Conn, "echo b\n"); err != nil {
			t.Fatal(err)
		}
		gone := s.server.Drain()
		if got, err := io.ReadAll(c.r); string(got) != "b\n" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		_ = c.Close()
		<-gone
		if l := s.server.Ledger(); l.Quiet != 1 || l.LateBytes != 0 {
			t.Errorf("ledger %+v, want it quiet and nothing late", l)
		}
	})
	onLoopback(t, "a drain lets one go that asks nothing", func(t *testing.T, o options) {
		t.Parallel()
		s, c := atRest(t, o)
		s.closeListeners()
		gone := s.server.Drain()
		if got, err := io.ReadAll(c.r); len(got) > 0 || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		_ = c.Close()
		<-gone
	})
	onLoopback(t, "a deadline of the request before it is over", func(t *testing.T, o options) {
		t.Parallel()
		o.more = map[string]verb{"echo": func(s *session, args []string) (bool, error) {
			s.WriteUntil(time.Now().Add(time.Second))
			return s.say("%s", args[0])
		}, "plain": verbs["echo"]}
		_, c := atRest(t, o)
		c.ask("plain b\n", "b")
	})
	onLoopback(t, "its idle clock runs on", func(t *testing.T, o options) {
		t.Parallel()
		o.limits.IdleTimeout = 4 * time.Second
		s, c := atRest(t, o)
		if got, err := io.ReadAll(c.r); len(got) > 0 || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		_ = c.Close()
		s.wantEnd(1, func(err error) bool { return errors.Is(err, conn.ErrIdleTimeout) })
	})
	onLoopback(t, "a cut ends it as forced", func(t *testing.T, o options) {
		t.Parallel()
		s, c := atRest(t, o)
		if busy := s.server.Cut(); busy != 1 {
			t.Errorf("%d connections cut", busy)
		}
		if _, err := c.r.ReadByte(); err == nil {
			t.Error("it can still be read from")
		}
		s.end()
		if l := s.server.Ledger(); l.Forced != 1 {
			t.Errorf("ledger %+v", l)
		}
	})
	onLoopback(t, "a client that leaves is let go quietly", func(t *testing.T, o options) {
		t.Parallel()
		s, c := atRest(t, o)
		_ = c.Close()
		s.wantEnd(1, func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) })
		s.end()
		if l := s.server.Ledger(); l.Quiet != 1 {
			t.Errorf("ledger %+v", l)
		}
	})
	t.Run("a silent connection that has asked nothing keeps its head clock, and does not rest", func(t *testing.T) {
		t.Parallel()
		o := options{limits: conn.Limits{HeadTimeout: 3 * time.Second}}
		s := newStation(t, o)
		c := s.dial()
		if got, err := io.ReadAll(c.r); len(got) > 0 || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		_ = c.Close()
		s.wantEnd(1, func(err error) bool { return errors.Is(err, conn.ErrHeadTimeout) })
		if n := s.lines.rested(); n != 0 {
			t.Errorf("it rested %d times", n)
		}
	})
}
