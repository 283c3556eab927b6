package doctor

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of the clock, and of the CA's answer.
const (
	clockWarning   = time.Minute
	clockFault     = time.Hour
	directoryBytes = 64 << 10
)

// letsEncrypt is the domain of the default CA, also in CAA records.
const letsEncrypt = "letsencrypt.org"

// authority is what is known of the CA.
type authority struct {
	host       string
	identities []string // its names in CAA records, none when they are not known
}

// isPublic tells whether the CA reaches public addresses alone. Of one that an operator
// names nothing is known.
func (a authority) isPublic() bool {
	return a.host == letsEncrypt || strings.HasSuffix(a.host, "."+letsEncrypt)
}

// visitCA fetches the CA's directory, and holds the machine's clock against the CA's.
func (d *Doctor) visitCA(ctx context.Context) []Finding {
	c := chart{check: "ca"}
	u, err := url.Parse(d.Directory)
	if err != nil || u.Host == "" {
		c.fault("write it as https://HOST/PATH", "%q is no URL of an ACME directory", d.Directory)
		return c.findings
	}
	d.ca.host = strings.ToLower(u.Hostname())
	if d.ca.isPublic() {
		d.ca.identities = []string{letsEncrypt}
	}
	ctx, cancel := d.step(ctx)
	defer cancel()
	before := d.Now()
	response, err := d.fetch(ctx)
	after := d.Now()
	if err != nil {
		d.unreachable(&c, before, err)
		return c.findings
	}
	defer response.Body.Close()
	d.readDirectory(&c, response)
	c.check = "clock"
	compareClocks(&c, response.Header.Get("Date"), before, after)
	return c.findings
}

func (d *Doctor) fetch(ctx context.Context) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Directory, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "holdfast-doctor")
	return d.Client.Do(request)
}

// unreachable says why the CA is. A clock that is years off is found here: its certificate
// does not count then.
func (d *Doctor) unreachable(c *chart, now time.Time, err error) {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		c.check = "clock"
		c.fault("set the clock, and have it kept by NTP: timedatectl set-ntp true",
			"the certificate of %s is not valid at this machine's time, %s", d.ca.host, now.UTC().Format(time.RFC3339))
		return
	}
	c.fault("see whether a firewall, a proxy or the DNS keeps this host from it", "the CA cannot be reached: %v", err)
}

// readDirectory reads what CAA records call the CA (RFC 8555 §7.1.1).
func (d *Doctor) readDirectory(c *chart, response *http.Response) {
	var directory struct {
		NewOrder string `json:"newOrder"`
		Meta     struct {
			Identities []string `json:"caaIdentities"`
		} `json:"meta"`
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, directoryBytes))
	switch {
	case err != nil:
		c.fault("try again", "the directory of %s breaks off: %v", d.ca.host, err)
	case response.StatusCode != http.StatusOK:
		c.fault("try again later", "the CA answers with status %d", response.StatusCode)
	case json.Unmarshal(body, &directory) != nil || directory.NewOrder == "":
		c.fault("check --acme-directory", "what is at %s is no ACME directory", d.Directory)
	default:
		c.ok("the CA at %s can be reached", d.ca.host)
		if len(directory.Meta.Identities) > 0 {
			d.ca.identities = nil
			for _, name := range directory.Meta.Identities {
				d.ca.identities = append(d.ca.identities, strings.ToLower(name))
			}
		}
	}
}

// compareClocks holds the time between before and after against the CA's Date, which tells
// whole seconds.
func compareClocks(c *chart, date string, before, after time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		c.note("", "the CA does not tell its time")
		return
	}
	off := time.Duration(0)
	switch {
	case theirs.Add(time.Second).Before(before):
		off = before.Sub(theirs)
	case theirs.After(after):
		off = after.Sub(theirs)
	}
	const mend = "set the clock, and have it kept by NTP: timedatectl set-ntp true"
	word := "ahead of"
	if off < 0 {
		off, word = -off, "behind"
	}
	off = off.Round(time.Second)
	switch {
	case off > clockFault:
		c.fault(mend, "this machine's clock is %v %s the CA's", off, word)
	case off > clockWarning:
		c.warning(mend, "this machine's clock is %v %s the CA's", off, word)
	default:
		c.ok("the clock agrees with the CA's")
	}
}
