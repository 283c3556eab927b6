package conn_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/holdfast-server/holdfast/conn"
)

func bindShared(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := conn.BindShared(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestBindShared(t *testing.T) {
	t.Run("nothing comes to one that has not joined, and it takes nobody with it", func(t *testing.T) {
		first := listenShared(t, "127.0.0.1:0")
		one := newStationOn(t, options{}, first)
		for range 8 {
			bound := bindShared(t, first.Addr().String())
			for range 8 {
				if !answered(first.Addr()) {
					t.Fatal("a client was not answered")
				}
			}
			if err := bound.Close(); err != nil {
				t.Error(err)
			}
		}
		if l := one.server.Ledger(); l.Accepted != 64 {
			t.Errorf("%d accepted of 64", l.Accepted)
		}
	})
	t.Run("one that has joined gets its share", func(t *testing.T) {
		first := listenShared(t, "127.0.0.1:0")
		newStationOn(t, options{}, first)
		bound := bindShared(t, first.Addr().String())
		for range 2 { // the second finds nothing to do
			if err := conn.Join(bound); err != nil {
				t.Fatal(err)
			}
		}
		two := newStationOn(t, options{}, bound)
		until(t, "it is chosen", func() bool { return answered(first.Addr()) && two.server.Ledger().Accepted > 0 })
	})
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "[::1]:0", ":0", "0.0.0.0:0", "[::]:0"} {
		t.Run("it has the address that Listen would have, of "+addr, func(t *testing.T) {
			want, err := conn.Listen(context.Background(), addr)
			if err != nil {
				t.Skip(err) // there is no IPv6 here
			}
			defer want.Close()
			bound := bindShared(t, addr)
			before := bound.Addr().(*net.TCPAddr)
			if err := conn.Join(bound); err != nil {
				t.Fatal(err)
			}
			after := bound.Addr().(*net.TCPAddr)
			if before.Port == 0 || before.String() != after.String() || !after.IP.Equal(want.Addr().(*net.TCPAddr).IP) {
				t.Errorf("bound to %v, it listens on %v, and Listen would on %v", before, after, want.Addr())
			}
			newStationOn(t, options{}, bound)
			if !answered(bound.Addr()) {
				t.Error("nobody answers")
			}
		})
	}
	t.Run("what is in the way is told as Listen does", func(t *testing.T) {
		taken := listen(t)
		defer taken.Close()
		for addr, want := range map[string]error{taken.Addr().String(): syscall.EADDRINUSE, "192.0.2.1:0": syscall.EADDRNOTAVAIL} {
			if l, err := conn.BindShared(context.Background(), addr); !errors.Is(err, want) || l != nil {
				t.Errorf("%s: %v, %v", addr, l, err)
			}
		}
		var dns *net.DNSError
		if _, err := conn.BindShared(context.Background(), "no.such.host.invalid:0"); !errors.As(err, &dns) {
			t.Error(err)
		}
	})
	t.Run("Join leaves other listeners alone", func(t *testing.T) {
		l := listen(t)
		defer l.Close()
		if err := conn.Join(l); err != nil {
			t.Error(err)
		}
	})
	t.Run("what is closed cannot join", func(t *testing.T) {
		bound := bindShared(t, "127.0.0.1:0")
		_ = bound.Close()
		if err := conn.Join(bound); err == nil {
			t.Error("it listens")
		}
	})
}
