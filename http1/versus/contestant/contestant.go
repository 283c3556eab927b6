package contestant

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	// Content and ContentType are what every server answers.
	Content     = "Hello, World!\n"
	ContentType = "text/plain; charset=utf-8"

	// idleTimeout outlasts the opening of 10,000 TLS connections on a slow machine.
	idleTimeout = 10 * time.Minute
)

// serve answers on l, over TLS where config is not nil, until ctx ends. Then it closes l
// and all connections, waits for what it started, and returns nil.
type serve func(ctx context.Context, l net.Listener, config *tls.Config) error

var contestants = map[string]serve{
	"holdfast": serveHoldfast,
	"nethttp":  serveNetHTTP,
	"fasthttp": serveFastHTTP,
	"raw":      serveRaw,
}

// Names are the servers' names, in the order of a table.
func Names() []string { return []string{"holdfast", "nethttp", "fasthttp", "raw"} }

// FileNames are those of the servers that serve files too.
func FileNames() []string { return []string{"holdfast", "nethttp"} }

// Serve lets the server of that name answer on l, over TLS where config is not nil, until
// ctx ends: with the files below root, or always the same where that is empty. It closes l.
func Serve(ctx context.Context, name, root string, l net.Listener, config *tls.Config) error {
	f, ok := contestants[name]
	if root != "" {
		var of func(root string) serve
		if of, ok = fileContestants[name]; ok {
			f = of(root)
		}
	}
	if !ok {
		_ = l.Close()
		return fmt.Errorf("no server %q; there are %v", name, slices.Sorted(slices.Values(Names())))
	}
	return f(ctx, l, config)
}

// TLSConfig is the same for all: TLS 1.3, and HTTP/1.1 alone.
func TLSConfig(certFile, keyFile string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"http/1.1"},
	}, nil
}
