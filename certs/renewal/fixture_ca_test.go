package renewal

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"
)

const (
	day  = 24 * time.Hour
	host = "example.org"
)

// ca is a CA in memory that issues for any lifetime, by its own clock, which is right.
type ca struct {
	key      *ecdsa.PrivateKey
	cert     *x509.Certificate
	backdate time.Duration
	takes    time.Duration // for one order
	asked    bool          // to issue, when an order is broken off
	told     chan struct{} // an order was placed

	mu     sync.Mutex
	life   time.Duration
	fault  func(order int) error // nil: issues
	orders []ordered
	wrong  func(host string) []byte // in place of a certificate
}

// ordered is an order that reached the CA.
type ordered struct {
	host, by string
	at       time.Time
}

func newCA(t testing.TB, life time.Duration) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().AddDate(-50, 0, 0), NotAfter: time.Now().AddDate(100, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &ca{key: key, cert: cert, life: life, takes: 2 * time.Second, told: make(chan struct{}, 1000)}
}

// bundle signs a certificate for names with a fresh key.
func (c *ca) bundle(from, to time.Time, names ...string) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{DNSNames: names, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, &key.PublicKey, c.key)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	for _, block := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: pkcs8}, {Type: "CERTIFICATE", Bytes: der}, {Type: "CERTIFICATE", Bytes: c.cert.Raw}} {
		b.Write(pem.EncodeToMemory(block))
	}
	return b.Bytes()
}

func (c *ca) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// placed returns the orders so far.
func (c *ca) placed() []ordered {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]ordered(nil), c.orders...)
}

// issuer is the CA as one replica sees it.
type issuer struct {
	*ca
	by string
}

func (i issuer) Issue(ctx context.Context, host string) ([]byte, error) {
	i.mu.Lock()
	i.orders = append(i.orders, ordered{host, i.by, time.Now()})
	n, fault, life, wrong := len(i.orders), i.fault, i.life, i.wrong
	i.mu.Unlock()
	select {
	case i.told <- struct{}{}:
	default: // nobody listens
	}
	Note(ctx, "challenge tls-alpn-01")
	if !elapse(ctx, i.takes) {
		if i.asked {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnissued, context.Cause(ctx))
	}
	if fault != nil {
		if err := fault(n); err != nil {
			return nil, err
		}
	}
	if wrong != nil {
		return wrong(host), nil
	}
	from := time.Now().Add(-i.backdate).Truncate(time.Second)
	return i.bundle(from, from.Add(life), host), nil
}

// elapse lets time pass, and tells whether ctx let it.
func elapse(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// refusal is an error of a CA.
type refusal struct {
	kind string
	at   time.Time
}

func (r refusal) Error() string         { return "the CA says " + r.kind }
func (r refusal) Kind() string          { return r.kind }
func (r refusal) RetryAfter() time.Time { return r.at }

func refuseAll(int) error { return refusal{kind: "connection"} }

func wantOrders(t *testing.T, c *ca, least, most int) {
	t.Helper()
	if n := len(c.placed()); n < least || n > most {
		t.Errorf("%d orders, want %d to %d", n, least, most)
	}
}
