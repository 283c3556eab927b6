package conn_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-server/holdfast/conn"
)

func TestMayShare(t *testing.T) {
	t.Run("a port of those who share it, whose connections stay theirs", func(t *testing.T) {
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
			first := listenShared(t, addr)
			station := newStationOn(t, options{}, first)
			for range 20 {
				if err := conn.MayShare(t.Context(), first.Addr().String()); err != nil {
					t.Fatal(err)
				}
				if !answered(first.Addr()) {
					t.Error("a connection got lost")
				}
			}
			station.end()
		}
	})
	t.Run("a port of one who does not share", func(t *testing.T) {
		l := listen(t)
		defer l.Close()
		if err := conn.MayShare(t.Context(), l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no address of ours", func(t *testing.T) {
		if err := conn.MayShare(t.Context(), "192.0.2.1:1"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("got %v", err)
		}
		var wrong *net.AddrError
		if err := conn.MayShare(t.Context(), "no port"); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "port") {
			t.Errorf("got %v", err)
		}
	})
}
