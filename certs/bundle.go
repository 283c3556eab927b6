package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// ParseBundle returns the certificate that one PEM text holds: a private key and the
// chain that goes with it, leaf first, as stores keep them. source is what
// Certificate.Source will say.
//
// What is damaged, has no key, no certificate or no host name, or a key that belongs to
// another certificate, is an error. Dates and issuers are not looked at. No error holds
// bytes of the key.
func ParseBundle(source string, bundle []byte) (*Certificate, error) {
	pair := Pair{CertFile: "bundle", KeyFile: "bundle"}
	blocks := decodePEM(bundle)
	chain, chainErr := parseChain(pair.CertFile, bundle, blocks)
	key, keyErr := parseKey(pair.KeyFile, bundle, blocks)
	if err := errors.Join(chainErr, keyErr); err != nil {
		return nil, err
	}
	if err := checkMatch(pair, chain, key); err != nil {
		return nil, err
	}
	if len(chain[0].DNSNames)+len(chain[0].IPAddresses) == 0 {
		return nil, errors.New("the certificate names no host in subjectAltName")
	}
	return newCertificate(source, &tls.Certificate{Certificate: blocks.certs, PrivateKey: key, Leaf: chain[0]}), nil
}

// Leaf returns the certificate itself, the first of its chain. Not to be changed.
func (c *Certificate) Leaf() *x509.Certificate { return c.chain.Leaf }

// TLS returns the chain with its key, as crypto/tls serves it. Not to be changed.
func (c *Certificate) TLS() *tls.Certificate { return c.chain }
