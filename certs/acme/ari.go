package acme

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/holdfast-server/holdfast/certs/renewal"
)

const (
	// adviceTimeout bounds one question for advice.
	adviceTimeout = 30 * time.Second
	// Limits to when the CA may want to be asked again, and what holds where it does not
	// say (RFC 9773 §4.3.2, §4.3.3).
	askAgainMin     = time.Minute
	askAgainMax     = 24 * time.Hour
	askAgainDefault = 6 * time.Hour
)

// Adviser asks a CA when it would have certificates renewed (ARI, RFC 9773). It is a
// renewal.Adviser, and may be used from several goroutines.
type Adviser struct {
	options Options
	now     func() time.Time
}

// NewAdviser asks the CA of o.Directory, of which o.Roots and o.Version count as well.
func NewAdviser(o Options, now func() time.Time) *Adviser { return &Adviser{options: o, now: now} }

// Window asks for the window in which leaf should be renewed. The issuer is not needed:
// the leaf names its key. What goes wrong, a CA without ARI included, is an error, and
// means that there is no advice. It takes at most 30 s.
func (v *Adviser) Window(ctx context.Context, leaf, _ *x509.Certificate) (renewal.Window, error) {
	id, err := certID(leaf)
	if err != nil {
		return renewal.Window{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, adviceTimeout)
	defer cancel()
	l := newLine(ctx, &v.options, 0)
	defer l.close()
	var directory struct {
		RenewalInfo string `json:"renewalInfo"`
	}
	body, _, err := v.get(ctx, l, v.options.Directory)
	if err != nil {
		return renewal.Window{}, fmt.Errorf("no advice: %w", err)
	}
	if json.Unmarshal(body, &directory) != nil || directory.RenewalInfo == "" {
		return renewal.Window{}, errors.New("no advice: the CA does not offer renewal information (RFC 9773)")
	}
	body, fields, err := v.get(ctx, l, strings.TrimSuffix(directory.RenewalInfo, "/")+"/"+id)
	if err != nil {
		return renewal.Window{}, fmt.Errorf("no advice: %w", err)
	}
	w, err := parseRenewalInfo(body)
	if err != nil {
		return renewal.Window{}, err
	}
	w.AskAgain = askAgain(fields, v.now())
	return w, nil
}

// get fetches a URL. The fields are as the CA sent them.
func (v *Adviser) get(ctx context.Context, l *line, target string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("User-Agent", userAgent(v.options.Version))
	res, err := l.client().Do(req)
	if err != nil {
		return nil, nil, l.refuse(err)
	}
	body, err := io.ReadAll(res.Body) // the line has bounded it
	if err != nil {
		return nil, nil, err
	}
	if res.StatusCode != http.StatusOK {
		p, _ := parseProblem(body)
		return nil, nil, refusalOf(&acme.Error{StatusCode: res.StatusCode, ProblemType: p.Type, Detail: p.Detail, Header: res.Header}, nil)
	}
	return body, res.Header, nil
}

// certID is the certificate's name in ARI (RFC 9773 §4.1): its authority key identifier
// and the content octets of its serial number, each as base64url without padding.
func certID(leaf *x509.Certificate) (string, error) {
	serial := leaf.SerialNumber
	if len(leaf.AuthorityKeyId) == 0 || serial == nil || serial.Sign() <= 0 {
		return "", errors.New("no advice: the certificate does not name its issuer's key, or has no serial number")
	}
	octets := serial.Bytes()
	if octets[0]&0x80 != 0 {
		octets = append([]byte{0}, octets...) // DER integers have a sign (X.690 §8.3)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode(leaf.AuthorityKeyId) + "." + encode(octets), nil
}

// parseRenewalInfo reads a RenewalInfo object (RFC 9773 §4.2). AskAgain is not in it.
func parseRenewalInfo(body []byte) (renewal.Window, error) {
	var info struct {
		SuggestedWindow struct {
			Start time.Time `json:"start"`
			End   time.Time `json:"end"`
		} `json:"suggestedWindow"`
		ExplanationURL string `json:"explanationURL"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return renewal.Window{}, errors.New("no advice: the CA's renewal information cannot be read")
	}
	w := renewal.Window{Start: info.SuggestedWindow.Start, End: info.SuggestedWindow.End}
	if w.Start.IsZero() || !w.Start.Before(w.End) {
		return renewal.Window{}, errors.New("no advice: the CA's window for the renewal ends before it starts")
	}
	w.Explanation = pageURL(info.ExplanationURL)
	return w, nil
}

// pageURL is an address that a person can be sent to; anything else is "".
func pageURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(text) > detailLimitBytes || quoted(text) != text {
		return ""
	}
	return text
}

// askAgain is when the advice is fetched anew.
func askAgain(fields http.Header, now time.Time) time.Time {
	wait, ok := retryAfterWait(fields, now)
	if !ok {
		wait = askAgainDefault
	}
	return now.Add(min(max(wait, askAgainMin), askAgainMax))
}
