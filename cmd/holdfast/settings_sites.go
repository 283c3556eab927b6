package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/secure"
	"github.com/holdfast-server/holdfast/http1/vhost"
)

// siteSettings are those of one [[site]] of the file.
type siteSettings struct {
	From  string // file:line
	Name  string // in metrics and the access log
	Hosts []string
	Root  string
	Pages pageSettings
	WWW   map[string]string // hosts that lead to another of Hosts
	Files fileSettings
	// SecurityHeaders and HSTS stand in place of the server's.
	SecurityHeaders bool
	HSTS            *secure.HSTS // nil for none

	Rules  *vhost.Rules      // without what they stand in front of
	Doubts []fault           // what may not be meant
	Named  map[string]string // what does the rules' work, by the names of their routes
}

// The keys of a site and of its rules, and what they are where they are left out.
var (
	siteKeys = map[string]string{"hosts": "", "root": "", "name": "", "redirect-www": off, "hsts": "", "security-headers": "",
		"browse": "", "spa": "", "error-pages": "",
		"compress": "", "precompressed": "", "etag": "", "cache-control": "", "attachment": ""}
	ruleKeys = map[string]map[string]string{
		"redirect": {"from": "", "to": "", "status": "308"},
		"rewrite":  {"from": "", "to": ""},
	}
)

// readSites reads the sites of the file. Where there are any, each has its root, and the
// server none beside them.
func (s *settings) readSites(r *reader) {
	owners := make(map[string]string) // where a host was named
	names, asked := make(map[string]bool), slices.Clone(s.LocalNames)
	for _, t := range r.values["site"].tables {
		one, before := r.site(t, s), len(r.faults)
		for _, host := range one.allHosts() {
			if owner, ok := owners[host]; ok {
				r.faults = append(r.faults, fault{What: "host " + quote(host) + " is in two sites", Where: owner + ", " + one.From,
					Why: "one of them answers for it", Mend: "leave it in one of them", Usage: true})
			}
			owners[host] = one.From
			if host != vhost.Any && !slices.Contains(s.LocalNames, host) {
				s.LocalNames = append(s.LocalNames, host)
			}
		}
		if one.Name != "" && names[one.Name] && len(r.faults) == before { // a host twice is a name twice, and told already
			r.refuse("name", one.Name, one.From, &flaw{What: "is another site's too", Mend: "choose another"})
		}
		names[one.Name] = true
		s.Sites = append(s.Sites, one)
		s.Warnings = append(s.Warnings, one.Doubts...)
	}
	if v := r.values["root"]; len(s.Sites) > 0 && v.from != "" {
		r.refuse("root", strings.Join(v.texts, " "), v.from, &flaw{What: "serves no host beside sites",
			Why: "each [[site]] has a root", Mend: "leave it out, or make a [[site]] of it with hosts = [\"*\"]"})
	}
	s.checkCover(r, asked)
}

// allHosts are those that the site answers for, the ones that only lead to others included.
func (one *siteSettings) allHosts() []string {
	hosts := slices.Clone(one.Hosts)
	for _, host := range slices.Sorted(maps.Keys(one.WWW)) {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// answersAt tells whether a URL of this scheme and authority is one of the site. Which server has
// a port that is not the listener's, nobody here knows.
func (s *settings) answersAt(one *siteSettings, scheme, authority string) bool {
	address := map[string]string{"https": s.HTTPS, "http": s.HTTP}[scheme]
	if address == "" {
		return false
	}
	if _, port, err := net.SplitHostPort(authority); err == nil {
		if _, own, err := net.SplitHostPort(address); err != nil || port != own {
			return false
		}
	}
	var hosts vhost.Hosts
	for _, host := range one.allHosts() {
		if host != vhost.Any { // it may be another site's, or nobody's
			_ = hosts.Add(host, http1.HandlerFunc(func(*http1.Response, *http1.Request) {}))
		}
	}
	return hosts.Find([]byte(authority)) != nil
}

// tablesWithin says which tables there may be in another, by its name.
var tablesWithin = map[string]string{"site": "a site has [[site.redirect]] and [[site.rewrite]]", "accounts": "[accounts] has no tables in it"}

// within is a reader of a table's values, whose faults have to be taken back.
func (r *reader) within(t table, kind string, keys map[string]string, inner ...string) *reader {
	head := "[[" + kind + "]]"
	if kind == "accounts" {
		head = "[accounts]"
	}
	in := &reader{values: make(map[string]value), elsewhere: r.elsewhere}
	for key, usual := range keys {
		in.values[key] = value{texts: []string{usual}}
	}
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		v := t.values[key]
		if _, known := keys[key]; known {
			in.values[key] = v
			continue
		}
		if slices.Contains(inner, key) {
			in.faults = append(in.faults, fault{What: quote("["+kind+"."+key+"]") + " is no array of tables", Where: v.from, Usage: true,
				Mend: "write [[" + kind + "." + key + "]] above the keys of each"})
			continue
		}
		in.faults = append(in.faults, fault{What: "unknown key " + quote(key) + " in " + head, Where: v.from, Usage: true,
			Mend: suggest(key, append(slices.Sorted(maps.Keys(keys)), inner...), "", "it has "+strings.Join(slices.Sorted(maps.Keys(keys)), ", "))})
	}
	for _, key := range slices.Sorted(maps.Keys(t.tables)) {
		if !slices.Contains(inner, key) {
			in.faults = append(in.faults, fault{What: "unknown table " + quote("[["+kind+"."+key+"]]"), Where: t.tables[key][0].from, Usage: true,
				Mend: suggest(key, inner, "", tablesWithin[kind])})
		}
	}
	return in
}

// site reads a table. What it does not say of its files and pages is as in the server's settings.
func (r *reader) site(t table, server *settings) *siteSettings {
	in := r.within(t, "site", siteKeys, "redirect", "rewrite")
	one := &siteSettings{From: t.from, Rules: new(vhost.Rules), Named: make(map[string]string), WWW: make(map[string]string)}
	one.Hosts = in.hosts(t.from)
	one.Name = in.siteName(one.Hosts)
	one.Root = in.siteRoot(t.from)
	one.Pages = in.pages(&server.Pages)
	in.checkSPA(one.Root, one.Pages.SPA, t.from)
	if in.toggle("redirect-www") {
		in.www(one)
	}
	in.responseFields(one, server)
	one.Files = in.files(server.Files, true)
	for _, kind := range []string{"redirect", "rewrite"} {
		for _, rule := range t.tables[kind] {
			in.rule(one, kind, rule)
		}
	}
	own := func(scheme, authority string) bool { return server.answersAt(one, scheme, authority) }
	for _, rule := range one.Rules.Circling(own) {
		in.refuse("to", rule.To, rule.Place, &flaw{What: "leads to where the redirect from " + quote(rule.From) + " applies again",
			Why: "a client would go round for ever", Mend: "lead out of the pattern, or narrow that"})
	}
	r.faults = append(r.faults, in.faults...)
	return one
}

// responseFields reads what a site says of them in place of the server.
func (r *reader) responseFields(one *siteSettings, server *settings) {
	one.SecurityHeaders, one.HSTS = server.SecurityHeaders, server.HSTS
	if r.written("security-headers") {
		one.SecurityHeaders = r.toggle("security-headers")
	}
	if r.written("hsts") {
		one.HSTS = r.hsts()
	}
}

// hosts reads the names of a site; from is the site's place.
func (r *reader) hosts(from string) (hosts []string) {
	if !r.written("hosts") {
		r.faults = append(r.faults, fault{What: "a [[site]] without hosts", Where: from, Usage: true,
			Why: "nothing says which requests are for it", Mend: `add hosts = ["example.org"], or "*" for all that are left`})
		return nil
	}
	texts, where := r.list("hosts")
	for _, text := range texts {
		host, f := text, (*flaw)(nil)
		if text != vhost.Any {
			host, f = parseLocalName(text)
		}
		if f != nil {
			f.Mend = `write a name such as "example.org", "*.example.org" or "*", or an address such as "2001:db8::1"`
		}
		switch {
		case f != nil:
			r.refuse("hosts", text, where, f)
		case slices.Contains(hosts, host):
			r.refuse("hosts", text, where, &flaw{What: "is there twice", Mend: "leave one of them out"})
		default:
			hosts = append(hosts, host)
		}
	}
	if len(texts) == 0 && len(r.faults) == 0 {
		r.refuse("hosts", "", where, emptyFlaw())
	}
	return hosts
}

// routesOfOurs are names in metrics and the access log that are no site's.
var routesOfOurs = []string{filesRoute, redirectRoute, adminRoute, vhost.Misdirected}

// siteName is what metrics and the access log call a site: its first host unless it is given.
func (r *reader) siteName(hosts []string) string {
	name, from, ok := r.single("name")
	odd := func(c rune) bool {
		return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-._", c)
	}
	switch {
	case !ok || from == "" && len(hosts) == 0:
		return ""
	case from == "":
		return hosts[0]
	case name == "":
		r.refuse("name", name, from, emptyFlaw())
	case len(name) > siteNameLimitBytes || strings.ContainsFunc(name, odd):
		r.refuse("name", name, from, &flaw{What: "is no name for a site", Why: "it is a word in metrics and the access log",
			Mend: fmt.Sprintf("use up to %d letters, digits, - . and _", siteNameLimitBytes)})
	case slices.Contains(routesOfOurs, name):
		r.refuse("name", name, from, &flaw{What: "is a route of the server's own", Why: "metrics and the access log could not tell them apart", Mend: "choose another"})
	default:
		return name
	}
	return ""
}

// siteNameLimitBytes is the longest host name, which a site may be called by.
const siteNameLimitBytes = 253

func (r *reader) siteRoot(from string) string {
	root, where, ok := r.single("root")
	switch {
	case !ok:
	case where == "":
		r.faults = append(r.faults, fault{What: "a [[site]] without a root", Where: from, Usage: true,
			Why: "there is no directory to serve", Mend: `add root = "…"`})
	case root == "":
		r.refuse("root", root, where, emptyFlaw())
	case !r.elsewhere:
		if f := checkRoot(root); f != nil {
			f.Where = where
			r.faults = append(r.faults, *f)
		}
	}
	return root
}

// www has the hosts' names with www before them lead to them.
func (r *reader) www(one *siteSettings) {
	for _, host := range one.Hosts {
		if _, err := netip.ParseAddr(host); err != nil && !strings.HasPrefix(host, "www.") && !strings.HasPrefix(host, "*") {
			one.WWW["www."+host] = host
		}
	}
	if len(one.WWW) == 0 && len(one.Hosts) > 0 {
		r.refuse("redirect-www", "on", r.get("redirect-www").from, &flaw{What: "has nowhere to lead to",
			Why: "hosts has no name without www", Mend: "add the name without www to hosts"})
	}
}

// rule adds a [[site.redirect]] or [[site.rewrite]].
func (r *reader) rule(one *siteSettings, kind string, t table) {
	in := r.within(t, "site."+kind, ruleKeys[kind])
	defer func() { r.faults = append(r.faults, in.faults...) }()
	from, fromWhere, fromOK := in.single("from")
	to, toWhere, toOK := in.single("to")
	rule := vhost.Rule{From: from, To: to, Name: one.Name + " " + from, Place: t.from}
	statusWhere := ""
	if kind == "redirect" {
		var text string
		text, statusWhere, _ = in.single("status", integerKind)
		rule.Status, _ = strconv.Atoi(text)
		if rule.Status == 0 {
			rule.Status = -1 // 0 is a rewrite's
		}
	}
	for key, missing := range map[string]bool{"from": fromOK && fromWhere == "", "to": toOK && toWhere == ""} {
		if missing {
			in.faults = append(in.faults, fault{What: "a [[site." + kind + "]] without " + key, Where: t.from, Usage: true,
				Mend: `add ` + key + ` = "/…"`})
		}
	}
	if len(in.faults) > 0 {
		slices.SortFunc(in.faults, func(a, b fault) int { return strings.Compare(a.What, b.What) })
		return
	}
	switch err := one.Rules.Add(rule); {
	case errors.Is(err, vhost.ErrStatus):
		in.refuse("status", in.get("status").texts[0], statusWhere, &flaw{What: "is none of a redirect", Mend: "write 301, 302, 303, 307 or 308"})
	case errors.Is(err, vhost.ErrTo):
		in.refuse("to", to, toWhere, &flaw{What: "leads nowhere", Why: plain(err.Error()), Mend: `write a path such as "/new/{name}", with names of from`})
	case err != nil:
		in.refuse("from", from, fromWhere, &flaw{What: "cannot be a rule's", Why: plain(err.Error()), Mend: `write it as "/old/{name}" or "GET /old/{rest...}", and so that one rule is narrower than the other`})
	default:
		if strings.Contains(from, "*") {
			one.Doubts = append(one.Doubts, fault{What: "from " + quote(from) + " takes a star for itself", Where: fromWhere,
				Why: "it stands for nothing in a pattern", Mend: "write {rest...} at the end, or {name} for one segment"})
		}
		one.Named[rule.Name] = fmt.Sprintf("%s %s (%s)", kind, plain(from), t.from)
	}
}
