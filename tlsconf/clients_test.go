package tlsconf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// More alerts by their number (RFC 8446 §6).
const (
	badCertificate      tls.AlertError = 42
	certificateExpired  tls.AlertError = 45
	unknownCA           tls.AlertError = 48
	certificateRequired tls.AlertError = 116
)

// gatehouse is a server that asks for certificates of one CA.
type gatehouse struct {
	ca     *identity
	file   string
	cas    *ClientCAs
	config *tls.Config
}

func newGatehouse(t *testing.T, auth ClientAuth) *gatehouse {
	t.Helper()
	g := &gatehouse{ca: issue(t, nil, caOf("the harbour's CA", 1000*time.Hour))}
	g.file = file(t, "ca.pem", g.ca.pem())
	g.cas = load(t, g.file)
	g.config = ServerForClients(always(longLived(t)), auth, g.cas)
	return g
}

func load(t *testing.T, files ...string) *ClientCAs {
	t.Helper()
	cas, faults := LoadClientCAs(files, time.Now, slog.New(slog.DiscardHandler))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return cas
}

// showing is a client that shows this certificate whatever the server asks for.
func showing(version uint16, i *identity) *tls.Config {
	c := visitor(version)
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if i == nil {
			return new(tls.Certificate), nil
		}
		return i.tls(), nil
	}
	return c
}

// shown is a certificate that a client has, of a CA that the server trusts or not.
type shown struct {
	name              string
	of                func(t *testing.T, ca *identity) *identity
	required, request tls.AlertError // 0 for none
}

func shownCertificates() []shown {
	of := func(template func(string, time.Duration) *x509.Certificate, name string, life time.Duration) func(*testing.T, *identity) *identity {
		return func(t *testing.T, ca *identity) *identity { return issue(t, ca, template(name, life)) }
	}
	behind := func(first, second func(*testing.T, *identity) *identity) func(*testing.T, *identity) *identity {
		return func(t *testing.T, ca *identity) *identity { return second(t, first(t, ca)) }
	}
	stranger := func(t *testing.T, _ *identity) *identity { return issue(t, nil, caOf("another CA", time.Hour)) }
	nobody := func(*testing.T, *identity) *identity { return nil }
	mary, intermediate := of(clientOf, "mary", time.Hour), of(caOf, "intermediate", time.Hour)
	return []shown{
		{"none", nobody, certificateRequired, 0},
		{"a good one", mary, 0, 0},
		{"a good one behind an intermediate", behind(intermediate, mary), 0, 0},
		{"one of another CA", behind(stranger, mary), unknownCA, unknownCA},
		{"one that signed itself", behind(nobody, mary), unknownCA, unknownCA},
		{"one that has expired", of(clientOf, "late", -time.Minute), certificateExpired, certificateExpired},
		{"one that is not valid yet", func(t *testing.T, ca *identity) *identity {
			early := clientOf("early", 2*time.Hour)
			early.NotBefore = time.Now().Add(time.Hour)
			return issue(t, ca, early)
		}, certificateExpired, certificateExpired},
		{"one for servers", of(leafOf, "a.example", time.Hour), badCertificate, badCertificate},
		{"one behind an expired intermediate", behind(of(caOf, "late", -time.Minute), mary), certificateExpired, certificateExpired},
		{"one behind what is no CA", behind(mary, mary), unknownCA, unknownCA},
	}
}

func TestClientCertificates(t *testing.T) {
	for _, version := range versions {
		for auth, word := range map[ClientAuth]string{RequireCertificate: "is required", RequestCertificate: "is requested"} {
			for _, c := range shownCertificates() {
				want := c.required
				if auth == RequestCertificate {
					want = c.request
				}
				if want == certificateRequired && version == tls.VersionTLS12 {
					want = handshakeFailure // which has no other alert for it
				}
				t.Run(tls.VersionName(version)+" where one "+word+" "+c.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						g := newGatehouse(t, auth)
						_, err := connect(t, g.config, showing(version, c.of(t, g.ca)))
						if want != 0 {
							wantAlert(t, err, want)
						} else if err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	}
}

func TestServerSaysWhichCAsItTakes(t *testing.T) {
	g := newGatehouse(t, RequestCertificate)
	var asked [][]byte
	client := visitor(tls.VersionTLS13)
	client.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = r.AcceptableCAs
		return new(tls.Certificate), nil
	}
	if _, err := connect(t, g.config, client); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || string(asked[0]) != string(g.ca.cert.RawSubject) {
		t.Errorf("%d names, want that of the CA (RFC 8446 §4.2.4)", len(asked))
	}
}

// What is checked at the door is checked of who comes back as well.
func TestResumptionDoesNotSkipVerification(t *testing.T) {
	for _, version := range versions {
		for _, c := range []struct {
			name  string
			until func(t *testing.T, g *gatehouse) // what happens between two visits
			want  tls.AlertError                   // 0: the session resumes
		}{
			{"nothing happens", func(*testing.T, *gatehouse) {}, 0},
			{"a CA is added", func(t *testing.T, g *gatehouse) {
				write(t, g.file, g.ca.pem(), issue(t, nil, caOf("a second CA", time.Hour)).pem())
				reload(t, g)
			}, 0},
			{"its CA is removed", func(t *testing.T, g *gatehouse) {
				write(t, g.file, issue(t, nil, caOf("another CA", time.Hour)).pem())
				reload(t, g)
			}, unknownCA},
			{"its CA is another with the same name", func(t *testing.T, g *gatehouse) {
				write(t, g.file, issue(t, nil, caOf("the harbour's CA", time.Hour)).pem())
				reload(t, g)
			}, unknownCA},
			{"it expires", func(*testing.T, *gatehouse) { <-time.After(2 * time.Hour) }, certificateExpired},
		} {
			t.Run(tls.VersionName(version)+" "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGatehouse(t, RequireCertificate)
					client := showing(version, issue(t, g.ca, clientOf("mary", time.Hour)))
					wantResumed(t, "the first visit", g.config, client, false)
					wantResumed(t, "the second", g.config, client, true)
					c.until(t, g)
					if c.want == 0 {
						wantResumed(t, "the third", g.config, client, true)
						return
					}
					_, err := connect(t, g.config, client)
					wantAlert(t, err, c.want)
				})
			})
		}
	}
}

func reload(t *testing.T, g *gatehouse) {
	t.Helper()
	if err := g.cas.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// crypto/tls has looks of its own at sessions that resume; nothing depends on them.
func TestVerifyConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatehouse(t, RequireCertificate)
		good := issue(t, g.ca, clientOf("mary", time.Hour))
		between := issue(t, g.ca, caOf("intermediate", time.Hour))
		behind := issue(t, between, clientOf("john", time.Hour))
		foreign := issue(t, issue(t, nil, caOf("another CA", time.Hour)), clientOf("mallory", time.Hour))
		resumed := func(certs ...*x509.Certificate) tls.ConnectionState {
			return tls.ConnectionState{DidResume: true, PeerCertificates: certs, VerifiedChains: [][]*x509.Certificate{append(certs, g.ca.cert)}}
		}
		check := func(name string, state tls.ConnectionState, want string) {
			t.Helper()
			err := g.config.VerifyConnection(state)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
		check("a session with a good certificate", resumed(good.cert), "")
		check("and with one behind an intermediate", resumed(behind.cert, between.cert), "")
		check("a session without one", tls.ConnectionState{DidResume: true}, "the client has no certificate")
		check("one that nobody verified", tls.ConnectionState{PeerCertificates: []*x509.Certificate{good.cert}}, "was not verified")
		check("a session with a foreign one", resumed(foreign.cert), "signed by unknown authority")
		check("a session with one for servers", resumed(issue(t, g.ca, leafOf("a.example", time.Hour)).cert), "incompatible key usage")
		if err := g.config.VerifyConnection(resumed(foreign.cert)); !errors.As(err, new(*tls.CertificateVerificationError)) {
			t.Errorf("%T does not tell what it is about", err)
		}
		<-time.After(61 * time.Minute)
		check("a session whose certificate has expired since", resumed(good.cert), "expired")
		write(t, g.file, issue(t, nil, caOf("another CA", 2*time.Hour)).pem())
		reload(t, g)
		check("a session whose CA has gone", resumed(issue(t, g.ca, clientOf("mary", time.Hour)).cert), "signed by unknown authority")
	})
	t.Run("where certificates are requested, none is fine", func(t *testing.T) {
		if err := newGatehouse(t, RequestCertificate).config.VerifyConnection(tls.ConnectionState{}); err != nil {
			t.Error(err)
		}
	})
}

// The Config that answers a hello is not the one that has the ticket keys.
func TestClientCertificatesWithTheClustersKeys(t *testing.T) {
	for _, version := range versions {
		synctest.Test(t, func(t *testing.T) {
			a := newGatehouse(t, RequireCertificate)
			b := &gatehouse{ca: a.ca, file: a.file, cas: load(t, a.file)}
			b.config = ServerForClients(always(longLived(t)), RequireCertificate, b.cas)
			for _, g := range []*gatehouse{a, b} {
				r := newReplica(longLived(t), 0, answer(secretOf(1)))
				r.keys.Config = g.config
				r.run(t)
			}
			synctest.Wait()
			client := showing(version, issue(t, a.ca, clientOf("mary", 100*time.Hour)))
			wantResumed(t, "the first visit, to A", a.config, client, false)
			wantResumed(t, "the second, to B", b.config, client, true)
			<-time.After(13 * time.Hour)
			synctest.Wait()
			wantResumed(t, "after a rotation", a.config, client, true)
			state, err := connect(t, b.config, client)
			if err != nil || !state.DidResume {
				t.Errorf("after that, on B: %v", err)
			}
			write(t, a.file, issue(t, nil, caOf("another CA", time.Hour)).pem())
			reload(t, b)
			_, err = connect(t, b.config, client)
			wantAlert(t, err, unknownCA)
		})
	}
}

func TestLoadClientCAs(t *testing.T) {
	ca := issue(t, nil, caOf("the harbour's CA", time.Hour))
	keyDER, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		t.Fatal(err)
	}
	good := file(t, "ca.pem", "# two of them\n", ca.pem(), issue(t, ca, caOf("intermediate", time.Hour)).pem())
	if cas := load(t, good, file(t, "second.pem", ca.pem())); len(cas.Warnings()) > 0 {
		t.Errorf("warnings %q", cas.Warnings())
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "holds no PEM certificate: give the CA's as PEM"},
		{"text", "hello\n", "holds no PEM certificate"},
		{"DER", string(ca.cert.Raw), "holds no PEM certificate"},
		{"a key", pemText("PRIVATE KEY", keyDER), "holds a private key: give the CA's certificates alone"},
		{"a key behind the certificate", ca.pem() + pemText("EC PRIVATE KEY", keyDER), "holds a private key"},
		{"another block", pemText("X509 CRL\x1b", []byte("x")), "holds a PEM block that is no certificate"},
		{"a certificate that is no CA's", ca.pem() + issue(t, ca, clientOf("mary", time.Hour)).pem(), "number 2 in it (CN=mary) is no CA"},
		{"one cut short", ca.pem()[:200], "is damaged or cut short: copy it again, whole"},
		{"the second cut short", ca.pem() + ca.pem()[:200], "is damaged or cut short"},
		{"a block that is no certificate inside", pemText("CERTIFICATE", []byte("x")), "number 1 in it cannot be read"},
		{"too large", strings.Repeat("#", clientCALimitBytes+1), "is larger than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := file(t, "bad.pem", c.text)
			cas, faults := LoadClientCAs([]string{good, path}, time.Now, slog.New(slog.DiscardHandler))
			if cas != nil || len(faults) != 1 || !strings.Contains(faults[0].Error(), "client CA file "+path) || !strings.Contains(faults[0].Error(), c.want) {
				t.Errorf("got %q, want %s", faults, c.want)
			}
		})
	}
	t.Run("the faults of all files are told at once", func(t *testing.T) {
		_, faults := LoadClientCAs([]string{good + "x", file(t, "bad.pem"), good}, time.Now, slog.New(slog.DiscardHandler))
		if len(faults) != 2 {
			t.Errorf("got %q", faults)
		}
	})
	t.Run("one outside of its dates is a warning, for the clock may be to blame", func(t *testing.T) {
		early := caOf("early", 3*time.Hour)
		early.NotBefore = time.Now().Add(2 * time.Hour)
		cas := load(t, file(t, "ca.pem", issue(t, nil, caOf("late", -time.Minute)).pem(), issue(t, nil, early).pem()))
		if w := cas.Warnings(); len(w) != 2 || !strings.Contains(w[0], "CN=late expired at ") || !strings.Contains(w[1], "CN=early is not valid before ") {
			t.Errorf("warnings %q", w)
		}
	})
}

func TestReloadOfClientCAs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := issue(t, nil, caOf("the first CA", 1000*time.Hour))
		path := file(t, "ca.pem", ca.pem())
		log := new(safeBuffer)
		cas, faults := LoadClientCAs([]string{path}, time.Now, slog.New(slog.NewTextHandler(log, nil)))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- cas.Run(ctx, 10*time.Second) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		trusted := cas.trusted.Load()
		step := func(what string, same bool, said string, times int) {
			t.Helper()
			<-time.After(35 * time.Second)
			synctest.Wait()
			if got := cas.trusted.Load() == trusted; got != same {
				t.Errorf("%s: the CAs are as before: %t", what, got)
			}
			if n := strings.Count(log.text(), said); n != times {
				t.Errorf("%s: the log says %d times %q, want %d:\n%s", what, n, said, times, log.text())
			}
			trusted = cas.trusted.Load()
		}
		step("nothing has changed", true, "client CA", 0)
		write(t, path, ca.pem()[:300])
		step("a broken file keeps what was", true, "damaged or cut short", 1)
		if err := cas.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("whoever asks is told: %v", err)
		}
		write(t, path, issue(t, nil, caOf("the second CA", 1000*time.Hour)).pem())
		step("a good one is used without being asked for", false, "client CAs reloaded", 1)
	})
}
