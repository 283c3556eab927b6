package acme

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

const (
	// Protocol is the ALPN name of a CA that validates by TLS-ALPN-01 (RFC 8737 §6.2).
	Protocol = "acme-tls/1"

	// PathPrefix is before the token in a request for HTTP-01 (RFC 8555 §8.3).
	PathPrefix = "/.well-known/acme-challenge/"

	// challengeLife is how long an answer is given at most. An attempt ends before, and
	// takes its answers away; this is for one that died.
	challengeLife = 2 * attemptTimeout
	// tokenLimitBytes bounds a token. Those of Let's Encrypt have 43.
	tokenLimitBytes = 128
)

// Challenges answers the CA's challenges (RFC 8555 §8): those of this process from
// memory, and those of the other replicas from the store that they share. It may be
// used from several goroutines.
//
// Only hosts that it was given lead to a look at the store, and of the tokens only those
// that could be one. There is one look a second at most for a host and a kind of
// challenge, whoever asks and for whatever token, and 8 of a kind at a time; each takes
// 2 s at most. An answer that was in the store before somebody asked is found: whoever
// asks waits for a look that began after, 4 s at most.
type Challenges struct {
	hosts  map[string]bool
	shared store.Store
	log    *slog.Logger
	now    func() time.Time
	looks  map[string]*looks // by the name in the store: two for each host

	mu  sync.RWMutex
	own map[string]answer // by the name that it has in the store
}

// NewChallenges answers for hosts, A-labels in lower case. shared may be nil: then only
// this process's challenges are answered.
func NewChallenges(hosts []string, shared store.Store, log *slog.Logger, now func() time.Time) *Challenges {
	c := &Challenges{
		hosts: make(map[string]bool, len(hosts)), shared: shared, log: log, now: now,
		looks: make(map[string]*looks, 2*len(hosts)), own: make(map[string]answer),
	}
	byTLS, byHTTP := make(chan struct{}, lookLimit), make(chan struct{}, lookLimit)
	for _, host := range hosts {
		c.hosts[host] = true
		c.looks[alpnName(host)] = newLooks(alpnName(host), byTLS)
		c.looks[httpName(host)] = newLooks(httpName(host), byHTTP)
	}
	return c
}

// ConfigForClient is for tls.Config.GetConfigForClient of the listeners on which a CA
// may validate. For a hello that offers acme-tls/1 and nothing else (RFC 8737 §3) it
// returns a configuration that answers TLS-ALPN-01 and can negotiate nothing else; for
// every other hello nil, that is, the listener's own configuration, whose NextProtos
// must not list acme-tls/1.
//
// A handshake that ends with NegotiatedProtocol == Protocol is the whole of the
// conversation: the server closes the connection then, whatever arrives on it (RFC 8737
// §3: no application data). The certificate shown is nobody's to trust.
//
// A host without a challenge gets unrecognized_name.
//
// To find that out may take a look at the store, of 4 s at most. Where hello.Conn has
// the method Aside(wait func(context.Context)) error, as that of package conn has, the
// look is taken within it: a server that bounds how many handshakes compute at once must
// not have them wait for the store.
func (c *Challenges) ConfigForClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if !slices.Equal(hello.SupportedProtos, []string{Protocol}) {
		return nil, nil
	}
	return &tls.Config{
		GetCertificate:         c.certificate,
		NextProtos:             []string{Protocol},
		MinVersion:             tls.VersionTLS12, // RFC 8737 §4
		SessionTicketsDisabled: true,
	}, nil
}

// certificate answers TLS-ALPN-01, (nil, nil) where there is nothing to answer.
func (c *Challenges) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := strings.ToLower(hello.ServerName) // crypto/tls has refused one with a trailing dot
	if !c.hosts[host] {
		return nil, nil
	}
	var digest []byte
	var ok bool
	err := aside(hello, func(ctx context.Context) {
		c.find(ctx, alpnName(host), func(a answer) bool {
			digest, ok = a.digest()
			return ok
		})
	})
	if err != nil || !ok {
		return nil, err
	}
	return validationCertificate(host, digest)
}

// aside has wait run outside of what the server limits, where it can.
func aside(hello *tls.ClientHelloInfo, wait func(context.Context)) error {
	if c, ok := hello.Conn.(interface {
		Aside(func(context.Context)) error
	}); ok {
		return c.Aside(wait)
	}
	wait(hello.Context())
	return nil
}

// KeyAuthorization answers HTTP-01: the body for a request whose Host is host, with or
// without a port, and whose path ends in token. It is served with any media type
// (RFC 8555 §8.3) and status 200.
func (c *Challenges) KeyAuthorization(ctx context.Context, host, token string) (body string, ok bool) {
	host = bareHost(host)
	if !c.hosts[host] || !isToken(token) {
		return "", false
	}
	// What a host has is for one token and may be given out for no other.
	found, ok := c.find(ctx, httpName(host), func(a answer) bool { return strings.HasPrefix(a.Response, token+".") })
	return found.Response, ok
}

// Token returns the token that a request's path asks for; false for paths that are no
// business of HTTP-01. The path is as it came, before any decoding: a token has nothing
// to decode.
func Token(path string) (token string, ok bool) {
	token, ok = strings.CutPrefix(path, PathPrefix)
	if !ok || !isToken(token) {
		return "", false
	}
	return token, true
}

// isToken tells what RFC 8555 §8.3 allows: the base64url alphabet.
func isToken(s string) bool {
	if s == "" || len(s) > tokenLimitBytes {
		return false
	}
	for _, b := range []byte(s) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_':
		default:
			return false
		}
	}
	return true
}

// bareHost is a Host field's host as hosts are compared: without port and trailing dot,
// in lower case (RFC 9110 §4.2.3).
func bareHost(host string) string {
	if bare, _, err := net.SplitHostPort(host); err == nil {
		host = bare
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// find looks at home first, and then in the shared store, for an answer that fits and has
// not ended.
func (c *Challenges) find(ctx context.Context, name string, fits func(answer) bool) (answer, bool) {
	c.mu.RLock()
	found, ok := c.own[name]
	c.mu.RUnlock()
	if ok && !found.expired(c.now()) && fits(found) {
		return found, true
	}
	if c.shared == nil {
		return answer{}, false
	}
	found, ok = c.looks[name].ask(ctx, c)
	if !ok || found.expired(c.now()) || !fits(found) {
		return answer{}, false
	}
	return found, true
}

// keyAuthorizationDigest is what TLS-ALPN-01 shows (RFC 8737 §3).
func keyAuthorizationDigest(keyAuthorization string) []byte {
	sum := sha256.Sum256([]byte(keyAuthorization))
	return sum[:]
}
