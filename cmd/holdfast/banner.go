package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// listening is what there is to say once the server accepts connections.
type listening struct {
	HTTPS, HTTP, Admin net.Addr // real addresses; nil without that listener
	Root               string

	// The certificate that a client without SNI gets; empty and zero without HTTPS.
	CertSource string
	CertExpiry time.Time
	Domains    []string // that a public CA issues for
	CAPath     string   // of the local CA's certificate; empty when it is kept nowhere or not used

	Version string
	Now     time.Time
}

// banner says that the server listens: in lines for people on w, or, in JSON form, as
// one record "listening" of the log.
func banner(w io.Writer, log *slog.Logger, form logForm, l listening) {
	if form == jsonForm {
		log.Info("listening", l.attributes()...)
		return
	}
	_, _ = io.WriteString(w, l.text())
}

// attributes are the record's. Its keys are stable.
func (l *listening) attributes() []any {
	attributes := []any{"urls", l.urls(), "root", l.Root, "version", l.Version}
	if l.HTTPS != nil {
		attributes = append(attributes, "https", addressText(l.HTTPS))
	}
	if l.HTTP != nil {
		attributes = append(attributes, "http", addressText(l.HTTP))
	}
	if l.Admin != nil {
		attributes = append(attributes, "admin", addressText(l.Admin))
	}
	if l.CertSource != "" {
		attributes = append(attributes, "cert_source", l.CertSource, "cert_expiry", l.CertExpiry.UTC())
	}
	if len(l.Domains) > 0 {
		attributes = append(attributes, "domains", l.Domains)
	}
	if l.CAPath != "" {
		attributes = append(attributes, "ca", l.CAPath)
	}
	return attributes
}

func (l *listening) urls() (urls []string) {
	if l.HTTPS != nil {
		urls = append(urls, listenerURL("https", l.HTTPS))
	}
	if l.HTTP != nil {
		urls = append(urls, listenerURL("http", l.HTTP))
	}
	return urls
}

func (l *listening) text() string {
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "  %-12s %s\n", name, text) }
	fmt.Fprintf(&b, "\nHoldfast %s\n", l.Version)
	if l.HTTPS != nil {
		line("https", listenerURL("https", l.HTTPS)+reach(l.HTTPS))
	}
	if l.HTTP != nil {
		line("http", listenerURL("http", l.HTTP)+reach(l.HTTP)+l.redirects())
	}
	if l.Admin != nil {
		line("admin", listenerURL("http", l.Admin)+reach(l.Admin))
	}
	line("serves", plain(l.Root))
	if l.CertSource != "" {
		line("certificate", plain(l.CertSource)+", expires "+l.expiry())
	}
	if len(l.Domains) > 0 {
		line("domains", plain(strings.Join(l.Domains, ", ")))
	}
	if l.CertSource == "" && len(l.Domains) > 0 {
		line("certificate", "none yet: it is being ordered")
	}
	if l.CAPath != "" && l.HTTPS != nil {
		line("try", "curl --cacert "+shellWord(l.CAPath)+curlTarget(l.HTTPS))
		line("trust", "holdfast certs ca --state "+shellWord(filepath.Dir(l.CAPath)))
	}
	b.WriteString("  Ctrl-C to stop, again to force\n\n")
	return b.String()
}

func (l *listening) redirects() string {
	if l.HTTPS == nil {
		return ""
	}
	return " (redirects to https)"
}

func (l *listening) expiry() string {
	date := l.CertExpiry.UTC().Format("2006-01-02 15:04 UTC")
	switch left := l.CertExpiry.Sub(l.Now); {
	case left <= 0:
		return date + " (it has expired)"
	case left < 48*time.Hour:
		return date + " (in " + strconv.Itoa(int(left/time.Hour)) + " hours)"
	default:
		return date + " (in " + strconv.Itoa(int(left/(24*time.Hour))) + " days)"
	}
}

// listenerURL is a URL under which this machine reaches the listener. A wildcard address
// is none that a browser takes everywhere: it becomes localhost, which is also on
// the local certificate. A unix socket has no URL, and its address stands for one.
func listenerURL(scheme string, addr net.Addr) string {
	if addr.Network() == "unix" {
		return plain(addressText(addr))
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return scheme + "://" + plain(addr.String()) + "/"
	}
	host := at.Addr().Unmap().String()
	if at.Addr().IsUnspecified() {
		host = "localhost"
	} else if strings.Contains(host, ":") {
		host = "[" + strings.ReplaceAll(host, "%", "%25") + "]" // RFC 6874 §2
	}
	usual := map[string]uint16{"https": 443, "http": 80}[scheme]
	if at.Port() != usual {
		host += ":" + strconv.Itoa(int(at.Port()))
	}
	return scheme + "://" + host + "/"
}

// curlTarget is what curl asks for to reach the TLS listener.
func curlTarget(addr net.Addr) string {
	if addr.Network() == "unix" {
		return " --unix-socket " + shellWord(addr.String()) + " https://localhost/"
	}
	return " " + listenerURL("https", addr)
}

// reach adds what the URL does not say of a wildcard.
func reach(addr net.Addr) string {
	if at, err := netip.ParseAddrPort(addr.String()); err == nil && at.Addr().IsUnspecified() {
		return " (on every address of this machine)"
	}
	return ""
}

// shellWord quotes s for a POSIX shell where that is needed.
func shellWord(s string) string {
	special := func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("/._-+=:@%,", r)
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
