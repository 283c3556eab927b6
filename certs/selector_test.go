package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"
)

func (ca *CA) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// shake performs a handshake over loopback and returns the client's verdict.
func shake(t *testing.T, s *Selector, client *tls.Config) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = tls.Server(c, &tls.Config{GetCertificate: s.GetCertificate}).HandshakeContext(t.Context())
	}()
	defer func() { listener.Close(); <-done }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := (&tls.Dialer{Config: client}).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	return c.Close()
}

// wantUnrecognizedName fails unless the server sent alert 112 (RFC 6066 §9).
func wantUnrecognizedName(t *testing.T, err error) {
	t.Helper()
	// crypto/tls keeps the type of an alert that was received to itself.
	if err == nil || err.Error() != "remote error: "+tls.AlertError(112).Error() {
		t.Errorf("got %v", err)
	}
}

// shelfOf is a source for tests.
func shelfOf(list ...*Certificate) *shelf {
	s := &shelf{}
	s.put(list)
	return s
}

// modern is a TLS 1.3 client that can verify ECDSA and RSA.
func modern(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName:        name,
		SupportedVersions: []uint16{tls.VersionTLS13},
		CipherSuites:      []uint16{tls.TLS_AES_128_GCM_SHA256},
		SupportedCurves:   []tls.CurveID{tls.X25519, tls.CurveP256},
		SignatureSchemes:  []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256},
	}
}

func rsaOnly(name string) *tls.ClientHelloInfo {
	hello := modern(name)
	hello.SignatureSchemes = []tls.SignatureScheme{tls.PSSWithSHA256}
	return hello
}

// cabinet is the certificates of the selection tests, behind both policies.
type cabinet struct {
	first, firstRSA, second *Certificate
	strict, lenient         *Selector
}

func newCabinet(t *testing.T) cabinet {
	t.Helper()
	c := cabinet{
		first:    order{names: []string{"First.example", "*.wild.example"}}.served(t),
		firstRSA: order{names: []string{"First.example", "*.wild.example"}, rsa: true}.served(t),
		second:   order{names: []string{"second.example", "exact.wild.example", "xn--bcher-kva.example"}}.served(t),
	}
	ipOnly := order{ips: []string{"192.0.2.1", "2001:db8::1"}}.served(t)
	addressAsName := order{names: []string{"192.0.2.9", "*.0.2.8"}}.served(t)
	sources := []Source{shelfOf(c.first, c.firstRSA), shelfOf(), shelfOf(c.second, ipOnly, addressAsName)}
	c.strict, c.lenient = NewSelector(RejectUnknown, sources...), NewSelector(DefaultForUnknown, sources...)
	return c
}

func TestSelector(t *testing.T) {
	c := newCabinet(t)
	for name, row := range map[string]struct {
		hello *tls.ClientHelloInfo
		want  *Certificate // nil: unknown
	}{
		"exact name":                                  {modern("second.example"), c.second},
		"case does not count in the client's":         {modern("SECOND.Example"), c.second},
		"case does not count in the certificate":      {modern("first.example"), c.first},
		"a trailing dot does not count":               {modern("second.example."), c.second},
		"an IDN comes as A-labels":                    {modern("xn--bcher-kva.example"), c.second},
		"a wildcard covers one label":                 {modern("any.wild.example"), c.first},
		"a wildcard does not cover two":               {modern("a.b.wild.example"), nil},
		"a wildcard does not cover none":              {modern("wild.example"), nil},
		"a wildcard needs a label":                    {modern(".wild.example"), nil},
		"the star itself is no name":                  {modern("*.example"), nil},
		"exact goes before wildcard":                  {modern("exact.wild.example"), c.second},
		"an RSA-only client gets the RSA twin":        {rsaOnly("first.example"), c.firstRSA},
		"and for the wildcard too":                    {rsaOnly("any.wild.example"), c.firstRSA},
		"with one candidate it gets that":             {rsaOnly("second.example"), c.second},
		"no name":                                     {modern(""), c.first},
		"no name, RSA only":                           {rsaOnly(""), c.firstRSA},
		"unknown name":                                {modern("other.example"), nil},
		"an IPv4 literal is unknown (RFC 6066 §3)":    {modern("192.0.2.1"), nil},
		"an IPv6 literal is unknown":                  {modern("2001:db8::1"), nil},
		"also one that stands as a dNSName":           {modern("192.0.2.9"), nil},
		"also one that a wildcard would cover":        {modern("192.0.2.8"), nil},
		"an IPv4-mapped literal is unknown":           {modern("::ffff:192.0.2.8"), nil},
		"a single label is unknown":                   {modern("example"), nil},
		"a dot is unknown":                            {modern("."), nil},
		"junk is unknown":                             {modern("\x00..\xff"), nil},
		"a U-label is unknown: SNI has A-labels only": {modern("bücher.example"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for policy, s := range map[string]*Selector{"reject": c.strict, "default": c.lenient} {
				want := row.want
				if want == nil && policy == "default" {
					want = c.first
				}
				got, err := s.GetCertificate(row.hello)
				if err != nil {
					t.Errorf("%s: %v", policy, err)
				}
				if want == nil && got != nil || want != nil && got != want.chain {
					t.Errorf("%s: wrong certificate", policy)
				}
			}
		})
	}
}

func TestSelectorByKindOfKey(t *testing.T) {
	c := newCabinet(t)
	t.Run("an unknown name from an RSA-only client gets the default's RSA twin", func(t *testing.T) {
		if got, _ := c.lenient.GetCertificate(rsaOnly("other.example")); got != c.firstRSA.chain {
			t.Error("wrong certificate")
		}
	})
	t.Run("a client that can use none gets the first, and the alert that fits", func(t *testing.T) {
		hello := modern("first.example")
		hello.SignatureSchemes = []tls.SignatureScheme{tls.Ed25519}
		if got, _ := c.strict.GetCertificate(hello); got != c.first.chain {
			t.Error("wrong certificate")
		}
	})
	t.Run("the banner lists all, the default first", func(t *testing.T) {
		if list := c.strict.Certificates(); len(list) != 5 || list[0] != c.first || list[2] != c.second {
			t.Errorf("got %v", list)
		}
	})
}

func TestSelectorWithoutCertificates(t *testing.T) {
	s := NewSelector(DefaultForUnknown, shelfOf())
	for _, name := range []string{"", "a.example"} {
		if got, err := s.GetCertificate(modern(name)); got != nil || err != nil {
			t.Errorf("%q: got %v, %v", name, got, err)
		}
	}
}

func TestSelectorFollowsItsSources(t *testing.T) {
	source, other := shelfOf(order{names: []string{"a.example"}}.served(t)), shelfOf()
	s := NewSelector(RejectUnknown, source, other)
	next := order{names: []string{"b.example"}}.served(t)
	source.put([]*Certificate{next})
	if got, _ := s.GetCertificate(modern("a.example")); got != nil {
		t.Error("the old certificate is still served")
	}
	if got, _ := s.GetCertificate(modern("b.example")); got != next.chain {
		t.Error("the new certificate is not served")
	}
	added := order{names: []string{"c.example"}}.served(t)
	other.put([]*Certificate{added})
	if got, _ := s.GetCertificate(modern("c.example")); got != added.chain {
		t.Error("the other source's certificate is not served")
	}
}

func TestSelectorAlerts(t *testing.T) {
	s := NewSelector(RejectUnknown, shelfOf(order{names: []string{"a.example"}}.served(t)))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		name := tls.VersionName(version)
		t.Run("an unknown name gets unrecognized_name in "+name, func(t *testing.T) {
			err := shake(t, s, &tls.Config{ServerName: "b.example", InsecureSkipVerify: true, MaxVersion: version})
			wantUnrecognizedName(t, err)
		})
		t.Run("no name gets the default in "+name, func(t *testing.T) {
			if err := shake(t, s, &tls.Config{InsecureSkipVerify: true, MaxVersion: version}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSelectorAllocatesNothing(t *testing.T) {
	s := NewSelector(RejectUnknown, shelfOf(order{names: []string{"a.example", "*.a.example"}}.served(t)))
	for _, hello := range []*tls.ClientHelloInfo{modern("a.example"), modern(""), modern("a.example."), modern("www.a.example"), modern("other.test")} {
		if n := testing.AllocsPerRun(100, func() { _, _ = s.GetCertificate(hello) }); n != 0 {
			t.Errorf("%q: %v allocations", hello.ServerName, n)
		}
	}
}

func BenchmarkGetCertificate(b *testing.B) {
	s := NewSelector(RejectUnknown, shelfOf(order{names: []string{"a.example", "*.a.example"}}.served(b)))
	for _, name := range []string{"a.example", "www.a.example", "other.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			hello := modern(name)
			for b.Loop() {
				_, _ = s.GetCertificate(hello)
			}
		})
	}
}
