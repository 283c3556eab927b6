package certs

import (
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Certificate is one certificate chain with its key, as a source serves it. It does
// not change once made; readers must not change what its fields refer to.
type Certificate struct {
	// Names are the host names and addresses that the certificate is for, in its order.
	Names []string
	// Source says where it comes from, for people: "local CA", "file a.pem".
	Source string
	// Issuer is the issuer's common name, or its whole name where there is none.
	Issuer string
	// Serial is the serial number in hexadecimal.
	Serial              string
	NotBefore, NotAfter time.Time

	chain *tls.Certificate // Leaf is set
}

// Source holds certificates.
type Source interface {
	// Certificates returns what is served now, most important first. The slice is
	// never changed after it was returned, and the caller must not change it either.
	Certificates() []*Certificate
	// OnChange has f called after each later change. f must not block, nor call back
	// into OnChange.
	OnChange(f func())
}

func newCertificate(source string, chain *tls.Certificate) *Certificate {
	leaf := chain.Leaf
	c := &Certificate{
		Names:     slices.Clone(leaf.DNSNames),
		Source:    source,
		Issuer:    leaf.Issuer.CommonName,
		Serial:    fmt.Sprintf("%x", leaf.SerialNumber),
		NotBefore: leaf.NotBefore,
		NotAfter:  leaf.NotAfter,
		chain:     chain,
	}
	for _, ip := range leaf.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	if c.Issuer == "" {
		c.Issuer = leaf.Issuer.String()
	}
	return c
}

// atShare returns the moment at which num/den of the lifetime have passed.
func (c *Certificate) atShare(num, den int64) time.Time {
	life := int64(c.NotAfter.Sub(c.NotBefore) / time.Second)
	return c.NotBefore.Add(time.Duration(life*num/den) * time.Second)
}

// shelf is the part that all sources share: what is served, and who wants to know.
type shelf struct {
	served    atomic.Pointer[[]*Certificate]
	mu        sync.Mutex // guards listeners
	listeners []func()
}

// Certificates implements Source.
func (s *shelf) Certificates() []*Certificate {
	if list := s.served.Load(); list != nil {
		return *list
	}
	return nil
}

// OnChange implements Source.
func (s *shelf) OnChange(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, f)
}

// put serves list, which the caller must not change afterwards.
func (s *shelf) put(list []*Certificate) {
	s.served.Store(&list)
	s.mu.Lock()
	listeners := slices.Clone(s.listeners)
	s.mu.Unlock()
	for _, f := range listeners {
		f()
	}
}
