package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/certs/renewal"
	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/cmd/holdfast/doctor"
	"github.com/holdfast-server/holdfast/lifecycle"
)

const (
	// orderLease is after what time a replica that died while it ordered is replaced.
	orderLease = 20 * time.Second
	// sharedLook is the least pause between two looks at a store that replicas share, so that
	// what one has renewed is everywhere within 5 s; lookPerHost makes it longer where there are
	// many hosts, each of which is a look of its own.
	sharedLook  = 2 * time.Second
	lookPerHost = 200 * time.Millisecond
	// renewalPatience is how long the end of the process waits for what an order brought to be
	// stored, and for its lease to be given up.
	renewalPatience = 3 * time.Second
	// knownPatience is how long a start waits at most for what the store has.
	knownPatience = 2 * time.Second
	// storePatience is how long it waits then for calls of the store to end.
	storePatience = time.Second
)

// publicCA is what gets and keeps the certificates of a public CA.
type publicCA struct {
	store      *store.Layered // also without any domain, where replicas share one
	challenges *acme.Challenges
	source     *renewal.Source // nil without domains
}

// openPublicCA opens the store, and whoever fills it.
func (h *house) openPublicCA(s *settings) []fault {
	options, faults := s.issuance()
	if len(faults) > 0 {
		return faults
	}
	if len(s.ACME.Domains) > 0 && !s.ACME.TermsAgreed {
		if f := askTerms(s, h.std, options, h.log); f != nil {
			return []fault{*f}
		}
		options.TermsAgreed = s.ACME.TermsAgreed
	}
	kept, err := s.Store.open(h.log, time.Now)
	if err != nil {
		return []fault{{What: "no store for certificates", Where: "--cert-store", Why: plain(err.Error())}}
	}
	p := &h.certificates.public
	p.store = kept
	h.certificates.keepers = append(h.certificates.keepers, kept.Run)
	if len(s.ACME.Domains) == 0 {
		return nil
	}
	if err := h.openRenewal(s, options); err != nil {
		return []fault{{What: "no certificates from the CA", Where: "--domain", Why: plain(err.Error())}}
	}
	return nil
}

// openRenewal makes the source of the domains' certificates.
func (h *house) openRenewal(s *settings, options acme.Options) error {
	p, a := &h.certificates.public, &s.ACME
	p.challenges = acme.NewChallenges(a.Domains, p.store, h.log, time.Now)
	options.Store, options.Challenges, options.Log = p.store, p.challenges, h.log
	issuer, err := acme.New(options)
	if err != nil {
		return err
	}
	limits := renewal.Limits{Lease: orderLease}
	if s.Store.shared != nil {
		limits.Look = max(sharedLook, time.Duration(len(a.Domains))*lookPerHost)
	}
	p.source, err = renewal.New(renewal.Config{
		Hosts: a.Domains, Name: a.name(), Store: p.store,
		Issuer: issuer, Adviser: acme.NewAdviser(options, time.Now),
		Log: h.log, Holder: holder(), CA: a.tag(), Account: a.account(), Limits: limits,
	})
	if err != nil {
		return err
	}
	h.certificates.sources = append(h.certificates.sources, p.source)
	h.certificates.renewers = append(h.certificates.renewers, acmeRenewer{p.source})
	return nil
}

// issuance reads the files that the settings name, and says what an issuer needs of them.
func (s *settings) issuance() (o acme.Options, faults []fault) {
	a := &s.ACME
	o = acme.Options{
		Directory: a.Directory, Email: a.Email, Profile: a.Profile, Challenge: a.Challenge,
		TermsAgreed: a.TermsAgreed, Version: s.Version,
	}
	if len(a.Domains) == 0 {
		return o, nil
	}
	if a.RootFile != "" {
		content, err := os.ReadFile(a.RootFile)
		o.Roots = x509.NewCertPool()
		switch {
		case err != nil:
			faults = append(faults, fault{What: "cannot read the CA's roots in " + quote(a.RootFile), Where: "--acme-root", Why: reason(err), Mend: "check the path and its permissions"})
		case !o.Roots.AppendCertsFromPEM(content):
			faults = append(faults, fault{What: quote(a.RootFile) + " holds no certificate", Where: "--acme-root", Mend: "give the root of the CA's own server as PEM"})
		}
	}
	if a.KeyFile != "" {
		content, err := os.ReadFile(a.KeyFile)
		if err == nil {
			o.ExternalAccount, err = acme.ParseExternalAccount(a.KeyID, string(content))
		}
		if err != nil {
			faults = append(faults, fault{What: "cannot use the key in " + quote(a.KeyFile), Where: "--acme-eab-key-file", Why: reason(err), Mend: "give the key as the CA showed it"})
		}
	}
	if f := s.ephemeralFault(); f != nil {
		faults = append(faults, *f)
	}
	return o, faults
}

// ephemeralFault is that each start would order anew from a CA that counts.
func (s *settings) ephemeralFault() *fault {
	if s.ACME.Directory != acme.ProductionURL || s.ACME.AllowEphemeral || s.Store.shared != nil || s.Store.dir == "" {
		return nil
	}
	on, vanishes := doctor.Vanishes(s.Store.dir)
	if !vanishes {
		return nil
	}
	return &fault{
		What: "the certificates in " + quote(s.Store.dir) + " would not last", Where: "--cert-store",
		Why:  "it is on " + on + ": each start would order anew, until the CA's limits shut the domain out for days",
		Mend: "name a directory on a disk or volume, or a shared store; --cert-store-ephemeral allow if you mean it; or --acme-directory staging for a try",
	}
}

// name is the CA, for people.
func (a *acmeSettings) name() string {
	u, err := url.Parse(a.Directory)
	if err != nil {
		return "ACME"
	}
	return "ACME " + u.Host
}

// tag tells CAs apart in the store, so that a try with the staging CA neither stands in the
// way of the production CA nor is counted against it. The production CA's is "".
func (a *acmeSettings) tag() string {
	if a.Directory == acme.ProductionURL {
		return ""
	}
	sum := sha256.Sum256([]byte(a.Directory))
	return hex.EncodeToString(sum[:4])
}

// account tells accounts apart in the store.
func (a *acmeSettings) account() string {
	sum := sha256.Sum256([]byte(a.Directory + "\n" + a.Email))
	return hex.EncodeToString(sum[:])
}

// holder names this process to whoever looks at a lease.
func holder() string {
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown"
	}
	return machine + ":" + strconv.Itoa(os.Getpid())
}

// validates adds the answer to TLS-ALPN-01 to a configuration. It is shared as it was: every other
// hello gets what it got before, so that sessions resume.
func (p *publicCA) validates(config *tls.Config) {
	if p.challenges == nil {
		return
	}
	before := config.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if c, err := p.challenges.ConfigForClient(hello); c != nil || err != nil || before == nil {
			return c, err
		}
		return before(hello)
	}
}

// renew is the work of an actor: it gets and keeps the certificates until the server is told to
// stop. What comes due then is another's, or the next start's. An order under way goes on while
// connections drain: a successor answers the CA from the store, and takes the certificate from it.
func (p *publicCA) renew(ctx context.Context, stop *lifecycle.Stop) error {
	working, release := unlessStopping(ctx, stop)
	var watch sync.WaitGroup
	watch.Go(func() {
		<-working.Done()
		p.source.Retire()
	})
	err := p.source.Run(ctx)
	release()
	watch.Wait()
	if err == nil {
		<-ctx.Done()
	}
	return err
}

// awaitKnown waits until what the store has for the domains is served: whoever was served by the
// process before this one must not meet an alert. A store that hangs is not waited for longer than
// knownPatience.
func (p *publicCA) awaitKnown() {
	if p.source == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), knownPatience)
	defer cancel()
	_ = p.source.AwaitLook(ctx) // without what is there, names of other sources can be served
}

// close ends the store. One that hangs is left behind, for the process is to end.
func (p *publicCA) close() {
	if p.store == nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = p.store.Close() // what it lacks is brought to it at the next start
	}()
	select {
	case <-closed:
	case <-time.After(storePatience):
	}
}
