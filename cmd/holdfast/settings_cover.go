package main

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/http1/vhost"
)

// nameSet are names of certificates: hosts as A-labels, "*.NAME" for one more label, addresses.
type nameSet map[string]bool

func setOf(lists ...[]string) nameSet {
	set := make(nameSet)
	for _, list := range lists {
		for _, name := range list {
			set[name] = true
		}
	}
	return set
}

// has tells whether a certificate of these names is good for the host, or for all that a
// wildcard stands for (RFC 9525 §6.3).
func (set nameSet) has(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return set[host] || parent != "" && set["*."+parent]
}

// checkCover warns of hosts of sites that clients cannot reach over TLS, or only those that trust
// the local CA where a certificate that all trust was asked for, and of domains that no site has.
// asked are the local names that were named as such: who names one means the local CA.
func (s *settings) checkCover(r *reader, asked []string) {
	if s.HTTPS == "" || len(s.Sites) == 0 || len(r.faults) > 0 || r.elsewhere && len(s.Pairs) > 0 {
		return
	}
	served := make(nameSet)
	for _, one := range s.Sites {
		hosts := one.allHosts()
		for _, host := range hosts {
			served[host] = true
		}
		if slices.Contains(hosts, vhost.Any) && s.SNIUnknown == certs.RejectUnknown && !r.written("sni-unknown") {
			s.warn(fault{What: `over TLS host "*" has no name that is on no certificate`, Where: one.From,
				Why: "such a client gets the alert unrecognized_name", Mend: "add --sni-unknown default, or say --sni-unknown reject if that is meant"})
		}
	}
	s.checkHosts(asked)
	for _, domain := range s.ACME.Domains {
		if !served.has(domain) && !served[vhost.Any] {
			s.warn(fault{What: "domain " + quote(domain) + " is no site's", Where: r.get("domain").from,
				Why: "its certificate is kept, and every request gets 421", Mend: "add it to the hosts of a site, or leave it out"})
		}
	}
}

func (s *settings) warn(w fault) { s.Warnings = append(s.Warnings, w) }

// checkHosts warns of each site with hosts that the local CA alone has a certificate for.
func (s *settings) checkHosts(asked []string) {
	names := pairNames(s.Pairs)
	if len(s.Pairs) > 0 && len(names) == 0 || len(s.Pairs)+len(s.ACME.Domains) == 0 {
		return // the pairs have faults, which are told elsewhere; or the local CA is what was asked for
	}
	covered := setOf(asked, names, s.ACME.Domains)
	for _, one := range s.Sites {
		bare := slices.DeleteFunc(one.allHosts(), func(host string) bool {
			return host == vhost.Any || isOfThisMachine(host) || covered.has(host)
		})
		if len(bare) > 0 {
			s.warn(fault{What: "only the local CA has a certificate for " + plain(strings.Join(bare, ", ")), Where: one.From,
				Why:  "no --cert and no --domain is for that",
				Mend: "add --domain or a pair for it, or --local-name if that is meant"})
		}
	}
}

// isOfThisMachine tells whether a host is one that nobody else can ask for.
func isOfThisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && address.IsLoopback()
}

// certified are the names for which there will be a certificate, as far as that is known before
// the start.
func (s *settings) certified() nameSet {
	set := setOf(s.LocalNames, pairNames(s.Pairs), s.ACME.Domains)
	if s.usesLocalCA() {
		set["localhost"], set["*.localhost"] = true, true
		if machine, err := os.Hostname(); err == nil && len(s.Pairs)+len(s.ACME.Domains) == 0 {
			set[strings.ToLower(machine)] = true
		}
	}
	return set
}

// pairNames are the names on certificate files, as far as those can be read and the local CA
// can sign for them: a fault there is told by whoever loads them to serve.
func pairNames(pairs []certs.Pair) (names []string) {
	for _, pair := range pairs {
		loaded, errs := certs.LoadFiles([]certs.Pair{pair}, time.Now, nil)
		if len(errs) > 0 {
			continue
		}
		for _, c := range loaded.Certificates() {
			for _, text := range c.Names {
				if name, f := parseLocalName(text); f == nil {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
