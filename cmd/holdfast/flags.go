package main

// commandLine declares every command. kong parses it; the help, the environment's names
// and the file's keys are read from the same declaration.
type commandLine struct {
	Serve    serveCmd    `cmd:"" help:"Serve a directory over HTTPS."`
	Demo     demoCmd     `cmd:"" help:"Serve a small site that shows what the server does, with the settings of serve."`
	Rehearse rehearseCmd `cmd:"" help:"Replace this server again and again on the loopback, under load, and count what is lost."`
	Check    checkCmd    `cmd:"" help:"Check a server's configuration, where URLs go, or the Kubernetes manifests around it."`
	Status   statusCmd   `cmd:"" help:"Show what a running server does: phase, connections, requests, certificates."`
	Reload   reloadCmd   `cmd:"" help:"Have a running server read its files again, look where its roots are, and say how that went."`
	Upgrade  upgradeCmd  `cmd:"" help:"Have a running server start the binary that is on disk now, and hand over to it."`
	Stop     stopCmd     `cmd:"" help:"Have a running server drain and end, as SIGTERM does."`
	Doctor   doctorCmd   `cmd:"" help:"Look at this host as a public CA will (DNS, CAA, ports, clock, store), and say what to do."`
	Certs    certsCmd    `cmd:"" help:"The certificates that Holdfast keeps."`
	Users    usersCmd    `cmd:"" help:"The members of a site with [accounts], whether its server runs or not."`
	Explain  explainCmd  `cmd:"" help:"Say what a reason code in a log or a metric means."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// serveCmd declares the settings of a server. Its fields hold what the command line
// said and are read by name, together with the other layers, so that one check serves
// them all: hence everything is text here.
//
// Tags beside kong's own: kube is the default in Kubernetes, public the one elsewhere with
// --domain; computed says, for the help, where a default comes from that is no constant; brief
// marks the flags of -h; bare is what a flag means without a value; alone marks what is no setting:
// no variable and no file has it. needed marks an argument that the command does not do without, and
// says so in its own words; many one that may be there several times.
type serveCmd struct {
	Root []string `arg:"" optional:"" name:"root" default:"." help:"The directory to serve."`

	HTTPS           string `name:"https" group:"Listeners" placeholder:"ADDR" default:"127.0.0.1:8443" kube:":8443" public:":443" brief:"" help:"Listen for HTTPS here: host:port, :port for every address of the machine, or unix:PATH. Port 0 picks a free one; off listens for none."`
	HTTP            string `name:"http" group:"Listeners" placeholder:"ADDR" default:"off" kube:":8080" public:":80" brief:"" help:"Listen for plain HTTP here, to redirect to HTTPS (308). With --https off it serves the directory itself."`
	ReusePort       string `name:"reuse-port" group:"Listeners" placeholder:"on|off" default:"off" help:"Share the ports with other servers of the same user that have this on too (SO_REUSEPORT): to replace one by another that it did not start. The one that leaves sends new connections to another first. Unix sockets are not shared."`
	PublicHTTPSPort string `name:"public-https-port" group:"Listeners" placeholder:"N" computed:"443 when the request's Host names no port, else the HTTPS listener's" help:"The port that redirects name."`

	Admin      string `name:"admin" group:"Administration" placeholder:"ADDR" default:"off" kube:":9090" help:"Answer probes (/livez, /readyz, /startupz) and /metrics here, in plain HTTP and through the whole drain: host:port, :port, unix:PATH, or off. It is not for the public, whose listeners have other ports."`
	AdminPprof string `name:"admin-pprof" group:"Administration" placeholder:"on|off" default:"off" help:"Show profiles at /debug/pprof/ of the admin listener. Whoever reaches it sees what the program does and some of what is in its memory."`

	TrustedProxy   []string `name:"trusted-proxy" group:"Proxies" placeholder:"CIDR" sep:"none" help:"Network or address of a proxy in front, or unix for peers on unix sockets. What it says about whom it speaks for is believed, and nobody else's word. Its connections have no limit per address. Repeatable."`
	ProxyProtocol  string   `name:"proxy-protocol" group:"Proxies" placeholder:"on|off" default:"off" help:"Trusted proxies begin each connection with the PROXY protocol, version 1 or 2: it names the client. Connections from elsewhere are taken as they are."`
	ForwardedField string   `name:"forwarded-field" group:"Proxies" placeholder:"auto|forwarded|x-forwarded-for" default:"auto" help:"Where a trusted proxy writes the client: Forwarded (RFC 7239), or X-Forwarded-For and X-Forwarded-Proto. auto takes either; where both are there and differ, neither is believed, since one of them is the client's own."`

	Cert       []string `name:"cert" group:"Certificates" placeholder:"FILE" sep:"none" computed:"the local CA issues one" brief:"" help:"Certificate chain, PEM, the leaf first. Repeatable, each with its --key; the name that a client asks for picks one, the first is the default."`
	Key        []string `name:"key" group:"Certificates" placeholder:"FILE" sep:"none" brief:"" help:"Private key, PEM, of the --cert in the same place. Both are read again when they change and on SIGHUP."`
	State      string   `name:"state" group:"Certificates" placeholder:"DIR" computed:"$STATE_DIRECTORY, else $XDG_STATE_HOME/holdfast, else ~/.local/state/holdfast" brief:"" help:"Directory that keeps keys and certificates; the local CA's certificate is ca.pem in it, and control.sock takes the commands for a running server."`
	SNIUnknown string   `name:"sni-unknown" group:"Certificates" placeholder:"reject|default" default:"reject" help:"What a client gets that asks for a name without a certificate: the alert unrecognized_name, or the default certificate. A client that names none always gets the default."`
	LocalName  []string `name:"local-name" group:"Certificates" placeholder:"NAME" sep:"none" brief:"" help:"Further host name or address for the local certificate. It has localhost, *.localhost, 127.0.0.1, ::1, the machine's name and the listeners' addresses already. Repeatable."`

	ClusterSecretFile string   `name:"cluster-secret-file" group:"Certificates" placeholder:"FILE" computed:"none: sessions resume in this process alone" help:"A secret that all replicas have, 32 bytes or their 64 hexadecimal digits (openssl rand -hex 32): TLS sessions made on one of them resume on the others, and after an upgrade. It is read again on SIGHUP and twice a day. With --client-ca, who has it can pass for any client that a CA there has signed."`
	ClientCA          []string `name:"client-ca" group:"Certificates" placeholder:"FILE" sep:"none" computed:"none: clients are not asked for certificates" help:"Ask clients for certificates that a CA in this file has signed, PEM. It is read again when it changes and on SIGHUP; who has a session without a good certificate by then cannot resume it. Repeatable."`
	ClientAuth        string   `name:"client-auth" group:"Certificates" placeholder:"require|request" default:"require" help:"What --client-ca means: require refuses clients without a certificate, request serves them too. A certificate that is not good is refused by both. The plain listener asks nobody: what a --trusted-proxy that ends TLS passes on is served."`

	Domain             []string `name:"domain" group:"Public CA" placeholder:"NAME" sep:"none" computed:"none" brief:"" help:"Host name to get and keep a certificate for from a public CA, by ACME. Repeatable, one certificate each: for no other name is one ever ordered. Outside Kubernetes HTTPS is then on :443 and HTTP on :80, unless said otherwise."`
	ACMEAgreeTOS       string   `name:"acme-agree-tos" group:"Public CA" placeholder:"[on|off]" default:"off" bare:"on" help:"You agree to the terms of service of the CA. Without it, the first start on a terminal asks, and a yes is kept in the state directory; any other start fails."`
	ACMEEmail          string   `name:"acme-email" group:"Public CA" placeholder:"ADDRESS" computed:"none" help:"Where the CA may write to you, told to it with the account."`
	ACMEDirectory      string   `name:"acme-directory" group:"Public CA" placeholder:"URL" default:"https://acme-v02.api.letsencrypt.org/directory" help:"The CA's directory (RFC 8555), or staging for the staging CA of Let's Encrypt, whose certificates no browser trusts."`
	ACMERoot           string   `name:"acme-root" group:"Public CA" placeholder:"FILE" computed:"the system's roots" help:"Root certificates, PEM, to trust for the CA's own server: for one of your own."`
	ACMEEABKID         string   `name:"acme-eab-kid" group:"Public CA" placeholder:"ID" computed:"none" help:"The key ID of an account that the CA gave you by other means, where it wants one (external account binding)."`
	ACMEEABKeyFile     string   `name:"acme-eab-key-file" group:"Public CA" placeholder:"FILE" computed:"none" help:"File with the key that came with it, base64url."`
	ACMEProfile        string   `name:"acme-profile" group:"Public CA" placeholder:"NAME" computed:"the CA's choice" help:"Order by this profile of the CA's, such as shortlived."`
	ACMEChallenge      string   `name:"acme-challenge" group:"Public CA" placeholder:"auto|tls-alpn-01|http-01" default:"auto" help:"How to prove that a domain is yours: on the HTTPS listener, which the CA reaches at port 443, or on the plain one, at port 80. auto tries the first, and then the second where there is a plain listener."`
	ACMEFallback       string   `name:"acme-fallback" group:"Public CA" placeholder:"off|local" default:"off" help:"What clients of a domain get until its certificate is there: the alert unrecognized_name, or a certificate of the local CA, which browsers warn of."`
	CertStore          string   `name:"cert-store" group:"Public CA" placeholder:"URL" computed:"dir:PATH with certificates below --state" help:"Where certificates, accounts and their history are kept: dir:PATH; or, for replicas to share, redis://USER:PASSWORD@HOST:PORT/DB, rediss:// for TLS, or kubernetes:NAMESPACE/NAME for a Secret, each with a copy below --state. A password is safer in HOLDFAST_CERT_STORE or the file of --config than here, where ps shows it. From a shared store come session tickets too, unless --cluster-secret-file or --client-ca is given."`
	CertStoreEphemeral string   `name:"cert-store-ephemeral" group:"Public CA" placeholder:"refuse|allow" default:"refuse" help:"What to do where the store does not outlive this process or its container and certificates are ordered from Let's Encrypt: each start would order anew, until its limits shut the domain out for days."`
	ReadyNeedsCert     string   `name:"ready-needs-certificate" group:"Public CA" placeholder:"[on|off]" default:"off" bare:"on" help:"/readyz is 503 until every domain has a certificate. Leave it off where unready means no traffic: then the CA's challenge does not arrive either."`

	Browse     string `name:"browse" group:"Pages" placeholder:"on|off" default:"off" brief:"" help:"List directories that have no index.html: for people, sortable and without scripts, and as JSON for Accept: application/json. Whoever can reach the server sees every name but dotfiles."`
	SPA        string `name:"spa" group:"Pages" placeholder:"FILE" default:"off" help:"Answer with this file of the root, such as index.html, where a browser goes to an address that is no file and whose last part has no dot: a single-page application looks at the address itself. Sent with no-cache. What scripts and programs fetch stays 404."`
	ErrorPages string `name:"error-pages" group:"Pages" placeholder:"on|off" default:"on" help:"Answer errors with the root's 404.html, 403.html, 500.html, 503.html, or 50x.html for both, where they are. The status stays. Clients that ask for JSON get a problem object (RFC 9457) instead, with off too."`

	DrainDelay   string `name:"drain-delay" group:"Drain" placeholder:"D" default:"0s" kube:"15s" help:"After SIGTERM or Ctrl-C, serve on for so long and announce the end on each connection, before the listeners close: a load balancer needs the time to look away. 0s to 1h."`
	DrainTimeout string `name:"drain-timeout" group:"Drain" placeholder:"D" default:"25s" brief:"" help:"Let requests finish for so long once the listeners are closed, then cut connections. 0s to 24h. A supervisor must grant delay + timeout + 1s."`
	DrainReport  string `name:"drain-report" group:"Drain" placeholder:"FILE" help:"At the end of a stop write its report to this file, as JSON, in place of an older one: the phases, each connection and request that was alive at the signal and how it ended, and the totals. Mode 0600. One that cannot be written is a warning and changes no exit code."`

	UpgradeTimeout string `name:"upgrade-timeout" group:"Upgrade" placeholder:"D" default:"60s" help:"How long a successor that holdfast upgrade or SIGUSR2 has started may take until it is ready. 1s to 1h."`
	PIDFile        string `name:"pid-file" group:"Upgrade" placeholder:"FILE" computed:"none" help:"Keep the number of the process that serves in this file: it follows an upgrade, and is removed at the end."`

	HeaderTimeout    string `name:"header-timeout" group:"Timeouts" placeholder:"D" default:"10s" help:"For a whole request head from its first byte, never extended. 10ms to 1h."`
	IdleTimeout      string `name:"idle-timeout" group:"Timeouts" placeholder:"D" default:"60s" help:"For a connection between two requests. 10ms to 24h."`
	StallTimeout     string `name:"stall-timeout" group:"Timeouts" placeholder:"D" default:"30s" help:"For the next bytes of content, either way; each progress renews it. 10ms to 24h."`
	HandshakeTimeout string `name:"handshake-timeout" group:"Timeouts" placeholder:"D" default:"10s" help:"For a TLS handshake. 10ms to 1h."`
	MinRate          string `name:"min-rate" group:"Timeouts" placeholder:"SIZE" default:"240" help:"Least bytes a second of content, either way, after the first 5s; slower connections are cut. 0 to 1GB, 0 for none."`

	MaxHeadBytes        string `name:"max-head-bytes" group:"Limits" placeholder:"SIZE" default:"16KiB" help:"Largest request head. 1KiB to 1MiB."`
	MaxFields           string `name:"max-fields" group:"Limits" placeholder:"N" default:"100" help:"Most field lines in a request head. 1 to 10000."`
	MaxBodyBytes        string `name:"max-body-bytes" group:"Limits" placeholder:"SIZE" default:"1GiB" help:"Largest request content. 0 to 1EiB, 0 accepts none."`
	MaxConnections      string `name:"max-connections" group:"Limits" placeholder:"N" computed:"three quarters of the descriptor limit (ulimit -n) after 64 set aside, at most 100000: the rest is for the files being sent" help:"Most connections at a time; more are refused at once and counted. 1 to 1000000."`
	MaxConnectionsPerIP string `name:"max-connections-per-ip" group:"Limits" placeholder:"N" default:"off" help:"Most connections at a time from one IPv4 address or IPv6 /64, or off. 1 to 1000000."`

	SecurityHeaders string `name:"security-headers" group:"Response fields" placeholder:"on|off" default:"on" help:"Send X-Content-Type-Options: nosniff, Referrer-Policy: strict-origin-when-cross-origin, X-Frame-Options: SAMEORIGIN and, over HTTPS, Cross-Origin-Opener-Policy: same-origin-allow-popups with every response."`
	HSTS            string `name:"hsts" group:"Response fields" placeholder:"D|off" default:"off" help:"Have browsers use HTTPS alone for this host, whatever its port, for so long after each visit (Strict-Transport-Security: max-age). They keep to it when HTTPS here is gone: begin with 1h, and go up to 8760h once all is well; 0s takes it back. Never sent over plain HTTP, for an address, or for localhost and other names that are not public. 0s to 87600h."`

	Compress      string   `name:"compress" group:"Files" placeholder:"on|off" default:"on" help:"Compress texts from 1KiB on for clients that accept zstd or gzip, 8 responses at a time for each core; more are sent as they are, as are ranges."`
	Precompressed string   `name:"precompressed" group:"Files" placeholder:"on|off" default:"on" help:"Send app.js.br, .zst or .gz in place of app.js to clients that accept it. One that is older than its file is not sent."`
	CacheBytes    string   `name:"cache-bytes" group:"Files" placeholder:"SIZE" default:"64MiB" help:"Memory for files of up to 128KiB. What is in it is compared with the disk once a second. 0 to 1TiB, 0 for none."`
	CacheControl  []string `name:"cache-control" group:"Files" placeholder:"GLOB=VALUE" sep:"none" help:"Cache-Control of the files that GLOB is for, of several rules the first: *.css is in every directory, /assets/* in one, ** is all, and {hash} what a build tool puts into a name, so that *.{hash}.*=immutable keeps those for a year. Spaces or commas stand between directives, in the variable spaces alone. Repeatable."`
	Attachment    []string `name:"attachment" group:"Files" placeholder:"GLOB" sep:"none" help:"Have browsers save the files that GLOB is for, rather than show them (Content-Disposition). Repeatable."`
	ETag          string   `name:"etag" group:"Files" placeholder:"time|content|off" default:"time" help:"What entity tags are made of: size and time of the last change, or a hash of the content, for which files of up to 64MiB are read once after each change."`

	Log       string `name:"log" group:"Logging" placeholder:"auto|text|json" default:"auto" brief:"" help:"Form of the log (stderr) and the access log (stdout). auto is text on a terminal, coloured unless NO_COLOR is set, and JSON lines elsewhere."`
	LogLevel  string `name:"log-level" group:"Logging" placeholder:"debug|info|warn|error" default:"info" help:"Least level of the log on stderr. debug tells of each refused message and each broken connection; warn leaves out the start and the stop. The access log has one level and is not changed."`
	AccessLog string `name:"access-log" group:"Logging" placeholder:"on|off" default:"on" brief:"" help:"Write a line for each request to stdout."`

	Config string `name:"config" group:"Configuration" placeholder:"FILE" brief:"" help:"TOML file with these settings: the flags' names without dashes as keys, root for ROOT, an array where a flag is repeatable. Flags and the environment go before it. [[site]] tables serve several hosts, and then there is no ROOT. [accounts] keeps paths for members who sign in."`
}

// demoCmd takes the settings of a server, but no directory.
type demoCmd struct{ serveCmd }

// rehearseCmd takes the settings of a server, and how it is to be rehearsed.
type rehearseCmd struct {
	serveCmd
	Rounds      string `name:"rounds" group:"Rehearsal" placeholder:"N" default:"5" brief:"" help:"Replace a server so many times. 1 to 1000."`
	EndpointLag string `name:"endpoint-lag" group:"Rehearsal" placeholder:"D" default:"200ms" kube:"5s" brief:"" help:"Clients choose a server for so long after it was told to stop, as behind a load balancer that learns late. 0s to 10m."`
	JSON        bool   `name:"json" group:"Rehearsal" brief:"" help:"The result as one JSON object."`
}

// checkCmd takes all that serve takes, so that a command line is tried by changing one
// word of it.
type checkCmd struct {
	Kubernetes []string `name:"kubernetes" group:"Manifests" placeholder:"FILE" sep:"none" alone:"" brief:"" help:"Check these manifests instead: whether grace period, drain, probes, ports, rights and rollout fit the server that they run. A YAML file, a directory of them, or - for stdin. Repeatable: what belongs together is checked together. The settings come from the manifests."`

	serveCmd
}

// doctorCmd takes those settings of a server that decide whether a CA's challenges arrive.
type doctorCmd struct {
	Domain []string `arg:"" optional:"" name:"domain" alone:"" needed:"" many:"" help:"The host names that need a certificate."`

	HTTPS         string   `name:"https" group:"Listeners" placeholder:"ADDR" default:":443" brief:"" help:"Where the server listens for HTTPS, or will: host:port, or off. A port that is free is opened for a moment."`
	HTTP          string   `name:"http" group:"Listeners" placeholder:"ADDR" default:":80" brief:"" help:"The same for plain HTTP."`
	DialHTTPSPort string   `name:"dial-https-port" group:"Listeners" placeholder:"N" default:"443" alone:"" help:"The port that the CA dials for HTTPS, 443 for every public one."`
	DialHTTPPort  string   `name:"dial-http-port" group:"Listeners" placeholder:"N" default:"80" alone:"" help:"The same for plain HTTP, 80 for every public one."`
	Resolver      []string `name:"resolver" group:"DNS" placeholder:"ADDR" sep:"none" alone:"" brief:"" help:"Ask this resolver in place of those of /etc/resolv.conf: an address, with or without a port. Repeatable."`
	ACMEDirectory string   `name:"acme-directory" group:"Certificates" placeholder:"URL" default:"https://acme-v02.api.letsencrypt.org/directory" help:"The CA's directory, or staging for the staging CA of Let's Encrypt."`
	ACMEAgreeTOS  string   `name:"acme-agree-tos" group:"Certificates" placeholder:"[on|off]" default:"off" bare:"on" help:"You agree to the terms of service of the CA: an order is tried then, at the staging CA where Let's Encrypt is meant. So it is where an earlier start of the server was told yes."`
	ACMERoot      string   `name:"acme-root" group:"Certificates" placeholder:"FILE" computed:"the system's roots" help:"Root certificates, PEM, to trust for the CA's own server."`
	CertStore     string   `name:"cert-store" group:"Certificates" placeholder:"URL" computed:"below --state" help:"Where certificates will be kept: dir:PATH. Other stores are not looked at."`
	State         string   `name:"state" group:"Certificates" placeholder:"DIR" computed:"$STATE_DIRECTORY, else $XDG_STATE_HOME/holdfast, else ~/.local/state/holdfast" brief:"" help:"The server's --state: a running server is found by it."`
	Config        string   `name:"config" group:"Configuration" placeholder:"FILE" brief:"" help:"The server's --config."`
	JSON          bool     `name:"json" group:"Output" brief:"" help:"As one JSON object, which is the form wherever the output is no terminal."`
}

type certsCmd struct {
	List    certsListCmd    `cmd:"" name:"list" help:"List the certificates of a running server: their expiry, and when each is renewed and why then."`
	Explain certsExplainCmd `cmd:"" name:"explain" help:"Say why a running server renews the certificate for a host when it does, or why it cannot."`
	Renew   certsRenewCmd   `cmd:"" name:"renew" help:"Have a running server renew the certificate for a host now."`
	CA      certsCACmd      `cmd:"" name:"ca" help:"Print where the local CA's certificate is, and how to trust it."`
	Trust   certsTrustCmd   `cmd:"" name:"trust" help:"Have this machine's programs and browsers trust the local CA."`
	Untrust certsUntrustCmd `cmd:"" name:"untrust" help:"Take out of the stores what certs trust put there."`
}

// trustFlags say which CA is meant, and where to.
type trustFlags struct {
	State  string `name:"state" group:"Certificates" placeholder:"DIR" computed:"$STATE_DIRECTORY, else $XDG_STATE_HOME/holdfast, else ~/.local/state/holdfast" brief:"" help:"The server's --state: its local CA is meant."`
	Config string `name:"config" group:"Configuration" placeholder:"FILE" brief:"" help:"The server's --config, which may name its state directory."`
	Only   string `name:"only" group:"Stores" placeholder:"system|browsers" alone:"" brief:"" help:"The system's store alone, which needs root, or the NSS databases of this user's browsers alone."`
	DryRun bool   `name:"dry-run" group:"Consent" brief:"" help:"Print the commands and run none."`
	Yes    bool   `name:"yes" group:"Consent" brief:"" help:"Do not ask. Without a terminal it is needed."`
}

type certsTrustCmd struct{ trustFlags }

type certsUntrustCmd struct {
	trustFlags
	Fingerprint string `name:"fingerprint" group:"Certificates" placeholder:"SHA256|all" alone:"" brief:"" help:"Instead of the CA in the state directory, take out the one that certs trust put there and whose fingerprint begins so, or all of them: also one that was replaced since, or another server's."`
}

type certsListCmd struct {
	serverFlags
	JSON bool `name:"json" group:"Output" brief:"" help:"As one JSON object."`
}

type certsExplainCmd struct {
	Host []string `arg:"" optional:"" name:"host" alone:"" needed:"" help:"A host name or address that the certificate is for."`
	serverFlags
	JSON bool `name:"json" group:"Output" brief:"" help:"As one JSON object."`
}

type certsRenewCmd struct {
	Host  []string `arg:"" optional:"" name:"host" alone:"" needed:"" help:"A host name or address that the certificate is for."`
	Force bool     `name:"force" group:"Consent" brief:"" help:"Order although the local budget for orders is used up. What the CA has asked to wait is waited all the same."`
	serverFlags
}

// certsCACmd takes those settings of a server that decide about its local CA.
type certsCACmd struct {
	State     string   `name:"state" group:"Certificates" placeholder:"DIR" computed:"$STATE_DIRECTORY, else $XDG_STATE_HOME/holdfast, else ~/.local/state/holdfast" brief:"" help:"The server's --state."`
	LocalName []string `name:"local-name" group:"Certificates" placeholder:"NAME" sep:"none" help:"The server's --local-name: a CA that is made now may sign for it. Repeatable."`
	Config    string   `name:"config" group:"Configuration" placeholder:"FILE" brief:"" help:"The server's --config."`
}

type usersCmd struct {
	Add    usersAddCmd    `cmd:"" name:"add" help:"Make a member. The password is typed without being shown, or read from standard input."`
	List   usersListCmd   `cmd:"" name:"list" help:"List the members: e-mail, quota, sessions, and when each was last seen."`
	Remove usersRemoveCmd `cmd:"" name:"remove" help:"Remove a member and end their sessions."`
	Passwd usersPasswdCmd `cmd:"" name:"passwd" help:"Give a member another password, typed or read from standard input, and end their sessions."`
	Quota  usersQuotaCmd  `cmd:"" name:"quota" help:"Show what a member has used and has left, or set how many requests they have and in which time."`
	Invite usersInviteCmd `cmd:"" name:"invite" help:"Make a code by which somebody can sign up."`
	Export usersExportCmd `cmd:"" name:"export" help:"Write all members as lines of JSON, with their passwords' hashes, for another store."`
	Import usersImportCmd `cmd:"" name:"import" help:"Read members that users export wrote. All of it is checked before any is written."`
}

// usersFlags name the store of the members, by those of a server's settings that do.
type usersFlags struct {
	State  string `name:"state" group:"Store" placeholder:"DIR" computed:"$STATE_DIRECTORY, else $XDG_STATE_HOME/holdfast, else ~/.local/state/holdfast" brief:"" help:"The server's --state: the members are kept there, unless HOLDFAST_ACCOUNTS_STORE or the file of --config names another store."`
	Config string `name:"config" group:"Store" placeholder:"FILE" brief:"" help:"The server's --config, whose [accounts] say where the members are kept."`
}

type usersAddCmd struct {
	Name     []string `arg:"" optional:"" name:"name" alone:"" needed:"" help:"The member's name."`
	Email    string   `name:"email" group:"Member" placeholder:"ADDRESS" alone:"" brief:"" help:"The member's e-mail address. Nobody writes to it."`
	Generate bool     `name:"generate" group:"Member" brief:"" help:"Make a password at random, and print it this once."`
	usersFlags
}

type usersListCmd struct {
	usersFlags
	JSON bool `name:"json" group:"Output" brief:"" help:"As one JSON object."`
}

type usersRemoveCmd struct {
	Name []string `arg:"" optional:"" name:"name" alone:"" needed:"" help:"The member's name."`
	Yes  bool     `name:"yes" group:"Consent" brief:"" help:"Do not ask. Without a terminal it is needed."`
	usersFlags
}

type usersPasswdCmd struct {
	Name     []string `arg:"" optional:"" name:"name" alone:"" needed:"" help:"The member's name."`
	Generate bool     `name:"generate" group:"Member" brief:"" help:"Make a password at random, and print it this once."`
	usersFlags
}

type usersQuotaCmd struct {
	Name  string   `arg:"" optional:"" name:"name" alone:"" needed:"" help:"The member's name."`
	Quota []string `arg:"" optional:"" name:"quota" alone:"" help:"Requests in a time, as 1000/1h; off for no limit; default for that of the site. Without it the quota is shown."`
	usersFlags
	JSON bool `name:"json" group:"Output" brief:"" help:"Show it as one JSON object."`
}

type usersInviteCmd struct {
	Uses  string `name:"uses" group:"Invite" placeholder:"N" default:"1" alone:"" brief:"" help:"How many accounts can be made with it."`
	Valid string `name:"valid" group:"Invite" placeholder:"D" default:"168h" alone:"" brief:"" help:"For how long, to 8784h."`
	usersFlags
}

type usersExportCmd struct {
	Output string `name:"output" group:"Output" placeholder:"FILE" alone:"" brief:"" help:"Write to this file, which must not exist yet and is made for its owner alone (0600)."`
	usersFlags
}

type usersImportCmd struct {
	File    []string `arg:"" optional:"" name:"file" alone:"" help:"What users export wrote; standard input without it."`
	Replace bool     `name:"replace" group:"Consent" brief:"" help:"Members who are there already are replaced, and their sessions end. Else they are a conflict, and nothing is imported."`
	usersFlags
}

// serverFlags name a running server, by those of its settings that say where it listens for
// commands.
type serverFlags struct {
	State  string `name:"state" group:"Server" placeholder:"DIR" computed:"$STATE_DIRECTORY, else $XDG_STATE_HOME/holdfast, else ~/.local/state/holdfast" brief:"" help:"The server's --state: its control socket is there."`
	Config string `name:"config" group:"Server" placeholder:"FILE" brief:"" help:"The server's --config, which may name its state directory."`
}

type statusCmd struct {
	serverFlags
	JSON bool `name:"json" group:"Output" brief:"" help:"As one JSON object."`
}

type reloadCmd struct{ serverFlags }

type upgradeCmd struct{ serverFlags }

type stopCmd struct {
	serverFlags
	Wait    bool   `name:"wait" group:"Waiting" brief:"" help:"Wait until the process has gone, and exit with its exit code."`
	Timeout string `name:"timeout" group:"Waiting" placeholder:"D" default:"10m" alone:"" brief:"" help:"Give up waiting after so long, with --wait. The server goes on stopping. 1s to 48h."`
}

type explainCmd struct {
	Code []string `arg:"" optional:"" name:"code" alone:"" many:"" help:"The reason code, such as bad-chunk-size or unknown-name. Without one, all are listed."`
}

type versionCmd struct {
	JSON bool `name:"json" brief:"" help:"As one JSON object."`
}
