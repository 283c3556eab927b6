package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

// maxFileBytes bounds a certificate or key file. A long chain is about 10 KiB.
const maxFileBytes = 1 << 20

// Pair names the PEM files of a certificate chain, leaf first, and of its key. They may
// be one file.
type Pair struct {
	CertFile, KeyFile string
}

// pairContent is what the two files held, each at its moment: a swap may lie between.
type pairContent struct {
	cert, key []byte
	keyMode   fs.FileMode
}

// readPair reads both files and reports the faults of both.
func readPair(p Pair) (pairContent, error) {
	if p.KeyFile == "" {
		return pairContent{}, fmt.Errorf("certificate %s has no key: give a --key for each --cert", p.CertFile)
	}
	cert, certErr := readRegular(p.CertFile)
	key, keyErr := readRegular(p.KeyFile)
	err := errors.Join(readFault("certificate", p.CertFile, certErr), readFault("key", p.KeyFile, keyErr))
	if err != nil {
		return pairContent{}, err
	}
	content := pairContent{cert: cert, key: key}
	if info, err := os.Stat(p.KeyFile); err == nil {
		content.keyMode = info.Mode().Perm()
	}
	return content, nil
}

func readFault(what, path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s file %s does not exist: check the path", what, path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s file %s may not be read: let the user that runs holdfast read it", what, path)
	default:
		return fmt.Errorf("%s file %s cannot be read (%w): check the path", what, path, bare(err))
	}
}

func readRegular(path string) ([]byte, error) { return ReadRegular(path, maxFileBytes) }

// ReadRegular reads a regular file of at most limitBytes; a longer one is an error, as is
// whatever else the path names. A named pipe is refused rather than waited for.
func ReadRegular(path string, limitBytes int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only: nothing to lose
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limitBytes)+1))
	if err == nil && len(data) > limitBytes {
		return nil, fmt.Errorf("over %d bytes", limitBytes)
	}
	return data, err
}

// parsePair returns the certificate that the content makes, or every fault of it.
func parsePair(p Pair, content pairContent, now time.Time) (*Certificate, error) {
	certs, keys := decodePEM(content.cert), decodePEM(content.key)
	if len(certs.certs) == 0 && certs.hasKey() && len(keys.certs) > 0 && !keys.hasKey() {
		return nil, fmt.Errorf("certificate %s and key %s are swapped: exchange --cert and --key", p.CertFile, p.KeyFile)
	}
	chain, chainErr := parseChain(p.CertFile, content.cert, certs)
	key, keyErr := parseKey(p.KeyFile, content.key, keys)
	if err := errors.Join(chainErr, keyErr); err != nil {
		return nil, err
	}
	if err := errors.Join(checkMatch(p, chain, key), checkLeaf(p.CertFile, chain[0], now)); err != nil {
		return nil, err
	}
	return newCertificate("file "+p.CertFile, &tls.Certificate{
		Certificate: certs.certs,
		PrivateKey:  key,
		Leaf:        chain[0],
	}), nil
}

func parseChain(path string, data []byte, blocks pemBlocks) ([]*x509.Certificate, error) {
	switch {
	case blocks.damaged:
		return nil, fmt.Errorf("certificate %s is damaged or cut short: copy it again, whole", path)
	case len(blocks.certs) == 0 && blocks.hasKey():
		return nil, fmt.Errorf("certificate %s holds a private key and no certificate: name the certificate with --cert", path)
	case len(blocks.certs) == 0 && isDERCertificate(data):
		return nil, fmt.Errorf("certificate %s is DER, not PEM: convert it with openssl x509 -inform der", path)
	case len(blocks.certs) == 0:
		return nil, fmt.Errorf("certificate %s holds no PEM certificate: give the chain as PEM, the leaf first", path)
	}
	chain := make([]*x509.Certificate, 0, len(blocks.certs))
	for i, der := range blocks.certs {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: number %d in it cannot be read (%w): copy it again, whole", path, i+1, err)
		}
		chain = append(chain, cert)
	}
	return chain, nil
}

func parseKey(path string, data []byte, blocks pemBlocks) (crypto.Signer, error) {
	switch {
	case blocks.damaged:
		return nil, fmt.Errorf("key %s is damaged or cut short: copy it again, whole", path)
	case len(blocks.keys) == 0 && blocks.encrypted:
		return nil, fmt.Errorf("key %s is locked with a passphrase: unlock it with openssl pkey, and keep the result at mode 600", path)
	case len(blocks.keys) == 0 && len(blocks.certs) > 0:
		return nil, fmt.Errorf("key %s holds a certificate and no private key: name the private key with --key", path)
	case len(blocks.keys) == 0 && isDERKey(data):
		return nil, fmt.Errorf("key %s is DER, not PEM: convert it with openssl pkey -inform der", path)
	case len(blocks.keys) == 0:
		return nil, fmt.Errorf("key %s holds no PEM private key: give the key as PEM", path)
	}
	key, err := parseKeyBlock(blocks.keys[0])
	if err != nil {
		return nil, fmt.Errorf("key %s is %w: give an RSA, ECDSA or Ed25519 key", path, err)
	}
	return key, nil
}

func checkMatch(p Pair, chain []*x509.Certificate, key crypto.Signer) error {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return fmt.Errorf("key %s is %w: give an RSA, ECDSA or Ed25519 key", p.KeyFile, errKeyKind)
	}
	at := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) })
	switch {
	case at == 0:
		return nil
	case at > 0:
		return fmt.Errorf("certificate %s is out of order: key %s belongs to number %d in it, which has to come first", p.CertFile, p.KeyFile, at+1)
	default:
		return fmt.Errorf("key %s does not match certificate %s: they come from different pairs, find the key that was used to request it", p.KeyFile, p.CertFile)
	}
}

// checkLeaf names no present time: the same fault has the same words at every poll.
func checkLeaf(path string, leaf *x509.Certificate, now time.Time) error {
	var faults []error
	if now.After(leaf.NotAfter) {
		faults = append(faults, fmt.Errorf("certificate %s expired at %s: renew it (or set the machine's clock)", path, stamp(leaf.NotAfter)))
	}
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		faults = append(faults, fmt.Errorf("certificate %s names no host in subjectAltName, and clients ignore its common name: have it issued with one", path))
	}
	return errors.Join(faults...)
}

// warnings are what does not stop a pair from being served.
func (c pairContent) warnings(p Pair, served *Certificate, now time.Time) []string {
	var list []string
	leaf := served.chain.Leaf
	if c.keyMode&0o004 != 0 {
		list = append(list, fmt.Sprintf("key %s can be read by every user (mode %04o): chmod 600 it (in Kubernetes: defaultMode 0400)", p.KeyFile, c.keyMode))
	}
	if now.Before(leaf.NotBefore) {
		list = append(list, fmt.Sprintf("certificate %s is not valid before %s: set the machine's clock, or wait", p.CertFile, stamp(leaf.NotBefore)))
	}
	if uses := leaf.ExtKeyUsage; len(uses) > 0 && !slices.Contains(uses, x509.ExtKeyUsageServerAuth) && !slices.Contains(uses, x509.ExtKeyUsageAny) {
		list = append(list, fmt.Sprintf("certificate %s is not for servers (no serverAuth), so clients will refuse it: have it issued for one", p.CertFile))
	}
	return list
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
