package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/redirect"
	"github.com/holdfast-server/holdfast/http1/session"
)

// isURL tells a URL among the words of a command line from a directory.
func isURL(word string) bool {
	scheme, _, ok := strings.Cut(word, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// takeURLs takes the URLs out of what was given as ROOT.
func (c *call) takeURLs() (urls []string) {
	words, ok := c.given["root"]
	if !ok {
		return nil
	}
	for _, word := range words {
		if isURL(word) {
			urls = append(urls, word)
		}
	}
	if words = slices.DeleteFunc(words, isURL); len(words) == 0 {
		delete(c.given, "root")
	} else {
		c.given["root"] = words
	}
	return urls
}

// trace prints where each URL goes, by asking the handlers that serve would have, for HEAD.
func (s *settings) trace(w io.Writer, urls []string) (faults []fault) {
	h := &house{log: slog.New(slog.DiscardHandler)}
	defer h.close()
	if faults = h.openRoots(s); len(faults) > 0 {
		return faults
	}
	t := &tracer{settings: s, certified: s.certified()}
	directories := h.follow(s)
	for i, directory := range directories {
		directories[i] = t.noting(s.roots()[i], s.pagesOf(i), directory)
	}
	var m members
	if a := s.Accounts; a != nil {
		if faults = m.join(a, session.NewMemory(), s.roots()[0], h.log); len(faults) > 0 {
			return faults
		}
	}
	all, guard := s.handler(m.before(directories))
	t.direct, t.redirecting = all, guard(redirect.ToHTTPS{Port: s.PublicHTTPSPort, ListenerPort: s.httpsPort(), Site: all})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	for _, text := range urls {
		if f := t.ask(table, text); f != nil {
			faults = append(faults, *f)
		}
	}
	return faults
}

// A tracer asks handlers and notes which file they were at.
type tracer struct {
	settings            *settings
	direct, redirecting http1.Handler // of the listener that serves, and the plain one beside HTTPS
	certified           nameSet
	path                string // that a directory was asked for, decoded
	file, root          string
	pages               pageSettings // of the root
}

// noting is a directory's handler that notes the path it is asked for.
func (t *tracer) noting(root string, pages pageSettings, next http1.Handler) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		path, err := url.PathUnescape(r.Path())
		if err != nil {
			path = r.Path()
		}
		if t.file = filepath.Join(root, filepath.FromSlash(path)); strings.HasSuffix(path, "/") {
			t.file = filepath.Join(t.file, "index.html")
		}
		t.path, t.root, t.pages = path, root, pages
		next.Serve(w, r)
	})
}

// ask prints a line for one URL.
func (t *tracer) ask(w io.Writer, text string) *fault {
	u, err := url.Parse(text)
	odd := func(c rune) bool { return c <= ' ' || c >= 0x7F || strings.ContainsRune(`"<>\^`+"`{|}", c) } // the parser's 400
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsFunc(text, odd) || !isPort(u.Port()) || strings.HasSuffix(u.Host, ":") {
		return &fault{What: quote(text) + " is no URL that a client could ask for", Mend: "write it percent-encoded, as https://HOST/PATH", Usage: true}
	}
	address, handler := t.settings.HTTPS, t.direct
	if u.Scheme == "http" {
		address = t.settings.HTTP
		if t.settings.HTTPS != "" {
			handler = t.redirecting
		}
	}
	if address == "" {
		fmt.Fprintf(w, "%s\t-\tnothing listens for %s\n", plain(text), u.Scheme)
		return nil
	}
	target, _, _ := strings.Cut(text[len(u.Scheme+"://"+u.Host):], "#")
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	t.file = ""
	answer := http1test.Do(handler, http1test.Request{Method: "HEAD", Target: target, Authority: u.Host, Secure: u.Scheme == "https",
		Fields: []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}}) // as a person goes there
	fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", plain(text), answer.Status, t.destination(answer), words(t.by(answer), t.handshake(u)))
	return nil
}

// isPort tells whether a URL's port is one, or left out.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

// handshake says where a client does not get as far as to ask. One that has an address for the
// host sends no name.
func (t *tracer) handshake(u *url.URL) string {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if _, err := netip.ParseAddr(host); err == nil || u.Scheme != "https" || t.settings.SNIUnknown != certs.RejectUnknown || t.certified.has(host) {
		return ""
	}
	return "(no certificate has this host: the handshake ends with unrecognized_name)"
}

// destination is the place that a redirect names, or the file.
func (t *tracer) destination(r *http1test.Response) string {
	switch location := r.Get("Location"); {
	case t.wantsMember(location):
		return "wants a member"
	case t.file == "" && r.Status == 200 && t.settings.Accounts != nil:
		return "a page for members"
	case location != "":
		return "to " + plain(location)
	case r.Status == 421:
		return "no site has this host"
	case r.Status == 404 && t.file != "":
		return t.missing()
	case t.file != "":
		return t.served()
	}
	return ""
}

// missing says that there is no file, or why one that is there is not served.
func (t *tracer) missing() string {
	segments := strings.Split(strings.Trim(t.path, "/"), "/")
	for i, segment := range segments {
		switch {
		case segment == "." || segment == ".." || segment == "" && len(segments) > 1 || strings.ContainsAny(segment, "\\\x00"):
			return "nothing: the path is not clean"
		case strings.HasPrefix(segment, ".") && (i > 0 || segment != ".well-known"):
			return "nothing: names that begin with a dot are not served"
		}
	}
	if _, err := os.Lstat(t.file); err != nil {
		return "no file " + plain(t.file)
	}
	return "not file " + plain(t.file) + ": a link on the way leads out of the root, or is absolute"
}

// served is what a directory's handler answered with: the file that was asked for, or what it has
// in place of one.
func (t *tracer) served() string {
	if _, err := os.Stat(t.file); err == nil {
		return "file " + plain(t.file)
	}
	directory, _ := filepath.Split(t.file)
	if _, err := os.Stat(directory); err == nil && t.pages.Browse && filepath.Base(t.file) == "index.html" {
		return "listing of " + plain(directory)
	}
	if t.pages.SPA != "" {
		return "file " + plain(filepath.Join(t.root, t.pages.SPA)) + " (spa)"
	}
	return "file " + plain(t.file)
}

// by is the site and the rule that decided.
func (t *tracer) by(r *http1test.Response) string {
	for _, one := range t.settings.Sites {
		if rule, ok := one.Named[r.Route]; ok {
			return "site " + plain(one.Name) + ", " + rule
		}
		if one.Name == r.Route {
			return "site " + plain(one.Name) + " (" + one.From + ")"
		}
	}
	return ""
}

// httpsPort is the port that redirects may name, as far as it is known before it is bound.
func (s *settings) httpsPort() int {
	_, text, err := net.SplitHostPort(s.HTTPS)
	if err != nil {
		return 443
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		port, _ = net.LookupPort("tcp", text)
	}
	return port
}
