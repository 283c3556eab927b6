package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/http1/forwarded"
	"github.com/holdfast-server/holdfast/http1/secure"
	"github.com/holdfast-server/holdfast/tlsconf"
)

// settings are the checked configuration of a server.
type settings struct {
	Root  string          // not served where there are sites
	Sites []*siteSettings // by host; none for one directory

	Accounts *accountSettings // nil without members

	Pages pageSettings // of the root, and of the sites that do not say otherwise

	HTTPS, HTTP     string // addresses to listen on; "" for none
	ReusePort       bool
	PublicHTTPSPort int    // 0: 443 when the request's Host names no port, else the listener's
	Admin           string // address for probes and metrics; "" for none
	AdminPprof      bool   // profiles too

	TrustedProxies trustedProxies
	ProxyProtocol  bool // they begin connections with it
	ForwardedField forwarded.Source

	Pairs      []certs.Pair
	StateDir   string // "" when there is none, and then StateWhy says why
	StateWhy   string
	StateAsked bool // it was named, rather than found
	SNIUnknown certs.UnknownName
	LocalNames []string // host names as A-labels, and IP addresses

	ACME  acmeSettings
	Store certStore // of certificates, where ACME or replicas want one

	ClusterSecretFile string   // of session tickets; "" for none
	ClientCAs         []string // files; none asks clients for no certificate
	ClientAuth        tlsconf.ClientAuth

	DrainDelay, DrainTimeout                                   time.Duration
	DrainReport                                                string // a file; "" for none
	HeaderTimeout, IdleTimeout, StallTimeout, HandshakeTimeout time.Duration
	MinRate                                                    int // bytes a second; 0 for none

	MaxHeadBytes, MaxFields int
	MaxBodyBytes            int64
	MaxConnections          int
	MaxConnectionsPerIP     int // 0 for no limit

	PIDFile        string // "" for none
	UpgradeTimeout time.Duration

	SecurityHeaders bool
	HSTS            *secure.HSTS // nil for none

	Files      fileSettings // of the directory; the sites have their own
	CacheBytes int64        // of memory for files, in all directories together; 0 for none

	Log           logForm // of the log on stderr and the banner
	LogLevel      slog.Level
	AccessLogForm logForm // of the access log on stdout
	AccessLog     bool

	Inherited  *inheritance // nil for nothing
	Supervisor supervisor
	Rehearsal  bool // http1/rehearsal is mounted: holdfast rehearse alone asks for that
	Demo       bool // the demo site is served: holdfast demo asks for that
	Kubernetes bool // the process runs in a pod
	Version    string
	Warnings   []fault // what does not keep the server from starting
}

// run checks the configuration; the server itself is started by realMain, on the main
// goroutine.
func (*serveCmd) run(c *call) outcome {
	s, faults := c.settings()
	if len(faults) > 0 {
		return outcome{exit: report(c.std.err, append(faults, alsoWrong(s)...))}
	}
	return outcome{serve: s}
}

// settings lays the layers over each other and checks what comes of it. Every fault is
// returned, those of parsing included; with any the settings are not to be used.
func (c *call) settings() (*settings, []fault) {
	s, r := c.read()
	return s, r.faults
}

// read is settings with the reader, from which a command reads what it has beyond them.
func (c *call) read() (*settings, *reader) {
	values, warnings, faults := c.layers()
	r := &reader{values: values, faults: append(c.faults, faults...), elsewhere: c.elsewhere != nil}
	_, isDemo := c.command.(*demoCmd)
	s := &settings{Version: buildVersion().Version, Demo: isDemo, Kubernetes: c.env.kubernetes(), Warnings: warnings}
	s.readListeners(r, c.env.inherited)
	s.readAdmin(r)
	s.readProxies(r)
	s.readForwardedField(r)
	s.readCertificates(r, c.env)
	s.readClocks(r)
	s.readLimits(r, c.env)
	s.readResponseFields(r)
	s.readFiles(r)
	s.readSuccession(r, c.env)
	s.readLogging(r, c)
	s.Pages = r.pages(nil)
	s.readSites(r)
	s.readRoot(r)
	s.Accounts = r.accounts(c.env, s.StateDir, s.StateWhy)
	s.checkTerms(r, c)
	return s, r
}

func (s *settings) readListeners(r *reader, passed *inheritance) {
	s.HTTPS = r.address("https")
	s.HTTP = r.address("http")
	s.ReusePort = r.toggle("reuse-port")
	given := s.inherit(r, passed)
	s.adopt(r, "https", &s.HTTPS)
	s.adopt(r, "http", &s.HTTP)
	s.PublicHTTPSPort = r.count("public-https-port", "", 1, 65535)
	https, http := r.get("https"), r.get("http")
	switch {
	case https.texts[0] == off && http.texts[0] == off && !given:
		r.faults = append(r.faults, fault{
			What: "nothing to listen on", Where: from(https, http), Why: "https and http are both off",
			Mend: "add --http 127.0.0.1:8080, or leave out --https off", Usage: true,
		})
	case clash(s.HTTPS, s.HTTP):
		r.faults = append(r.faults, fault{
			What: "https and http are both on " + s.HTTPS, Where: from(https, http),
			Why: "one address speaks one of them", Mend: "give --http another", Usage: true,
		})
	}
}

// from names where two settings come from.
func from(a, b value) string {
	switch {
	case a.from == "" || a.from == b.from:
		return b.from
	case b.from == "":
		return a.from
	}
	return a.from + ", " + b.from
}

func (r *reader) address(name string) string {
	text, from, ok := r.single(name)
	if !ok {
		return ""
	}
	address, f := parseAddress(text)
	if f != nil {
		r.refuse(name, text, from, f)
	}
	return address
}

func (s *settings) readCertificates(r *reader, env environment) {
	s.Pairs = r.pairs()
	s.StateDir, s.StateWhy = r.stateDir(env)
	s.StateAsked = r.written("state")
	if r.choice("sni-unknown", "reject", "default") == "default" {
		s.SNIUnknown = certs.DefaultForUnknown
	}
	s.LocalNames = r.localNames()
	s.ClusterSecretFile = r.clusterSecretFile()
	s.readClients(r)
	s.readACME(r, env)
}

// pairs puts each certificate beside the key in the same place of its list.
func (r *reader) pairs() (pairs []certs.Pair) {
	before := len(r.faults)
	certFiles, certFrom := r.list("cert")
	keyFiles, keyFrom := r.list("key")
	if len(r.faults) > before {
		return nil
	}
	if len(certFiles) != len(keyFiles) {
		r.faults = append(r.faults, fault{
			What:  fmt.Sprintf("%d certificates and %d keys", len(certFiles), len(keyFiles)),
			Where: from(value{from: certFrom}, value{from: keyFrom}), Usage: true,
			Why: "each --cert needs its --key", Mend: "give both, in the same order (one file may hold both)",
		})
		return nil
	}
	for i := range certFiles {
		pairs = append(pairs, certs.Pair{CertFile: certFiles[i], KeyFile: keyFiles[i]})
	}
	return pairs
}

// stateDir is the directory that was asked for or the usual one, else why there is none.
func (r *reader) stateDir(env environment) (dir, why string) {
	text, from, ok := r.single("state")
	switch {
	case !ok:
		return "", ""
	case from != "" && text == "":
		r.refuse("state", text, from, emptyFlaw())
		return "", ""
	case text != "":
		return text, ""
	}
	dir, err := certs.DefaultStateDir(env.get)
	if err != nil {
		return "", plain(err.Error())
	}
	return dir, ""
}

func (r *reader) localNames() (names []string) {
	texts, from := r.list("local-name")
	for _, text := range texts {
		name, f := parseLocalName(text)
		if f != nil {
			r.refuse("local-name", text, from, f)
			continue
		}
		names = append(names, name)
	}
	return names
}

func (s *settings) readClocks(r *reader) {
	s.DrainDelay = r.duration("drain-delay", 0, time.Hour)
	s.DrainTimeout = r.duration("drain-timeout", 0, 24*time.Hour)
	s.readDrainReport(r)
	s.HeaderTimeout = r.duration("header-timeout", 10*time.Millisecond, time.Hour)
	s.IdleTimeout = r.duration("idle-timeout", 10*time.Millisecond, 24*time.Hour)
	s.StallTimeout = r.duration("stall-timeout", 10*time.Millisecond, 24*time.Hour)
	s.HandshakeTimeout = r.duration("handshake-timeout", 10*time.Millisecond, time.Hour)
	s.MinRate = int(r.size("min-rate", 0, 1e9))
}

func (s *settings) readLimits(r *reader, env environment) {
	s.MaxHeadBytes = int(r.size("max-head-bytes", 1<<10, 1<<20))
	s.MaxFields = r.count("max-fields", "", 1, 10_000)
	s.MaxBodyBytes = r.size("max-body-bytes", 0, 1<<60)
	s.MaxConnectionsPerIP = r.count("max-connections-per-ip", off, 1, connectionsLimit)
	s.MaxConnections = defaultConnections(env.descriptors)
	if r.written("max-connections") {
		s.MaxConnections = r.count("max-connections", "", 1, connectionsLimit)
	}
	if free := env.descriptors - reservedDescriptors(env.descriptors); env.descriptors > 0 && uint64(s.MaxConnections) > free {
		s.Warnings = append(s.Warnings, fault{
			What: fmt.Sprintf("max-connections %d is more than the %d descriptors that are free for them", s.MaxConnections, free),
			Why:  fmt.Sprintf("the limit of open files is %d", env.descriptors),
			Mend: "raise it (ulimit -n, or LimitNOFILE= in a systemd unit)",
		})
	}
}

func (s *settings) readResponseFields(r *reader) {
	s.SecurityHeaders = r.toggle("security-headers")
	s.HSTS = r.hsts()
}

func (r *reader) hsts() *secure.HSTS {
	if text, _, ok := r.single("hsts"); !ok || text == off {
		return nil
	}
	return &secure.HSTS{MaxAge: r.duration("hsts", 0, hstsLimit)}
}

// hstsLimit is ten years: a browser that is told more keeps to it no longer.
const hstsLimit = 10 * 365 * 24 * time.Hour

func (s *settings) readLogging(r *reader, c *call) {
	mode := r.choice("log", "auto", "text", "json")
	s.Log = chooseForm(mode, c.std.err, c.env)
	s.LogLevel = logLevels[r.choice("log-level", "debug", "info", "warn", "error")]
	s.AccessLogForm = chooseForm(mode, c.std.out, c.env)
	s.AccessLog = r.toggle("access-log")
}

// readDrainReport checks that the report will have a place.
func (s *settings) readDrainReport(r *reader) {
	text, from, ok := r.single("drain-report")
	switch {
	case !ok || text == "" && from == "":
		return
	case text == "":
		r.refuse("drain-report", text, from, emptyFlaw())
		return
	}
	s.DrainReport = text
	if r.elsewhere {
		return
	}
	if f := checkReportPath(text); f != nil {
		f.Where = from
		r.faults = append(r.faults, *f)
	}
}

// readRoot checks that there is one directory and that it can be served.
func (s *settings) readRoot(r *reader) {
	v := r.get("root")
	switch {
	case v.kind != textKind:
		_, _, _ = r.single("root")
		return
	case len(v.texts) > 1:
		r.refuse("root", v.texts[1], v.from, &flaw{What: "is one directory too many", Mend: "name one; flags begin with --"})
		return
	case v.texts[0] == "":
		r.refuse("root", "", v.from, emptyFlaw())
		return
	}
	s.Root = v.texts[0]
	switch {
	case s.Demo:
		r.checkDemoSPA(s.Pages.SPA)
		return
	case r.elsewhere || len(s.Sites) > 0:
		return
	}
	if f := checkRoot(s.Root); f != nil {
		f.Where = v.from
		r.faults = append(r.faults, *f)
	}
	r.checkSPA(s.Root, s.Pages.SPA, "")
}

// checkRoot proves that the directory can be listed, which serving it does not need
// but a wrong path or user seldom passes. What may be a file with the right name, a
// FIFO above all, is not opened.
func checkRoot(path string) *fault {
	f := &fault{What: "cannot serve the directory " + quote(path)}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Why, f.Mend = "there is none", "check the path, or make it with mkdir"
		return f
	case err != nil:
		f.Why, f.Mend = reason(err), "let the user that runs holdfast into each directory on the path"
		return f
	case !info.IsDir():
		f.Why, f.Mend = "it is a file", "name the directory it is in"
		return f
	}
	dir, err := os.Open(path)
	if err == nil {
		defer dir.Close()
		_, err = dir.ReadDir(1)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		f.Why, f.Mend = reason(err), "let the user that runs holdfast read it: chmod o+rx, or another user"
		return f
	}
	return nil
}
