package contestant

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/valyala/fasthttp"
)

// quiet swallows a server's own log: a load generator that leaves is no news.
var quiet = log.New(io.Discard, "", 0)

// serveNetHTTP is the standard library's server with its defaults, which are no timeouts.
func serveNetHTTP(ctx context.Context, l net.Listener, config *tls.Config) error {
	return serveNetHandler(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", ContentType)
		_, _ = io.WriteString(w, Content)
	}), l, config)
}

func serveNetHandler(ctx context.Context, h http.Handler, l net.Listener, config *tls.Config) error {
	s := &http.Server{ErrorLog: quiet, Handler: h}
	return until(ctx, s.Close, func() error {
		if err := s.Serve(overTLS(l, config)); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// serveFastHTTP is fasthttp with its defaults, but for the Server field that no other
// contestant sends.
func serveFastHTTP(ctx context.Context, l net.Listener, config *tls.Config) error {
	s := &fasthttp.Server{Logger: quiet, NoDefaultServerHeader: true, CloseOnShutdown: true, Handler: func(c *fasthttp.RequestCtx) {
		c.SetContentType(ContentType)
		c.SetBodyString(Content)
	}}
	tracked := &tracking{Listener: l}
	shutdown := func() error {
		tracked.cut()
		return s.Shutdown()
	}
	return until(ctx, shutdown, func() error { return s.Serve(overTLS(tracked, config)) })
}

// overTLS is l with TLS on its connections, where there is a configuration.
func overTLS(l net.Listener, config *tls.Config) net.Listener {
	if config == nil {
		return l
	}
	return tls.NewListener(l, config)
}

// until runs serve, and stop when ctx ends before; both have returned when it does.
func until(ctx context.Context, stop, serve func() error) error {
	served := make(chan error, 1)
	go func() { served <- serve() }()
	select {
	case err := <-served:
		return errors.Join(err, stop())
	case <-ctx.Done():
		return errors.Join(stop(), <-served)
	}
}
