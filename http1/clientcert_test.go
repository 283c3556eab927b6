package http1_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

func TestClientCertificate(t *testing.T) {
	spiffe, err := url.Parse("spiffe://harbour.test/crane")
	if err != nil {
		t.Fatal(err)
	}
	mary := pkix.Name{CommonName: "mary", Organization: []string{"Harbour, Inc."}}
	for _, c := range []struct {
		name string
		cert *x509.Certificate
		want string
	}{
		{"without one there is no subject", nil, ""},
		{"the subject is a distinguished name (RFC 4514)", &x509.Certificate{Subject: mary}, `CN=mary,O=Harbour\, Inc.`},
		{"and goes before other names", &x509.Certificate{Subject: mary, URIs: []*url.URL{spiffe}}, `CN=mary,O=Harbour\, Inc.`},
		{"an empty one leaves it to a URI", &x509.Certificate{URIs: []*url.URL{spiffe}, DNSNames: []string{"a.test"}}, "spiffe://harbour.test/crane"},
		{"to a host name", &x509.Certificate{DNSNames: []string{"a.test"}, EmailAddresses: []string{"m@a.test"}}, "a.test"},
		{"to a mail address", &x509.Certificate{EmailAddresses: []string{"m@a.test"}}, "m@a.test"},
		{"and may leave nothing", &x509.Certificate{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			called := false
			http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
				called = true
				if r.ClientCertificate() != c.cert || r.ClientSubject() != c.want {
					t.Errorf("got %q, want %q", r.ClientSubject(), c.want)
				}
				if record := (http1.Record{TLS: r.TLS()}); record.ClientSubject() != c.want {
					t.Errorf("the record has %q, want %q", record.ClientSubject(), c.want)
				}
			}), http1test.Request{Secure: true, ClientCertificate: c.cert})
			if !called {
				t.Error("the handler was not called")
			}
		})
	}
	t.Run("in clear text there is none", func(t *testing.T) {
		http1test.Do(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) {
			if r.ClientCertificate() != nil || r.ClientSubject() != "" {
				t.Error("there is one")
			}
		}), http1test.Request{})
	})
	t.Run("one that was shown and not verified is nobody's word", func(t *testing.T) {
		state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: mary}}}
		if record := (http1.Record{TLS: state}); record.ClientSubject() != "" {
			t.Errorf("got %q", record.ClientSubject())
		}
	})
}
