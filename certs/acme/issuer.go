package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/crypto/acme"

	"github.com/holdfast-server/holdfast/certs"
)

// Issuer orders certificates from one CA, for one account. It is a renewal.Issuer, and
// its errors are renewal.Refusals, or the context's where that was cancelled. It may be
// used from several goroutines, one for each host.
type Issuer struct {
	options Options
	account *account
}

// New returns an Issuer, or an error that names everything that is wrong with o. It asks
// nobody anything.
func New(o Options) (*Issuer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return &Issuer{options: o, account: newAccount(&o)}, nil
}

// attempt is one order, with what belongs to it.
type attempt struct {
	*Issuer
	host   string
	line   *line
	client *acme.Client
}

// Issue orders a certificate for host, an A-label in lower case: ECDSA P-256, with a key
// made for it. The bundle is the key as PKCS #8 and the chain, leaf first, as PEM.
//
// It makes at most one order with the CA, two with Auto where TLS-ALPN-01 fails, and
// waits at most 5 minutes. When it returns, its goroutines have ended and its challenges
// are withdrawn; it returns within about a second of ctx's end, or up to 10 s later while
// the store hangs.
func (i *Issuer) Issue(ctx context.Context, host string) (bundle []byte, err error) {
	if err := orderable(host); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	a := i.begin(ctx, host)
	defer a.line.close()
	certificate, err := a.run(ctx)
	if err != nil {
		return nil, a.line.brokenOff(a.line.refuse(err))
	}
	return encodeBundle(host, certificate)
}

// orderable refuses what these challenges cannot prove, before the CA does (RFC 8555
// §7.1.3, RFC 8737 §3): a wildcard wants dns-01.
func orderable(host string) error {
	words := ""
	switch _, err := netip.ParseAddr(host); {
	case err == nil:
		words = "is an address, and only names are ordered"
	case strings.HasPrefix(host, "*."):
		words = "is a wildcard, which neither " + TLSALPN01 + " nor " + HTTP01 + " can prove"
	case !strings.Contains(host, "."):
		words = "has one label, and no public CA issues for that"
	default:
		return nil
	}
	return &refusal{kind: "rejected-identifier", words: fmt.Sprintf("%q %s", host, words)}
}

func (i *Issuer) begin(ctx context.Context, host string) *attempt {
	orders := 1
	if i.options.Challenge == Auto {
		orders = 2
	}
	l := newLine(ctx, &i.options, orders)
	return &attempt{Issuer: i, host: host, line: l, client: &acme.Client{
		HTTPClient: l.client(), DirectoryURL: i.options.Directory,
		RetryBackoff: backoff(ctx), UserAgent: userAgent(i.options.Version),
	}}
}

func userAgent(version string) string { return "holdfast/" + version }

func (a *attempt) run(ctx context.Context) (*tls.Certificate, error) {
	directory, err := a.client.Discover(ctx)
	if err == nil {
		err = a.suits(directory)
	}
	if err != nil {
		return nil, err
	}
	key, err := a.account.signer(ctx)
	if err != nil {
		return nil, err
	}
	a.client.Key = key
	// autocert can neither name a profile nor leave TLS-ALPN-01 out.
	if a.options.Profile != "" || a.options.Challenge == HTTP01 {
		return a.direct(ctx)
	}
	return a.byAutocert(ctx)
}

// suits finds out, before anything is ordered, what the CA would refuse.
func (a *attempt) suits(directory acme.Directory) error {
	profile := acme.ProfileName(a.options.Profile)
	if _, offered := directory.Profiles[profile]; profile != "" && !offered {
		words := fmt.Sprintf("the CA offers no profile %q, and no others", profile)
		if len(directory.Profiles) > 0 {
			names := slices.Sorted(maps.Keys(directory.Profiles))
			words = fmt.Sprintf("the CA offers no profile %q, only %s", profile, quoted(fmt.Sprintf("%q", names)))
		}
		return &refusal{kind: "profile", words: words}
	}
	if directory.ExternalAccountRequired && a.options.ExternalAccount == nil {
		m := meanings["externalaccountrequired"]
		return &refusal{kind: m.kind, words: m.words}
	}
	return nil
}

// binding is the external account, as the acme package has it; nil without one.
func (a *attempt) binding() *acme.ExternalAccountBinding {
	if a.options.ExternalAccount == nil {
		return nil
	}
	return &acme.ExternalAccountBinding{KID: a.options.ExternalAccount.KeyID, Key: a.options.ExternalAccount.key}
}

// encodeBundle writes the certificate as stores keep it, if it is what was ordered. A CA
// that sends something else has made a mistake that must not be served.
func encodeBundle(host string, certificate *tls.Certificate) ([]byte, error) {
	key, ok := certificate.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the key is not of P-256")
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	bundle = append(bundle, encodeChain(certificate.Certificate)...)
	parsed, err := certs.ParseBundle("the CA", bundle)
	if err == nil {
		err = parsed.Leaf().VerifyHostname(host)
	}
	if err != nil {
		return nil, &refusal{kind: "malformed", words: "the CA sent another certificate than was ordered: " + quoted(err.Error()), cause: err}
	}
	return bundle, nil
}

func encodeChain(chain [][]byte) (text []byte) {
	for _, link := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: link})...)
	}
	return text
}
