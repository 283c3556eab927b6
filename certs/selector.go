package certs

import (
	"crypto/tls"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// UnknownName says what a client gets that asks for a name which no certificate has.
type UnknownName uint8

const (
	// RejectUnknown ends the handshake with the alert unrecognized_name (RFC 6066 §3).
	RejectUnknown UnknownName = iota
	// DefaultForUnknown serves the default certificate.
	DefaultForUnknown
)

// Selector picks the certificate for each handshake. The default certificate is the
// first one of the first source that has any.
type Selector struct {
	unknown UnknownName
	sources []Source

	mu    sync.Mutex // held while a table is built, so that the newest is stored last
	table atomic.Pointer[table]
}

// table is immutable. Candidates for one name stand in the order of their sources;
// there is more than one where pairs differ by kind of key.
type table struct {
	all      []*Certificate
	exact    map[string][]*tls.Certificate
	wildcard map[string][]*tls.Certificate // "example.org" for *.example.org
	fallback []*tls.Certificate
}

// NewSelector returns a selector over the sources, which it follows from then on.
func NewSelector(unknown UnknownName, sources ...Source) *Selector {
	s := &Selector{unknown: unknown, sources: slices.Clone(sources)}
	for _, source := range s.sources {
		source.OnChange(s.rebuild)
	}
	s.rebuild()
	return s
}

// Certificates returns all certificates that are served now, the default first.
func (s *Selector) Certificates() []*Certificate {
	return slices.Clone(s.table.Load().all)
}

// GetCertificate is for tls.Config, whose Certificates must be empty: there (nil, nil)
// sends unrecognized_name, while an error would send internal_error. It never returns
// an error, blocks on nothing, and allocates nothing where the name is in lower case
// and has one certificate.
//
// The exact name goes before a wildcard, which covers one label (RFC 9525 §6.3). Case
// and a trailing dot do not count. Of several certificates for a name the first that
// the client can use is served. A client that names no host gets the default
// certificate always; one that names an address names an unknown host, because SNI
// carries host names only (RFC 6066 §3).
func (s *Selector) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	t := s.table.Load()
	if hello.ServerName == "" {
		return usable(t.fallback, hello), nil
	}
	if candidates := t.find(hello.ServerName); candidates != nil {
		return usable(candidates, hello), nil
	}
	if s.unknown == RejectUnknown {
		return nil, nil
	}
	// SupportsCertificate checks the name too, which no candidate here can pass.
	nameless := *hello
	nameless.ServerName = ""
	return usable(t.fallback, &nameless), nil
}

func (t *table) find(serverName string) []*tls.Certificate {
	name := strings.ToLower(strings.TrimSuffix(serverName, "."))
	if candidates := t.exact[name]; candidates != nil {
		return candidates
	}
	label, parent, _ := strings.Cut(name, ".")
	if label == "" {
		return nil
	}
	return t.wildcard[parent]
}

// usable returns the first candidate that the client can verify, or else the first:
// the handshake then fails with an alert that names the real cause.
func usable(candidates []*tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	switch len(candidates) {
	case 0:
		return nil
	case 1:
		return candidates[0]
	}
	for _, c := range candidates {
		if hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	return candidates[0]
}

func (s *Selector) rebuild() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Certificate
	for _, source := range s.sources {
		all = append(all, source.Certificates()...)
	}
	s.table.Store(newTable(all))
}

func newTable(all []*Certificate) *table {
	t := &table{
		all:      all,
		exact:    make(map[string][]*tls.Certificate),
		wildcard: make(map[string][]*tls.Certificate),
	}
	for _, c := range all {
		t.add(c)
		// The default has alternatives too: pairs for just the same names.
		if slices.Equal(c.Names, all[0].Names) {
			t.fallback = append(t.fallback, c.chain)
		}
	}
	return t
}

func (t *table) add(c *Certificate) {
	for _, name := range c.Names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		parent, wild := strings.CutPrefix(name, "*.")
		switch {
		case numeric(name): // no host name, also where someone put it in as a dNSName
		case wild:
			t.wildcard[parent] = append(t.wildcard[parent], c.chain)
		default:
			t.exact[name] = append(t.exact[name], c.chain)
		}
	}
}

// numeric tells whether name is an address, or could match one: no top-level domain is
// a number (RFC 3696 §2), so *.0.2.1 is for 192.0.2.1 and its like alone.
func numeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return strings.Contains(name, ":") || strings.Trim(last, "0123456789") == ""
}
