package acme

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/crypto/acme"
)

// Directory is what a CA says of itself (RFC 8555 §7.1.1), made fit to be shown.
type Directory struct {
	// Terms is where the CA's terms of service are, "" where it has none to agree to.
	Terms string
	// Profiles are the names of those on offer, sorted.
	Profiles []string
	// CAAIdentities are the names by which CAA records mean this CA (RFC 8659).
	CAAIdentities []string
	// ExternalAccountRequired says that the CA wants Options.ExternalAccount.
	ExternalAccountRequired bool
	// Date is the CA's clock as of its answer, to the second; zero where it did not say.
	Date time.Time
}

// FetchDirectory asks the CA of o.Directory what it is, without an account. It takes at
// most 30 s; its errors are those of Issuer.Issue.
func FetchDirectory(ctx context.Context, o Options) (Directory, error) {
	ctx, cancel := context.WithTimeout(ctx, adviceTimeout)
	defer cancel()
	l := newLine(ctx, &o, 0)
	defer l.close()
	client := acme.Client{HTTPClient: l.client(), DirectoryURL: o.Directory, RetryBackoff: backoff(ctx), UserAgent: userAgent(o.Version)}
	found, err := client.Discover(ctx)
	if err != nil {
		return Directory{}, l.refuse(err)
	}
	d := Directory{Terms: pageURL(found.Terms), ExternalAccountRequired: found.ExternalAccountRequired, Date: l.date}
	for _, name := range slices.Sorted(maps.Keys(found.Profiles)) {
		d.Profiles = append(d.Profiles, quoted(string(name)))
	}
	for _, name := range found.CAA {
		d.CAAIdentities = append(d.CAAIdentities, quoted(name))
	}
	return d, nil
}
