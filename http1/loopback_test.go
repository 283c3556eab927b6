package http1_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
)

// loopback is a server on 127.0.0.1.
type loopback struct {
	t       testing.TB
	address string
	conns   conn.Server
	served  chan error
	once    sync.Once
}

// serve runs server until the test ends, or stop is called.
func serve(t testing.TB, server *http1.Server) *loopback {
	t.Helper()
	nets, err := conn.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &loopback{t: t, address: nets.Addr().String(), served: make(chan error, 1)}
	go func() { l.served <- l.conns.Serve(&conn.Listener{Listener: nets, Handler: server}) }()
	t.Cleanup(l.stop)
	return l
}

// stop ends the connections. Afterwards every request was observed.
func (l *loopback) stop() {
	l.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		l.conns.Announce()
		l.conns.CloseListeners(ctx)
		select {
		case <-l.conns.Drain():
		case <-ctx.Done():
			l.t.Error("connections were left")
			l.conns.Cut()
		}
		if err := <-l.served; !errors.Is(err, net.ErrClosed) {
			l.t.Error(err)
		}
	})
}
