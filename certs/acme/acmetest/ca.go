package acmetest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"testing"
	"time"
)

// DefaultProfile is the only profile of a CA that was not given others.
const DefaultProfile = "default"

// AnyKeyID and AnyKey are an external account (RFC 8555 §7.3.4) that every CA here knows:
// the key as CAs hand it out, base64url of 32 bytes.
const (
	AnyKeyID = "kid-of-the-tests"
	AnyKey   = "_g9TxtpkIEo7NmGOdDY9wK7bFJaiGi9gPoGXcPLLzBw"
)

// Config says what kind of CA a test wants. The zero value is one that issues for 90
// days, rejects no nonce, reuses no authorization and validates at once.
type Config struct {
	// Profiles are those on offer and how long their certificates live, in whole
	// seconds. Of several, an order that names none gets any.
	Profiles map[string]time.Duration
	// RequireEAB refuses accounts without an external one.
	RequireEAB bool
	// NonceRejectPercent of the good nonces are refused with badNonce.
	NonceRejectPercent int
	// AuthzReusePercent of the orders find their authorization valid already. Pebble
	// counts one more: at zero it is 1 %. A test in which a challenge has to be met, or
	// to fail, takes a host that the account has never proven.
	AuthzReusePercent int
	// Blocked are names that the CA refuses by policy, with those below them.
	Blocked []string
}

// CA is a running Pebble. What it says about itself is complete when Start returns.
type CA struct {
	// DirectoryURL is the CA's own; Gate.DirectoryURL the same CA behind the Gate.
	DirectoryURL string
	// Roots are those to trust for the CA's own server, Gate included, and RootFile the
	// same as a PEM file. IssuedRoots are others.
	Roots    *x509.CertPool
	RootFile string
	// Gate is where requests can be counted and broken.
	Gate *Gate
	// TLS and HTTP lead the CA's validation by TLS-ALPN-01 and by HTTP-01.
	TLS, HTTP *Door

	manage string // URL of the management interface
	names  string // URL of challtestsrv's
	client *http.Client
}

// Start runs a CA until the test ends. All names resolve to 127.0.0.1.
func Start(tb testing.TB, config Config) *CA {
	tb.Helper()
	identity := newIdentity(tb)
	ca := &CA{
		Roots: identity.roots, RootFile: identity.certFile,
		TLS: newDoor(tb), HTTP: newDoor(tb),
		client: &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: identity.roots}, DisableKeepAlives: true},
		},
	}
	resolver := ca.startNames(tb)
	ca.startPebble(tb, config, identity, resolver)
	ca.Gate = newGate(tb, identity, ca.DirectoryURL)
	return ca
}

// IssuedRoots are those that the CA's certificates chain to: Pebble makes them anew at
// each start.
func (ca *CA) IssuedRoots(tb testing.TB) *x509.CertPool {
	tb.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca.get(tb, ca.manage+"/roots/0")) {
		tb.Fatal("the CA's root is no certificate")
	}
	return pool
}

// SetRenewalInfo makes the CA answer with exactly body when asked for advice on leaf
// (RFC 9773), well-formed or not.
func (ca *CA) SetRenewalInfo(tb testing.TB, leaf *x509.Certificate, body string) {
	tb.Helper()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	ca.post(tb, ca.manage+"/set-renewal-info/", map[string]string{"certificate": string(certificate), "ariResponse": body})
}

func (ca *CA) get(tb testing.TB, url string) []byte {
	tb.Helper()
	res, err := ca.client.Get(url)
	return answer(tb, url, res, err)
}

func (ca *CA) post(tb testing.TB, url string, body any) {
	tb.Helper()
	res, err := ca.client.Post(url, "application/json", asJSON(tb, body))
	answer(tb, url, res, err)
}

func answer(tb testing.TB, url string, res *http.Response, err error) []byte {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatalf("%s answered %s: %s (%v)", url, res.Status, body, err)
	}
	return body
}
