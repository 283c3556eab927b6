package conn_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

func dialAddr(t testing.TB, addr net.Addr) *client {
	t.Helper()
	raw, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(patience))
	return &client{Conn: raw, raw: raw, r: bufio.NewReader(raw), t: t}
}

func listenShared(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := conn.ListenShared(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// A crowd connects, asks once and goes, again and again.
type crowd struct {
	stop         context.CancelFunc
	clients      sync.WaitGroup
	asked, short atomic.Int64
}

func gather(t testing.TB, addr net.Addr) *crowd {
	ctx, cancel := context.WithCancel(t.Context())
	g := &crowd{stop: cancel}
	for range 4 {
		g.clients.Go(func() {
			for ctx.Err() == nil {
				g.asked.Add(1)
				if !answered(addr) {
					g.short.Add(1)
				}
			}
		})
	}
	return g
}

func answered(addr net.Addr) bool {
	c, err := net.DialTimeout("tcp", addr.String(), patience)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "echo a\n"); err != nil {
		return false
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && got == "a\n"
}

// more waits for so many more answers.
func (g *crowd) more(t testing.TB, n int64) {
	t.Helper()
	want := g.asked.Load() + n
	until(t, "answers", func() bool { return g.asked.Load() >= want })
}

func TestSharedPort(t *testing.T) {
	for _, row := range []struct {
		name    string
		members int
		leaving []int // one after another, by the order in which they came
	}{
		{"the older of two leaves", 2, []int{0}},
		{"the younger of two leaves", 2, []int{1}},
		{"of three the oldest leaves, and then the second, whose number has changed", 3, []int{0, 1}},
		{"of three the last two leave", 3, []int{2, 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			first := listenShared(t, "127.0.0.1:0")
			stations := []*station{newStationOn(t, options{}, first)}
			for range row.members - 1 {
				stations = append(stations, newStationOn(t, options{}, listenShared(t, first.Addr().String())))
			}
			g := gather(t, first.Addr())
			g.more(t, 100)
			for _, i := range row.leaving {
				stations[i].end()
				g.more(t, 100)
			}
			g.stop()
			g.clients.Wait()
			if lost := g.short.Load(); lost > 0 {
				t.Errorf("%d of %d connections lost", lost, g.asked.Load())
			}
		})
	}
	t.Run("whoever is left alone, and whoever comes later, is chosen again", func(t *testing.T) {
		first := listenShared(t, "127.0.0.1:0")
		one := newStationOn(t, options{}, first)
		two := newStationOn(t, options{}, listenShared(t, first.Addr().String()))
		one.end()
		three := newStationOn(t, options{}, listenShared(t, first.Addr().String()))
		before := two.server.Ledger().Accepted
		until(t, "both are chosen", func() bool {
			return answered(first.Addr()) && two.server.Ledger().Accepted > before && three.server.Ledger().Accepted > 0
		})
	})
	t.Run("who comes while another leaves undoes nothing", func(t *testing.T) {
		first := listenShared(t, "127.0.0.1:0")
		leaving := newStationOn(t, options{}, first)
		newStationOn(t, options{}, listenShared(t, first.Addr().String()))
		g := gather(t, first.Addr())
		g.more(t, 100)
		for range 3 {
			next := newStationOn(t, options{}, listenShared(t, first.Addr().String()))
			left := make(chan struct{})
			go func() { defer close(left); leaving.end() }()
			late := newStationOn(t, options{}, listenShared(t, first.Addr().String()))
			g.more(t, 100)
			<-left
			late.end()
			leaving = next
		}
		g.stop()
		g.clients.Wait()
		if lost := g.short.Load(); lost > 0 {
			t.Errorf("%d of %d connections lost", lost, g.asked.Load())
		}
	})
	t.Run("on every address of both families too", func(t *testing.T) {
		first := listenShared(t, ":0")
		one := newStationOn(t, options{}, first)
		newStationOn(t, options{}, listenShared(t, first.Addr().String()))
		g := gather(t, first.Addr())
		g.more(t, 100)
		one.end()
		g.more(t, 100)
		g.stop()
		g.clients.Wait()
		if lost := g.short.Load(); lost > 0 {
			t.Errorf("%d of %d connections lost", lost, g.asked.Load())
		}
	})
	t.Run("a probe is in nobody's books", func(t *testing.T) {
		alone := newStationOn(t, options{}, listenShared(t, "127.0.0.1:0"))
		alone.dial().ask("echo a\n", "a")
		alone.end()
		if l := alone.server.Ledger(); l.Accepted != 1 {
			t.Errorf("%d accepted, want the one client", l.Accepted)
		}
	})
	t.Run("a socket that does not share is not shared with", func(t *testing.T) {
		l := listen(t)
		defer l.Close()
		if second, err := conn.ListenShared(context.Background(), l.Addr().String()); err == nil {
			_ = second.Close()
			t.Error("bound all the same")
		}
	})
	t.Run("an inherited socket that shares its port is steered as well", func(t *testing.T) {
		first := listenShared(t, "127.0.0.1:0")
		heir := newStationOn(t, options{}, inherit(t, first))
		_ = first.Close()
		newStationOn(t, options{}, listenShared(t, heir.source.Addr().String()))
		g := gather(t, heir.source.Addr())
		g.more(t, 100)
		heir.end()
		g.more(t, 100)
		g.stop()
		g.clients.Wait()
		if lost := g.short.Load(); lost > 0 {
			t.Errorf("%d of %d connections lost", lost, g.asked.Load())
		}
	})
}
