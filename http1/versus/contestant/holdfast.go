package contestant

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
)

// serveHoldfast is the library as a program embeds it, all clocks and books included.
func serveHoldfast(ctx context.Context, l net.Listener, config *tls.Config) error {
	return serveHandler(ctx, http1.HandlerFunc(constant), l, config)
}

func serveHandler(ctx context.Context, h http1.Handler, l net.Listener, config *tls.Config) error {
	connections := &conn.Server{Limits: conn.Limits{IdleTimeout: idleTimeout}}
	served := make(chan error, 1)
	go func() {
		served <- connections.Serve(&conn.Listener{Listener: l, TLS: config, Handler: &http1.Server{Handler: h}})
	}()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		served <- net.ErrClosed
	}
	connections.Announce()
	connections.CloseListeners(ctx)
	gone := connections.Drain()
	select {
	case <-gone:
	case <-time.After(time.Second):
		connections.Cut()
		<-gone
	}
	if serr := <-served; !errors.Is(serr, net.ErrClosed) {
		return serr
	}
	return err
}

func constant(w *http1.Response, _ *http1.Request) {
	w.Set("Content-Type", ContentType)
	_, _ = w.WriteString(Content)
}
