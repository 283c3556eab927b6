package renewal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-server/holdfast/certs"
)

// Prove serves c in a TLS handshake with ourselves, in memory, and returns what a client
// would object to: a chain that is not for the name or whose links do not sign one
// another, or a key that cannot sign. It looks neither at dates nor for a trusted root.
func Prove(ctx context.Context, c *certs.Certificate) error {
	named := slices.IndexFunc(c.Names, func(name string) bool { return !strings.HasPrefix(name, "*.") })
	if named < 0 {
		return errors.New("the certificate names no host")
	}
	near, far := net.Pipe()
	server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*c.TLS()}})
	client := tls.Client(near, &tls.Config{
		ServerName: c.Names[named],
		// Verified below, but for dates and the root: a test CA's is in no pool.
		InsecureSkipVerify: true,
		VerifyConnection:   func(state tls.ConnectionState) error { return checkServed(c, state) },
	})
	var serving sync.WaitGroup
	var served error
	serving.Go(func() {
		served = server.HandshakeContext(ctx)
		if served != nil {
			_ = far.Close() // the client is waiting for more
		}
	})
	err := client.HandshakeContext(ctx)
	_ = near.Close() // in memory: nothing to lose
	serving.Wait()
	switch {
	case err == nil:
		return nil // the server may still have written its tickets into a closed pipe
	case served != nil && ctx.Err() == nil:
		return fmt.Errorf("a handshake with the certificate failed: %w", errors.Join(err, served))
	default:
		return fmt.Errorf("a handshake with the certificate failed: %w", err)
	}
}

func checkServed(c *certs.Certificate, state tls.ConnectionState) error {
	chain := state.PeerCertificates
	if len(chain) == 0 || !chain[0].Equal(c.Leaf()) {
		return errors.New("another certificate was served")
	}
	return errors.Join(chain[0].VerifyHostname(state.ServerName), checkLinks(chain))
}

// checkLinks tells whether each certificate is signed by the next (RFC 8446 §4.4.2). A
// bundle that ends below its root is whole.
func checkLinks(chain []*x509.Certificate) error {
	for i, cert := range chain[:len(chain)-1] {
		if err := cert.CheckSignatureFrom(chain[i+1]); err != nil {
			return fmt.Errorf("certificate number %d of the chain is not signed by the next: %w", i+1, err)
		}
	}
	return nil
}
