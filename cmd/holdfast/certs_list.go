package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
)

// certsListing is what holdfast certs list tells, in the form of its --json.
type certsListing struct {
	Certificates []certsRow `json:"certificates"`
	NotListed    int        `json:"certificates_not_listed,omitempty"` // over certificatesLimit
}

// certsRow is a certificate, or a host that has none yet.
type certsRow struct {
	Hosts       []string   `json:"hosts"`
	NotListed   int        `json:"hosts_not_listed,omitempty"` // over namesLimit
	Source      string     `json:"source"`
	Issuer      string     `json:"issuer,omitempty"`
	Serial      string     `json:"serial,omitempty"`
	NotBefore   *time.Time `json:"not_before,omitempty"` // nil, as NotAfter, where none is served
	NotAfter    *time.Time `json:"not_after,omitempty"`
	LifeLeft    *float64   `json:"life_left,omitempty"`    // the share of the lifetime, 0 to 1
	NextRenewal *time.Time `json:"next_renewal,omitempty"` // nil where the server does not decide
	Why         string     `json:"why"`
	LastError   string     `json:"last_error,omitempty"`
	LastErrorAt *time.Time `json:"last_error_at,omitempty"`
}

// listCertificates answers holdfast certs list.
func (r *running) listCertificates(context.Context, control.Call) (any, error) {
	listing := certsListing{Certificates: []certsRow{}}
	now := time.Now()
	for _, renewer := range r.certificates.renewers {
		for _, s := range renewer.Status() {
			if len(listing.Certificates) == certificatesLimit {
				listing.NotListed++
				continue
			}
			listing.Certificates = append(listing.Certificates, s.row(now))
		}
	}
	return listing, nil
}

// errorLimitBytes bounds an error that an answer quotes.
const errorLimitBytes = 1000

func (s *renewalStatus) row(now time.Time) certsRow {
	row := certsRow{Hosts: s.Hosts, Source: s.Source, Why: s.Why, LastError: s.LastError[:min(len(s.LastError), errorLimitBytes)]}
	if c := s.Served; c != nil {
		left := lifeLeft(c.NotBefore, c.NotAfter, now)
		row.Hosts, row.Source, row.Issuer, row.Serial = c.Names, c.Source, c.Issuer, c.Serial
		row.NotBefore, row.NotAfter, row.LifeLeft = utc(c.NotBefore), utc(c.NotAfter), &left
	}
	if n := len(row.Hosts); n > namesLimit {
		row.Hosts, row.NotListed = row.Hosts[:namesLimit], n-namesLimit
	}
	row.NextRenewal, row.LastErrorAt = utc(s.Next), utc(s.LastErrorAt)
	return row
}

// lifeLeft is what is left of a lifetime, from 1 to 0.
func lifeLeft(notBefore, notAfter, now time.Time) float64 {
	life := notAfter.Sub(notBefore)
	if life <= 0 {
		return 0
	}
	return min(1, max(0, float64(notAfter.Sub(now))/float64(life)))
}

// utc is t for JSON, nil for none.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// certsHostArgs are what explain and renew are about.
type certsHostArgs struct {
	Host  string `json:"host"`
	Force bool   `json:"force,omitempty"` // for renew
}

// certsExplanation is what holdfast certs explain tells.
type certsExplanation struct {
	Host string `json:"host"`
	// Certificate is nil where the host is known and has none, and its renewer no status.
	Certificate *certsRow `json:"certificate,omitempty"`
	Sentences   []string  `json:"sentences"`
}

// explainCertificate answers holdfast certs explain.
func (r *running) explainCertificate(ctx context.Context, c control.Call) (any, error) {
	host, _, err := hostArgument(c)
	if err != nil {
		return nil, err
	}
	for _, renewer := range r.certificates.renewers {
		sentences, err := renewer.Explain(ctx, host)
		switch {
		case errors.Is(err, errNotMine):
			continue
		case err != nil:
			return nil, err
		}
		e := certsExplanation{Host: host, Sentences: sentences}
		for _, s := range renewer.Status() {
			if s.covers(host) {
				row := s.row(time.Now())
				e.Certificate = &row
				break
			}
		}
		return e, nil
	}
	return nil, r.noCertificate(host)
}

// certsRenewal is what holdfast certs renew tells.
type certsRenewal struct {
	Host    string `json:"host"`
	Outcome string `json:"outcome"`
}

// renewCertificate answers holdfast certs renew.
func (r *running) renewCertificate(ctx context.Context, c control.Call) (any, error) {
	host, force, err := hostArgument(c)
	if err != nil {
		return nil, err
	}
	for _, renewer := range r.certificates.renewers {
		outcome, err := renewer.Renew(ctx, host, force)
		switch {
		case errors.Is(err, errNotMine):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s is not renewed: %w", host, err)
		}
		return certsRenewal{Host: host, Outcome: outcome}, nil
	}
	return nil, r.noCertificate(host)
}

func hostArgument(c control.Call) (host string, force bool, err error) {
	var args certsHostArgs
	if err := c.Decode(&args); err != nil {
		return "", false, err
	}
	host, f := parseLocalName(args.Host)
	if f != nil {
		return "", false, errors.New("host " + quote(args.Host) + " " + f.What)
	}
	return host, args.Force, nil
}

func (r *running) noCertificate(host string) error {
	if len(r.certificates.renewers) == 0 {
		return errors.New("the server has no certificates: it listens for no HTTPS")
	}
	return errors.New("the server has no certificate for " + host + "; holdfast certs list has those it has")
}

// coversHost tells whether one of a certificate's names is the host, by itself or as a
// wildcard, which stands for one label (RFC 9525 §6.3). host is as parseLocalName returns it.
func coversHost(names []string, host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	_, err := netip.ParseAddr(host)
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		base, wild := strings.CutPrefix(name, "*.")
		if name == host || wild && err != nil && base == parent {
			return true
		}
	}
	return false
}
