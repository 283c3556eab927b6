package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// pemBlocks is what a PEM file holds, sorted by kind.
type pemBlocks struct {
	certs     [][]byte
	keys      []*pem.Block
	encrypted bool // there is a key, behind a passphrase
	damaged   bool // more blocks begin than can be read: cut short, or broken inside
}

func decodePEM(data []byte) pemBlocks {
	var b pemBlocks
	// pem.Decode steps over what it cannot read. A chain that is half-written would
	// thus look like a shorter chain, so the beginnings are counted.
	begun := bytes.Count(data, []byte("-----BEGIN "))
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		b.add(block)
		begun--
		data = rest
	}
	b.damaged = begun != 0
	return b
}

func (b *pemBlocks) add(block *pem.Block) {
	switch {
	case block.Type == "CERTIFICATE":
		b.certs = append(b.certs, block.Bytes)
	case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		b.encrypted = true
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		b.keys = append(b.keys, block)
	}
}

func (b *pemBlocks) hasKey() bool { return len(b.keys) > 0 || b.encrypted }

var errKeyKind = errors.New("not a key that TLS can sign with")

// parseKeyBlock parses PKCS #8, PKCS #1 and SEC 1 keys. Its errors are constant: what
// the parsers say may repeat what they read.
func parseKeyBlock(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errKeyKind
	}
	return signer, nil
}

func isDERKey(data []byte) bool {
	_, pkcs8 := x509.ParsePKCS8PrivateKey(data)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(data)
	_, sec1 := x509.ParseECPrivateKey(data)
	return pkcs8 == nil || pkcs1 == nil || sec1 == nil
}

func isDERCertificate(data []byte) bool {
	_, err := x509.ParseCertificate(data)
	return err == nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
