package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// criticalBit is the flag of a record that a CA has to understand (RFC 8659 §4.1).
const criticalBit = 128

// caaRecord is a CAA record (RFC 8659 §4.1).
type caaRecord struct {
	critical bool
	tag      string // in lower case
	value    string
}

func parseCAA(data []byte) (caaRecord, error) {
	if len(data) < 2 || data[1] == 0 || len(data) < 2+int(data[1]) {
		return caaRecord{}, errors.New("a damaged CAA record")
	}
	end := 2 + int(data[1])
	return caaRecord{critical: data[0]&criticalBit != 0, tag: strings.ToLower(string(data[2:end])), value: string(data[end:])}, nil
}

// String is the record as a zone file has it.
func (r caaRecord) String() string {
	flags := 0
	if r.critical {
		flags = criticalBit
	}
	return fmt.Sprintf("%d %s %q", flags, r.tag, r.value)
}

// issuer splits an issue value into its domain, "" for nobody, and its parameters.
func (r caaRecord) issuer() (domain string, parameters map[string]string) {
	domain, rest, _ := strings.Cut(r.value, ";")
	parameters = make(map[string]string)
	for part := range strings.SplitSeq(rest, ";") {
		if key, value, ok := strings.Cut(part, "="); ok {
			parameters[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return strings.ToLower(strings.TrimSpace(domain)), parameters
}

// relevantCAA returns the records that decide about domain and the name that has them: its
// own, or else those of the closest name above (RFC 8659 §3). None is "".
func (d *Doctor) relevantCAA(ctx context.Context, domain string) (at string, records []caaRecord, err error) {
	for at = domain; at != ""; _, at, _ = strings.Cut(at, ".") {
		bodies, err := d.dns.lookup(ctx, at, typeCAA)
		if err != nil && !isRcode(err, dnsmessage.RCodeNameError) {
			return at, nil, err
		}
		for _, b := range bodies {
			raw, ok := b.(*dnsmessage.UnknownResource)
			if !ok {
				continue
			}
			r, err := parseCAA(raw.Data)
			if err != nil {
				return at, nil, err
			}
			records = append(records, r)
		}
		if len(records) > 0 {
			return at, records, nil
		}
	}
	return "", nil, nil
}

// examineCAA looks whether the CA may issue for the domain.
func (d *Doctor) examineCAA(ctx context.Context, domain string) []Finding {
	c := chart{check: "caa", domain: domain}
	at, records, err := d.relevantCAA(ctx, domain)
	var refusal rcodeError
	switch {
	case errors.As(err, &refusal):
		c.fault("see whether the name servers of "+at+" answer for type CAA: a CA that gets no answer refuses", "the CAA records of %s are not to be had: %v", at, err)
	case err != nil:
		c.warning("a CA that gets no answer refuses: see whether the name servers answer for type CAA", "the CAA records of %s are not to be had: %v", at, err)
	case len(records) == 0:
		c.ok("no CAA record limits who issues")
	default:
		judgeCAA(&c, at, records, d.ca.identities)
	}
	return c.findings
}

// judgeCAA says whether records at a name let one of the issuers issue for a name that is no
// wildcard, for which issuewild does not matter (RFC 8659 §4.3).
func judgeCAA(c *chart, at string, records []caaRecord, issuers []string) {
	var named []string
	var mine []caaRecord
	for _, r := range records {
		switch r.tag {
		case "issue":
			name, _ := r.issuer()
			if name == "" {
				name = "nobody"
			}
			named = append(named, name)
			if slices.Contains(issuers, name) {
				mine = append(mine, r)
			}
		case "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone":
		default:
			if r.critical {
				c.fault("remove it, or its critical flag", "%s has the critical CAA record %s, and a CA refuses what it does not know", at, r)
			}
		}
	}
	allowed := strings.Join(named, ", ")
	switch {
	case len(named) == 0:
		c.ok("the CAA records of %s limit wildcards at most", at)
	case len(issuers) == 0:
		c.note("see that the CA is one of them", "CAA at %s lets issue: %s", at, allowed)
	case len(mine) == 0:
		c.fault(fmt.Sprintf("add %s. CAA 0 issue %q, or remove the others", at, issuers[0]), "CAA at %s lets issue %s, and not %s", at, allowed, strings.Join(issuers, ", "))
	default:
		judgeParameters(c, at, mine)
	}
}

// judgeParameters looks at what the records that name the CA ask of it (RFC 8657). One of
// them has to be met.
func judgeParameters(c *chart, at string, records []caaRecord) {
	allowed, accounts := make(map[string]bool), make([]string, 0, len(records))
	for _, r := range records {
		_, parameters := r.issuer()
		if account := parameters["accounturi"]; account != "" {
			accounts = append(accounts, account)
		}
		list, limited := parameters["validationmethods"]
		if !limited {
			list = strings.Join(challenges, ",")
		}
		for method := range strings.SplitSeq(list, ",") {
			allowed[strings.ToLower(strings.TrimSpace(method))] = true
		}
	}
	var missing []string
	for _, challenge := range challenges {
		if !allowed[challenge] {
			missing = append(missing, challenge)
		}
	}
	name, _ := records[0].issuer()
	if len(missing) == len(challenges) {
		c.fault("allow one of them in its validationmethods", "CAA at %s lets %s issue, but by neither %s", at, name, strings.Join(missing, " nor "))
		return
	}
	c.ok("CAA at %s lets %s issue", at, name)
	if len(missing) > 0 {
		c.note("", "CAA at %s does not allow the challenge %s", at, missing[0])
	}
	if len(accounts) > 0 && len(accounts) == len(records) { // else one of the records binds no account
		c.note("the account that holdfast makes has to be one of those", "CAA at %s lets only these accounts issue: %s", at, strings.Join(accounts, ", "))
	}
}
