package main

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/acme"
)

// acmeSettings say for which hosts a public CA is asked for certificates, and how.
type acmeSettings struct {
	Domains []string // A-labels in lower case; none orders nothing

	Directory   string // the URL
	Email       string // "" for none
	RootFile    string // of the CA's own server; "" for the system's
	KeyID       string // of an external account; "" without
	KeyFile     string
	Profile     string // "" for the CA's choice
	Challenge   string // acme.Auto or one of its others
	TermsAgreed bool   // else the terminal is asked

	FallbackLocal    bool // the local CA stands in for a certificate that is not there yet
	AllowEphemeral   bool // a store that does not last is the operator's wish
	NeedsCertificate bool // /readyz is 503 without
}

// domainsLimit bounds the domains: each is an order of its own, and CAs limit those.
const domainsLimit = 100

// readACME reads what there is to say about certificates from a public CA.
func (s *settings) readACME(r *reader, env environment) {
	a := &s.ACME
	a.Domains = r.domains()
	a.Directory = r.acmeDirectory()
	a.Email = r.email()
	a.RootFile, a.KeyID, a.KeyFile, a.Profile = r.given("acme-root"), r.given("acme-eab-kid"), r.given("acme-eab-key-file"), r.given("acme-profile")
	a.Challenge = r.choice("acme-challenge", acme.Auto, acme.TLSALPN01, acme.HTTP01)
	a.FallbackLocal = r.choice("acme-fallback", "off", "local") == "local"
	a.AllowEphemeral = r.choice("cert-store-ephemeral", "refuse", "allow") == "allow"
	a.NeedsCertificate = r.toggle("ready-needs-certificate")
	agreed := r.toggle("acme-agree-tos")
	s.readStore(r, env)
	if len(a.Domains) == 0 {
		return
	}
	s.checkDomains(r)
	a.TermsAgreed = agreed || s.agreedBefore() || s.agreedByPredecessor()
	s.checkEABPair(r)
}

// given is a text that may be left out, "" then, and must not be empty.
func (r *reader) given(name string) string {
	text, from, ok := r.single(name)
	if ok && from != "" && text == "" {
		r.refuse(name, text, from, emptyFlaw())
	}
	return text
}

// domains are the hosts to order for. Nothing that a CA would refuse is let through: each
// refusal there counts against a limit.
func (r *reader) domains() (names []string) {
	texts, from := r.list("domain")
	for _, text := range texts {
		name, f := parseDomain(text)
		if f == nil && slices.Contains(names, name) {
			f = &flaw{What: "is there twice", Mend: "name it once"}
		}
		if f != nil {
			r.refuse("domain", text, from, f)
			continue
		}
		names = append(names, name)
	}
	if n := len(texts); n > domainsLimit {
		r.faults = append(r.faults, fault{
			What: fmt.Sprintf("%d domains are too many", n), Where: from, Why: "each has a certificate of its own",
			Mend: fmt.Sprintf("name %d at most", domainsLimit), Usage: true,
		})
	}
	return names
}

// parseDomain returns a host name that a public CA may issue for by the challenges we answer.
func parseDomain(text string) (string, *flaw) {
	if strings.ContainsAny(text, "/:") && !strings.Contains(text, "::") {
		return "", &flaw{What: "is no host name", Why: "a certificate knows neither scheme nor port nor path", Mend: "write the name alone"}
	}
	name, err := certs.HostName(text)
	switch {
	case err != nil && strings.HasPrefix(text, "*."):
		return "", &flaw{What: "is a wildcard", Why: "a CA issues for it by a record in the DNS alone, which holdfast does not write", Mend: "name each host, or give its certificate with --cert and --key"}
	case err != nil:
		return "", &flaw{What: "is no host name", Why: plain(err.Error()), Mend: "write one such as example.org"}
	case !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost"):
		return "", &flaw{What: "is a local name", Why: "no public CA issues for it", Mend: "leave it out, or have the local CA issue for it with --local-name"}
	}
	return name, nil
}

// privateSuffixes are ends of names that the public DNS does not have (RFC 6761, RFC 6762,
// RFC 7686, RFC 8375, and internal, which ICANN keeps for private use). A CA of one's own may issue
// for them.
var privateSuffixes = []string{".test", ".invalid", ".example", ".local", ".home.arpa", ".internal", ".onion"}

// checkDomains holds the domains against the CA and the listeners.
func (s *settings) checkDomains(r *reader) {
	a := &s.ACME
	domain := r.get("domain")
	public := a.Directory == acme.ProductionURL || a.Directory == acme.StagingURL
	for _, name := range a.Domains {
		private := func(suffix string) bool { return strings.HasSuffix(name, suffix) }
		if public && slices.ContainsFunc(privateSuffixes, private) {
			r.refuse("domain", name, domain.from, &flaw{What: "is a local name", Why: "Let's Encrypt does not issue for it", Mend: "leave it out, or have the local CA issue for it with --local-name"})
		}
	}
	https, http := r.get("https"), r.get("http")
	switch {
	case s.HTTPS == "" && (https.texts[0] == off || s.Inherited.givesAny()):
		r.faults = append(r.faults, fault{
			What: "domain without an https listener", Where: from(domain, https), Usage: true,
			Why: "certificates are for HTTPS", Mend: "give --https an address, or leave out domain",
		})
	case a.Challenge == acme.HTTP01 && s.HTTP == "" && (http.texts[0] == off || s.Inherited.givesAny()):
		r.faults = append(r.faults, fault{
			What: "acme-challenge http-01 without a plain listener", Where: from(r.get("acme-challenge"), http), Usage: true,
			Why: "the CA asks at port 80", Mend: "give --http an address, or leave out acme-challenge",
		})
	case s.HTTP == "" && a.Challenge == acme.Auto:
		a.Challenge = acme.TLSALPN01 // the other could not be met
	}
}

// acmeDirectory is the CA's directory as a URL.
func (r *reader) acmeDirectory() string {
	text, from, ok := r.single("acme-directory")
	if !ok {
		return ""
	}
	directory, err := acme.ParseDirectory(text)
	if err != nil || text == "" {
		r.refuse("acme-directory", text, from, &flaw{What: "is no directory of a CA", Mend: "write its https URL, or staging"})
		return ""
	}
	return directory
}

// email is one address, as RFC 8555 §7.3 wants it.
func (r *reader) email() string {
	text := r.given("acme-email")
	if text == "" {
		return ""
	}
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text || strings.ContainsAny(text, ",? ") {
		r.refuse("acme-email", text, r.get("acme-email").from, &flaw{What: "is no e-mail address", Mend: "write one such as ops@example.org"})
		return ""
	}
	return text
}

// readStore reads where certificates are kept. No fault repeats the address, for a password may be
// in it.
func (s *settings) readStore(r *reader, env environment) {
	text, from, ok := r.single("cert-store")
	switch {
	case ok && from != "" && text == "":
		r.refuse("cert-store", text, from, emptyFlaw())
		return
	case !ok:
		return
	}
	getenv := env.get
	if r.elsewhere { // and its pods have the API's address
		getenv = func(name string) string {
			return map[string]string{"KUBERNETES_SERVICE_HOST": "kubernetes", "KUBERNETES_SERVICE_PORT": "443"}[name]
		}
	}
	found, f := readCertStore(text, s.StateDir, getenv)
	if f != nil {
		f.Where = from
		r.faults = append(r.faults, *f)
		return
	}
	s.Store = found
	if len(s.ACME.Domains) > 0 && found.dir == "" && found.shared == nil && s.StateWhy != "" {
		r.faults = append(r.faults, fault{
			What: "no directory to keep certificates in", Where: "--state", Why: s.StateWhy,
			Mend: "name a directory that this user can write to with --state, or a store with --cert-store",
		})
	}
}

// checkEABPair: of an external account both halves are there, or none.
func (s *settings) checkEABPair(r *reader) {
	kid, file := r.get("acme-eab-kid"), r.get("acme-eab-key-file")
	if (s.ACME.KeyID == "") == (s.ACME.KeyFile == "") {
		return
	}
	missing := "--acme-eab-kid"
	if s.ACME.KeyFile == "" {
		missing = "--acme-eab-key-file"
	}
	r.faults = append(r.faults, fault{
		What: "half of an external account", Where: from(kid, file), Usage: true,
		Why: "a key ID and its key belong together", Mend: "add " + missing,
	})
}
