package main

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/forwarded"
	"github.com/holdfast-server/holdfast/http1/secure"
	"github.com/holdfast-server/holdfast/tlsconf"
)

// A layerRow gives one setting a different value in each layer.
type layerRow struct {
	name            string
	flag, env, file string // file is the TOML value
	get             func(*settings) any
	// What the settings hold then.
	fromFlag, fromEnv, fromFile, byDefault, inKubernetes any
}

// layerRows has a row for each setting of a server but the pair of cert and key, which
// come together, and config. same is a default that Kubernetes does not change.
var layerRows = []layerRow{
	{"https", ":1", ":2", `":3"`, func(s *settings) any { return s.HTTPS }, ":1", ":2", ":3", "127.0.0.1:8443", ":8443"},
	{"http", ":1", ":2", `":3"`, func(s *settings) any { return s.HTTP }, ":1", ":2", ":3", "", ":8080"},
	{"reuse-port", "on", "on", `true`, func(s *settings) any { return s.ReusePort }, true, true, true, false, nil},
	{"public-https-port", "1", "2", `3`, func(s *settings) any { return s.PublicHTTPSPort }, 1, 2, 3, 0, nil},
	{"admin", ":1", "unix:/run/a", `":3"`, func(s *settings) any { return s.Admin }, ":1", "unix:/run/a", ":3", "", ":9090"},
	{"admin-pprof", "off", "on", `true`, func(s *settings) any { return s.AdminPprof }, false, true, true, false, nil},
	{"trusted-proxy", "10.0.0.0/8", "::1, unix", `["192.0.2.1", "10.0.0.0/8"]`, func(s *settings) any { return s.TrustedProxies },
		trusted(false, "10.0.0.0/8"), trusted(true, "::1/128"), trusted(false, "192.0.2.1/32", "10.0.0.0/8"), trustedProxies{}, nil},
	{"proxy-protocol", "off", "off", `false`, func(s *settings) any { return s.ProxyProtocol }, false, false, false, false, nil},
	{"forwarded-field", "forwarded", "x-forwarded-for", `"forwarded"`, func(s *settings) any { return s.ForwardedField },
		forwarded.Forwarded, forwarded.XForwardedFor, forwarded.Forwarded, forwarded.Auto, nil},
	{"state", "/a", "/b", `"/c"`, func(s *settings) any { return s.StateDir }, "/a", "/b", "/c", "/home/.local/state/holdfast", nil},
	{"sni-unknown", "default", "default", `"default"`, func(s *settings) any { return s.SNIUnknown },
		certs.DefaultForUnknown, certs.DefaultForUnknown, certs.DefaultForUnknown, certs.RejectUnknown, nil},
	{"local-name", "a.test", "b.test, ::0001,", `["c.test", "d.test"]`, func(s *settings) any { return s.LocalNames },
		[]string{"a.test"}, []string{"b.test", "::1"}, []string{"c.test", "d.test"}, []string(nil), nil},
	{"acme-email", "a@a.test", "b@b.test", `"c@c.test"`, func(s *settings) any { return s.ACME.Email }, "a@a.test", "b@b.test", "c@c.test", "", nil},
	{"acme-directory", "staging", "https://ca.test/dir", `"staging"`, func(s *settings) any { return s.ACME.Directory },
		acme.StagingURL, "https://ca.test/dir", acme.StagingURL, acme.ProductionURL, nil},
	{"acme-root", "/a", "/b", `"/c"`, func(s *settings) any { return s.ACME.RootFile }, "/a", "/b", "/c", "", nil},
	{"acme-profile", "a", "b", `"c"`, func(s *settings) any { return s.ACME.Profile }, "a", "b", "c", "", nil},
	{"acme-challenge", "http-01", "tls-alpn-01", `"auto"`, func(s *settings) any { return s.ACME.Challenge }, "http-01", "tls-alpn-01", "auto", "auto", nil},
	{"acme-fallback", "local", "local", `"local"`, func(s *settings) any { return s.ACME.FallbackLocal }, true, true, true, false, nil},
	{"cert-store", "dir:/a", "dir:/b", `"dir:/c"`, func(s *settings) any { return s.Store.dir }, "/a", "/b", "/c", "/home/.local/state/holdfast/certificates", nil},
	{"cert-store-ephemeral", "allow", "allow", `"allow"`, func(s *settings) any { return s.ACME.AllowEphemeral }, true, true, true, false, nil},
	{"ready-needs-certificate", "on", "on", `true`, func(s *settings) any { return s.ACME.NeedsCertificate }, true, true, true, false, nil},
	{"cluster-secret-file", "/a", "/b", `"/c"`, func(s *settings) any { return s.ClusterSecretFile }, "/a", "/b", "/c", "", nil},
	{"client-ca", "/a,b", "/b, /c", `["/c", "/d,e"]`, func(s *settings) any { return s.ClientCAs },
		[]string{"/a,b"}, []string{"/b", "/c"}, []string{"/c", "/d,e"}, []string(nil), nil},
	{"drain-delay", "1s", "2s", `"3s"`, func(s *settings) any { return s.DrainDelay }, seconds(1), seconds(2), seconds(3), seconds(0), seconds(15)},
	{"drain-timeout", "1s", "2s", `"3s"`, func(s *settings) any { return s.DrainTimeout }, seconds(1), seconds(2), seconds(3), seconds(25), nil},
	{"drain-report", "/a", "/b", `"/c"`, func(s *settings) any { return s.DrainReport }, "/a", "/b", "/c", "", nil},
	{"upgrade-timeout", "1s", "2s", `"3s"`, func(s *settings) any { return s.UpgradeTimeout }, seconds(1), seconds(2), seconds(3), seconds(60), nil},
	{"pid-file", "/a", "/b", `"/c"`, func(s *settings) any { return s.PIDFile }, "/a", "/b", "/c", "", nil},
	{"header-timeout", "1s", "2s", `"3s"`, func(s *settings) any { return s.HeaderTimeout }, seconds(1), seconds(2), seconds(3), seconds(10), nil},
	{"idle-timeout", "1s", "2s", `"3s"`, func(s *settings) any { return s.IdleTimeout }, seconds(1), seconds(2), seconds(3), seconds(60), nil},
	{"stall-timeout", "1s", "2s", `"3s"`, func(s *settings) any { return s.StallTimeout }, seconds(1), seconds(2), seconds(3), seconds(30), nil},
	{"handshake-timeout", "1s", "2s", `"3s"`, func(s *settings) any { return s.HandshakeTimeout }, seconds(1), seconds(2), seconds(3), seconds(10), nil},
	{"min-rate", "1kB", "2000", `3_000`, func(s *settings) any { return s.MinRate }, 1000, 2000, 3000, 240, nil},
	{"max-head-bytes", "1KiB", "2048", `"3KiB"`, func(s *settings) any { return s.MaxHeadBytes }, 1024, 2048, 3072, 16384, nil},
	{"max-fields", "1", "2", `3`, func(s *settings) any { return s.MaxFields }, 1, 2, 3, 100, nil},
	{"max-body-bytes", "1GB", "2_000", `0`, func(s *settings) any { return s.MaxBodyBytes }, int64(1e9), int64(2000), int64(0), int64(1 << 30), nil},
	{"max-connections", "1", "2", `3`, func(s *settings) any { return s.MaxConnections }, 1, 2, 3, 14952, nil},
	{"max-connections-per-ip", "1", "2", `3`, func(s *settings) any { return s.MaxConnectionsPerIP }, 1, 2, 3, 0, nil},
	{"security-headers", "off", "off", `false`, func(s *settings) any { return s.SecurityHeaders }, false, false, false, true, nil},
	{"hsts", "1h", "0s", `"2h"`, func(s *settings) any { return s.HSTS },
		&secure.HSTS{MaxAge: time.Hour}, &secure.HSTS{}, &secure.HSTS{MaxAge: 2 * time.Hour}, (*secure.HSTS)(nil), nil},
	{"compress", "off", "off", `false`, func(s *settings) any { return s.Files.Compress }, false, false, false, true, nil},
	{"precompressed", "off", "off", `false`, func(s *settings) any { return s.Files.Precompressed }, false, false, false, true, nil},
	{"cache-bytes", "0", "1MiB", `2_000`, func(s *settings) any { return s.CacheBytes }, int64(0), int64(1 << 20), int64(2000), int64(64 << 20), nil},
	{"cache-control", "*.css=no-cache", "*.js=public max-age=60, **=immutable", `["/a/**=no-store,private"]`, func(s *settings) any { return ruleTexts(s.Files.Caching) },
		[]string{"*.css: no-cache"}, []string{"*.js: public, max-age=60", "**: " + files.Immutable}, []string{"/a/**: no-store, private"}, []string(nil), nil},
	{"attachment", "*.pdf", "*.zip, *.iso", `["a?b"]`, func(s *settings) any { return ruleTexts(s.Files.Attachments) },
		[]string{"*.pdf: attachment"}, []string{"*.zip: attachment", "*.iso: attachment"}, []string{"a?b: attachment"}, []string(nil), nil},
	{"etag", "content", "off", `"content"`, func(s *settings) any { return s.Files.ETag }, files.ETagByContent, files.ETagNone, files.ETagByContent, files.ETagByTime, nil},
	{"browse", "on", "on", `true`, func(s *settings) any { return s.Pages.Browse }, true, true, true, false, nil},
	// What is named has to be in the root, here the package's directory.
	{"spa", "main.go", "demo/site/index.html", `"/flags.go"`, func(s *settings) any { return s.Pages.SPA }, "main.go", "demo/site/index.html", "flags.go", "", nil},
	{"error-pages", "off", "off", `false`, func(s *settings) any { return s.Pages.ErrorPages }, false, false, false, true, nil},
	{"log", "text", "text", `"text"`, func(s *settings) any { return s.Log }, textForm, textForm, textForm, jsonForm, nil},
	{"log-level", "debug", "warn", `"error"`, func(s *settings) any { return s.LogLevel },
		slog.LevelDebug, slog.LevelWarn, slog.LevelError, slog.LevelInfo, nil},
	{"access-log", "off", "off", `false`, func(s *settings) any { return s.AccessLog }, false, false, false, true, nil},
}

// ruleTexts are rules in a form that compares.
func ruleTexts(rules []files.Rule) (texts []string) {
	for _, rule := range rules {
		text := rule.Glob.String() + ": " + rule.CacheControl
		if rule.Attachment {
			text += "attachment"
		}
		texts = append(texts, text)
	}
	return texts
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func TestPrecedence(t *testing.T) {
	t.Parallel()
	// What nothing was said about does not depend on the row.
	unset := configured(t, testEnvironment(t, "HOME=/home"))
	inKubernetes := configured(t, testEnvironment(t, "HOME=/home", "KUBERNETES_SERVICE_HOST=10.0.0.1"))
	for _, row := range layerRows {
		t.Run(row.name, func(t *testing.T) {
			env := testEnvironment(t, "HOME=/home", "KUBERNETES_SERVICE_HOST=10.0.0.1")
			compare := func(layer string, s *settings, want any) {
				t.Helper()
				if got := row.get(s); !reflect.DeepEqual(got, want) {
					t.Errorf("from the %s: %v, want %v", layer, got, want)
				}
			}
			check := func(layer string, want any, args ...string) {
				t.Helper()
				compare(layer, configured(t, env, args...), want)
			}
			compare("default", unset, row.byDefault)
			compare("default in Kubernetes", inKubernetes, cmpOr(row.inKubernetes, row.byDefault))
			file := writeFile(t, "holdfast.toml", row.name+" = "+row.file+"\n")
			check("file", row.fromFile, "--config", file)
			env.vars[variable(row.name)] = row.env
			check("environment over the file", row.fromEnv, "--config", file)
			check("flag over all", row.fromFlag, "--config", file, "--"+row.name, row.flag)
			env.vars[variable(row.name)] = ""
			check("file under an empty variable", row.fromFile, "--config", file)
		})
	}
}

// cmpOr is a, or b where a is nil.
func cmpOr(a, b any) any {
	if a != nil {
		return a
	}
	return b
}

func TestPrecedenceCoversEverySetting(t *testing.T) {
	node, _ := findCommand(declared(), []string{"serve"})
	covered := []string{"cert", "key", "client-auth", "config", "root", "domain", "acme-agree-tos", "acme-eab-kid", "acme-eab-key-file"} // in tests of their own
	for _, row := range layerRows {
		covered = append(covered, row.name)
	}
	for _, s := range slots(node) {
		if !slices.Contains(covered, s.name) {
			t.Errorf("no test of the layers of %s", s.label)
		}
	}
}

func TestEverySettingIsRead(t *testing.T) {
	c, faults := parse([]string{"serve"})
	if c == nil || len(faults) > 0 {
		t.Fatal(faults)
	}
	c.env = testEnvironment(t)
	values, _, _ := c.layers()
	r := &reader{values: values}
	s := new(settings)
	s.readListeners(r, nil)
	s.readAdmin(r)
	s.readProxies(r)
	s.readForwardedField(r)
	s.readCertificates(r, c.env)
	s.readClocks(r)
	s.readLimits(r, c.env)
	s.readResponseFields(r)
	s.readFiles(r)
	s.Pages = r.pages(nil)
	s.readSuccession(r, c.env)
	s.readLogging(r, c)
	s.readRoot(r)
	for name := range values {
		if !r.read[name] && !slices.Contains([]string{"config", "site", "accounts", "max-connections"}, name) { // tables, and what is read when it is written
			t.Errorf("%s is declared and never read", name)
		}
	}
}

func TestRootLayers(t *testing.T) {
	a, b, c := t.TempDir(), t.TempDir(), t.TempDir()
	env := testEnvironment(t)
	file := writeFile(t, "holdfast.toml", fmt.Sprintf("root = %q\n", c))
	check := func(layer, want string, args ...string) {
		t.Helper()
		if got := configured(t, env, args...).Root; got != want {
			t.Errorf("from the %s: %q, want %q", layer, got, want)
		}
	}
	check("default", ".")
	check("file", c, "--config", file)
	env.vars["HOLDFAST_ROOT"] = b
	check("environment", b, "--config", file)
	check("argument", a, "--config", file, a)
	check("argument before the flags", a, a, "--config", file)
}

func TestPairLayers(t *testing.T) {
	env := testEnvironment(t)
	file := writeFile(t, "holdfast.toml", "cert = ['e.pem', 'f,g.pem']\nkey = ['e.key', 'f.key']\n")
	check := func(layer string, want []certs.Pair, args ...string) {
		t.Helper()
		if got := configured(t, env, args...).Pairs; !slices.Equal(got, want) {
			t.Errorf("from the %s: %v, want %v", layer, got, want)
		}
	}
	check("default", nil)
	check("file", []certs.Pair{{CertFile: "e.pem", KeyFile: "e.key"}, {CertFile: "f,g.pem", KeyFile: "f.key"}}, "--config", file)
	env.vars["HOLDFAST_CERT"], env.vars["HOLDFAST_KEY"] = "c.pem,d.pem", "c.key, d.key"
	check("environment", []certs.Pair{{CertFile: "c.pem", KeyFile: "c.key"}, {CertFile: "d.pem", KeyFile: "d.key"}}, "--config", file)
	check("flags, which replace the whole list", []certs.Pair{{CertFile: "a,1.pem", KeyFile: "a.key"}, {CertFile: "b.pem", KeyFile: "b.key"}},
		"--config", file, "--cert", "a,1.pem", "--key=a.key", "--cert=b.pem", "--key", "b.key")
	one := writeFile(t, "one.toml", "cert = 'x.pem'\nkey = 'x.pem'\n")
	env.vars["HOLDFAST_CERT"], env.vars["HOLDFAST_KEY"] = "", ""
	check("file with text for a list of one", []certs.Pair{{CertFile: "x.pem", KeyFile: "x.pem"}}, "--config", one)
}

// Without a CA there is nothing that client-auth could say more of.
func TestClientAuthLayers(t *testing.T) {
	env := testEnvironment(t, "HOLDFAST_CLIENT_CA=/ca.pem")
	check := func(layer string, want tlsconf.ClientAuth, args ...string) {
		t.Helper()
		if got := configured(t, env, args...).ClientAuth; got != want {
			t.Errorf("from the %s: %v, want %v", layer, got, want)
		}
	}
	check("default", tlsconf.RequireCertificate)
	file := writeFile(t, "holdfast.toml", "client-auth = 'request'\n")
	check("file", tlsconf.RequestCertificate, "--config", file)
	env.vars["HOLDFAST_CLIENT_AUTH"] = "require"
	check("environment", tlsconf.RequireCertificate, "--config", file)
	check("flag", tlsconf.RequestCertificate, "--config", file, "--client-auth", "request")
}

func TestConfigFromEnvironment(t *testing.T) {
	file := writeFile(t, "a.toml", "max-fields = 7")
	other := writeFile(t, "b.toml", "max-fields = 8")
	env := testEnvironment(t, "HOLDFAST_CONFIG="+file)
	if got := configured(t, env).MaxFields; got != 7 {
		t.Errorf("max-fields is %d", got)
	}
	if got := configured(t, env, "--config", other).MaxFields; got != 8 {
		t.Errorf("with the flag, max-fields is %d", got)
	}
}

func TestLastFlagWins(t *testing.T) {
	if got := configured(t, testEnvironment(t), "--max-fields=1", "--max-fields", "2").MaxFields; got != 2 {
		t.Errorf("max-fields is %d", got)
	}
}

func TestUnknownVariables(t *testing.T) {
	links := []string{
		"HOLDFAST_SERVICE_HOST=10.0.0.7", "HOLDFAST_SERVICE_PORT=443", "HOLDFAST_SERVICE_PORT_HTTPS=443",
		"HOLDFAST_PORT=tcp://10.0.0.7:443", "HOLDFAST_PORT_443_TCP=tcp://10.0.0.7:443",
		"HOLDFAST_PORT_443_TCP_ADDR=10.0.0.7", "HOLDFAST_CANARY_SERVICE_HOST=10.0.0.8",
	}
	for _, c := range []struct {
		name string
		vars []string
		want []string
	}{
		{"known ones are silent", []string{"HOLDFAST_HTTPS=:1", "HOLDFAST_ROOT=.", "HOLDFAST_LOCAL_NAME="}, nil},
		{"a mistyped one is told with its neighbour", []string{"HOLDFAST_DRAIN_TIMOUT=1s"},
			[]string{`unknown variable "HOLDFAST_DRAIN_TIMOUT": it sets nothing; did you mean HOLDFAST_DRAIN_TIMEOUT?`}},
		{"several are told in order", []string{"HOLDFAST_QQQ=1", "HOLDFAST_AAA=1"},
			[]string{`unknown variable "HOLDFAST_AAA": `, `unknown variable "HOLDFAST_QQQ": `}},
		{"service links of Kubernetes are no settings", append(links, "KUBERNETES_SERVICE_HOST=10.0.0.1"), nil},
		{"elsewhere nothing makes such variables", links[:1], []string{`unknown variable "HOLDFAST_SERVICE_HOST"`}},
		{"other variables are not ours", []string{"HOLDFASTER=1", "PATH=/bin"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, w := range configured(t, testEnvironment(t, c.vars...)).Warnings {
				got = append(got, w.line())
			}
			if len(got) != len(c.want) {
				t.Fatalf("warnings %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("warning %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}
