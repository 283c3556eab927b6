package tlsconf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clientCALimitBytes bounds a file of CAs. The CAs of the whole web are about 250 KiB.
const clientCALimitBytes = 1 << 20

// ClientCAs are the CAs whose certificates clients may show, from PEM files that are read
// again when they change. A file that cannot be used keeps what all of them held before.
type ClientCAs struct {
	files []string
	now   func() time.Time
	log   *slog.Logger

	trusted atomic.Pointer[trust]

	checking sync.Mutex // one look at the files at a time
	fault    string     // of the last look by Run; logged once
}

// trust is what the files held at one time. It does not change.
type trust struct {
	pool     *x509.CertPool
	digest   [sha256.Size]byte
	warnings []string
}

// LoadClientCAs reads the files. With any fault it returns nil and every fault of every file,
// each in one line that says what is wrong, where, and how to mend it.
func LoadClientCAs(files []string, now func() time.Time, log *slog.Logger) (*ClientCAs, []error) {
	c := &ClientCAs{files: files, now: now, log: log}
	got, faults := c.look()
	if len(faults) > 0 {
		return nil, faults
	}
	c.trusted.Store(got)
	return c, nil
}

// Warnings are what is wrong with the files as they are used now and does not prevent it:
// CAs that have expired, or are not valid yet.
func (c *ClientCAs) Warnings() []string { return c.trusted.Load().warnings }

// Reload reads the files now. With an error, which joins every fault found, the CAs stay what
// they were. Connections that are open stay open; sessions of certificates whose CA is gone do
// not resume.
func (c *ClientCAs) Reload(context.Context) error {
	c.checking.Lock()
	defer c.checking.Unlock()
	c.fault = "" // whoever asked hears of it
	return c.check()
}

// Run looks at the files' content every interval and uses what has changed. A fault is
// logged once, not once a look. Run returns nil when ctx is done.
func (c *ClientCAs) Run(ctx context.Context, interval time.Duration) error {
	for pause(ctx, interval) {
		c.poll()
	}
	return nil
}

func (c *ClientCAs) poll() {
	c.checking.Lock()
	defer c.checking.Unlock()
	err := c.check()
	switch {
	case err == nil:
		c.fault = ""
	case err.Error() != c.fault:
		c.fault = err.Error()
		c.log.Error("the files of client CAs are at fault: the CAs loaded before stay", "error", err)
	}
}

// check is called with checking held.
func (c *ClientCAs) check() error {
	got, faults := c.look()
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if got.digest == c.trusted.Load().digest {
		return nil
	}
	c.trusted.Store(got)
	c.log.Info("client CAs reloaded")
	for _, warning := range got.warnings {
		c.log.Warn(warning)
	}
	return nil
}

// look reads all files.
func (c *ClientCAs) look() (*trust, []error) {
	got := &trust{pool: x509.NewCertPool()}
	var faults []error
	whole := sha256.New()
	for _, file := range c.files {
		content, _, err := readRegular("client CA file", file, clientCALimitBytes)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		digest := sha256.Sum256(content)
		_, _ = whole.Write(digest[:])
		cas, err := parseCAs(file, content)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, ca := range cas {
			got.pool.AddCert(ca)
			got.warnings = append(got.warnings, caWarnings(file, ca, c.now())...)
		}
	}
	whole.Sum(got.digest[:0])
	return got, faults
}

// parseCAs takes nothing but certificates of CAs: anything else in such a file is a mistake,
// and one that is cut short would leave CAs out without a word.
func parseCAs(file string, content []byte) (cas []*x509.Certificate, err error) {
	begun := bytes.Count(content, []byte("-----BEGIN "))
	for rest := content; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		begun--
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("client CA file %s holds a %s: give the CA's certificates alone", file, pemKind(block.Type))
		}
		ca, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("client CA file %s: number %d in it cannot be read (%w): copy it again, whole", file, len(cas)+1, err)
		}
		if !ca.IsCA {
			return nil, fmt.Errorf("client CA file %s: number %d in it (%s) is no CA: give the certificate of the CA that signs for clients", file, len(cas)+1, ca.Subject)
		}
		cas = append(cas, ca)
	}
	switch {
	case begun != 0:
		return nil, fmt.Errorf("client CA file %s is damaged or cut short: copy it again, whole", file)
	case len(cas) == 0:
		return nil, fmt.Errorf("client CA file %s holds no PEM certificate: give the CA's as PEM", file)
	}
	return cas, nil
}

// pemKind is a block's type in words. What stands there is anybody's.
func pemKind(kind string) string {
	if strings.HasSuffix(kind, "PRIVATE KEY") {
		return "private key"
	}
	return "PEM block that is no certificate"
}

func caWarnings(file string, ca *x509.Certificate, now time.Time) (list []string) {
	if now.After(ca.NotAfter) {
		list = append(list, fmt.Sprintf("client CA file %s: %s expired at %s, so its clients are refused: replace it (or set the machine's clock)", file, ca.Subject, ca.NotAfter.UTC().Format(time.RFC3339)))
	}
	if now.Before(ca.NotBefore) {
		list = append(list, fmt.Sprintf("client CA file %s: %s is not valid before %s, and until then its clients are refused: set the machine's clock, or wait", file, ca.Subject, ca.NotBefore.UTC().Format(time.RFC3339)))
	}
	return list
}
