package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Limits of an examination.
const (
	// DomainsLimit is how many domains can be examined at a time.
	DomainsLimit = 100
	// StepPatience is how long one step may take: a lookup, a dial, a request.
	StepPatience = 5 * time.Second
	// DryRunPatience is how long an order may take at the staging CA, which validates from
	// several places and is polled meanwhile.
	DryRunPatience = 2 * time.Minute
	// TotalPatience is how long all of it may take.
	TotalPatience = 15 * time.Minute

	domainsAtOnce = 8
)

// A Doctor examines a host. Run may be called once.
type Doctor struct {
	// Domains are host names as A-labels, at most DomainsLimit.
	Domains []string
	// Resolvers are asked for DNS records, each host:port, the next where one does not answer.
	Resolvers []string
	// HTTP and HTTPS are the ports of the two challenges.
	HTTP, HTTPS Port
	// Directory is the URL of the CA's ACME directory (RFC 8555 §7.1.1).
	Directory string
	// Client fetches it. Nil is a client with the system's trust and proxy.
	Client *http.Client
	// StoreDir is where certificates are kept, "" where that is no directory.
	StoreDir string
	// DryRun gets a certificate for domain by challenge, such as "http-01", from the staging
	// CA and throws it away. Nil where nobody can.
	DryRun func(ctx context.Context, domain, challenge string) error
	// Holder says who listens on a port of this machine that is taken. Nil asks the system.
	Holder func(ctx context.Context, port uint16) Holder
	// Addresses are this machine's own. Nil asks the system.
	Addresses func() ([]netip.Addr, error)
	// Now is the machine's clock. Nil is the real one.
	Now func() time.Time
	// Patience bounds a step; zero is StepPatience.
	Patience time.Duration

	dns   resolver
	own   []netip.Addr
	ca    authority
	doors []*door
}

// A Port is where a challenge arrives.
type Port struct {
	// Listen is the address that the server listens on, host:port, "" for none.
	Listen string
	// Public is the port that the CA dials; zero is the one that is listened on.
	Public uint16
}

// Holder is who listens on a port.
type Holder struct {
	// Holdfast tells that it is one of ours.
	Holdfast bool
	PID      int    // 0 when it is not known
	Name     string // of the program, "" when it is not known
	// Serials are those of the certificates that a Holdfast serves, in hexadecimal.
	Serials []string
}

// Run examines, and returns what was found when it is done or ctx is. Nothing that it
// opened is left open.
func (d *Doctor) Run(ctx context.Context) Report {
	ctx, cancel := context.WithTimeout(ctx, TotalPatience)
	defer cancel()
	d.prepare()
	var r Report
	visit := d.visitCA(ctx)
	r.Findings = append(visit, d.examineStore()...)
	r.Findings = append(r.Findings, d.openDoors(ctx)...)
	r.Findings = append(r.Findings, d.eachDomain(ctx)...)
	for _, door := range d.doors {
		door.close() // the dry run needs the ports
	}
	for _, domain := range d.Domains {
		r.Findings = append(r.Findings, d.rehearse(ctx, domain)...)
	}
	if ctx.Err() != nil {
		r.Findings = append(r.Findings, Finding{Level: Warning, Check: "doctor", What: "the examination was ended before it was done", Mend: "run it again"})
	}
	return r
}

func (d *Doctor) prepare() {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Patience == 0 {
		d.Patience = StepPatience
	}
	if d.Addresses == nil {
		d.Addresses = machineAddresses
	}
	if d.Holder == nil {
		d.Holder = ProcessOn
	}
	if d.Client == nil {
		d.Client = http.DefaultClient
	}
	d.dns = resolver{servers: d.Resolvers, patience: d.Patience}
	d.own, _ = d.Addresses() // without them no address is ours, which the findings say
}

// step is the context of one.
func (d *Doctor) step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d.Patience)
}

// eachDomain examines the domains, several at a time, and keeps their order.
func (d *Doctor) eachDomain(ctx context.Context) (all []Finding) {
	found := make([][]Finding, len(d.Domains))
	places := make(chan struct{}, domainsAtOnce)
	var group sync.WaitGroup
	for i, domain := range d.Domains {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			found[i] = d.examine(ctx, domain)
		})
	}
	group.Wait()
	for _, findings := range found {
		all = append(all, findings...)
	}
	return all
}

// examine looks at one domain.
func (d *Doctor) examine(ctx context.Context, domain string) []Finding {
	findings := d.examineName(domain)
	addrs, f := d.examineAddresses(ctx, domain)
	findings = append(findings, f...)
	findings = append(findings, d.examineCAA(ctx, domain)...)
	for _, door := range d.doors {
		findings = append(findings, d.reach(ctx, door, domain, addrs)...)
	}
	return findings
}

// challenges are those that can be met without touching the DNS.
var challenges = []string{"tls-alpn-01", "http-01"}

// ErrNotTried is what DryRun wraps when it could not order at all, which says nothing about the CA.
var ErrNotTried = errors.New("not tried")

// rehearse has the staging CA issue by each challenge.
func (d *Doctor) rehearse(ctx context.Context, domain string) []Finding {
	c := chart{check: "dry-run", domain: domain}
	if d.DryRun == nil {
		c.note("agree to its terms with --acme-agree-tos", "an order at the staging CA was not tried")
		return c.findings
	}
	for _, challenge := range challenges {
		if ctx.Err() != nil {
			return c.findings
		}
		one, cancel := context.WithTimeout(ctx, DryRunPatience)
		err := d.DryRun(one, domain, challenge)
		cancel()
		if errors.Is(err, ErrNotTried) {
			c.note("", "an order by %s was not tried: %s", challenge, strings.TrimPrefix(err.Error(), ErrNotTried.Error()+": "))
			continue
		}
		if err != nil {
			c.fault("the other findings about this name may say why", "the staging CA does not issue by %s: %v", challenge, err)
			continue
		}
		c.ok("the staging CA issues by %s", challenge)
	}
	return c.findings
}
