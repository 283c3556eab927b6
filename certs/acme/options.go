package acme

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/holdfast-server/holdfast/certs/store"
)

// Directories of Let's Encrypt (RFC 8555 §7.1.1).
const (
	ProductionURL = "https://acme-v02.api.letsencrypt.org/directory"
	StagingURL    = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// Ways to prove the control of a host.
const (
	TLSALPN01 = "tls-alpn-01" // RFC 8737, on port 443
	HTTP01    = "http-01"     // RFC 8555 §8.3, on port 80
	// Auto is TLS-ALPN-01 and, where that fails, HTTP-01 with a second order.
	Auto = "auto"
)

// Options say which CA issues, for which account, and how hosts are proven.
type Options struct {
	// Directory is the CA's, as ParseDirectory returns it.
	Directory string
	// Roots are trusted for the CA's own server; nil is the system's.
	Roots *x509.CertPool
	// Email is told to the CA with a new account; it may be "".
	Email string
	// ExternalAccount binds the account to one that the CA gave out, nil without.
	ExternalAccount *ExternalAccount
	// Profile is the one to order by, "" for the CA's choice.
	Profile string
	// Challenge is TLSALPN01, HTTP01 or Auto.
	Challenge string
	// TermsAgreed says that a person agreed to the CA's terms of service. An Issuer
	// without it is refused: nobody agrees by default.
	TermsAgreed bool
	// Version is ours, for the CA to see in User-Agent.
	Version string
	// Store keeps the account's key.
	Store store.Store
	// Challenges are where this process answers.
	Challenges *Challenges
	Log        *slog.Logger
}

// ParseDirectory returns the directory URL that word stands for: "" is Let's Encrypt's,
// "staging" its staging CA's, and anything else must be an https URL (RFC 8555 §6.1).
func ParseDirectory(word string) (string, error) {
	switch word {
	case "":
		return ProductionURL, nil
	case "staging":
		return StagingURL, nil
	}
	u, err := url.Parse(word)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "", errors.New("the directory of a CA is an https URL, or the word staging")
	}
	return word, nil
}

// ExternalAccount is an account that a CA gave out by other means (RFC 8555 §7.3.4).
// Its key is kept out of whatever prints it.
type ExternalAccount struct {
	KeyID string
	key   []byte
}

// ParseExternalAccount reads the key as CAs hand it out: base64url with or without
// padding, or base64, with white space around. No error repeats it.
func ParseExternalAccount(keyID, key string) (*ExternalAccount, error) {
	key = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(key), "="))
	decoded, err := base64.RawURLEncoding.DecodeString(key)
	switch {
	case keyID == "":
		return nil, errors.New("an external account has a key and no key ID")
	case err != nil || len(decoded) == 0:
		return nil, errors.New("the key of the external account is not base64url")
	}
	return &ExternalAccount{KeyID: keyID, key: decoded}, nil
}

// String leaves the key out, as every other way to print an ExternalAccount does.
func (a ExternalAccount) String() string { return fmt.Sprintf("external account %q", a.KeyID) }

// GoString is String: %#v must not print the key either.
func (a ExternalAccount) GoString() string { return a.String() }

// LogValue is String, for slog.
func (a ExternalAccount) LogValue() slog.Value { return slog.StringValue(a.String()) }

func (o *Options) check() error {
	var faults []error
	if _, err := ParseDirectory(o.Directory); err != nil || o.Directory == "" {
		faults = append(faults, fmt.Errorf("no directory of a CA: %q", o.Directory))
	}
	if o.Challenge != TLSALPN01 && o.Challenge != HTTP01 && o.Challenge != Auto {
		faults = append(faults, fmt.Errorf("no kind of challenge: %q", o.Challenge))
	}
	if !o.TermsAgreed {
		faults = append(faults, errors.New("nobody agreed to the CA's terms of service"))
	}
	if strings.ContainsAny(o.Email, ",? \r\n") {
		faults = append(faults, fmt.Errorf("%q is not one e-mail address", o.Email)) // RFC 8555 §7.3: no hfields, one addr-spec
	}
	return errors.Join(faults...)
}
