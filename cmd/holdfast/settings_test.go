package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode"
)

// A faultRow is a mistake and the one line that tells of it.
type faultRow struct {
	name string
	args string // split at spaces
	env  []string
	want string // the one line, without its "holdfast: "
	exit int
}

var faultRows = []faultRow{
	{"a duration without a unit", "--idle-timeout 60", nil,
		`idle-timeout "60" is no duration (--idle-timeout): it has no unit; write 60s`, 2},
	{"a duration in days", "--idle-timeout 1d", nil, `idle-timeout "1d" is no duration (--idle-timeout): the largest unit is the hour; write it in h`, 2},
	{"a negative duration", "--drain-delay=-1s", nil, `drain-delay "-1s" is out of range (--drain-delay); write one from 0s to 1h0m0s`, 2},
	{"a duration too long", "--header-timeout 2h", nil, `header-timeout "2h" is out of range (--header-timeout); write one from 10ms to 1h0m0s`, 2},
	{"a duration from the environment", "", []string{"HOLDFAST_STALL_TIMEOUT=soon"},
		`stall-timeout "soon" is no duration (HOLDFAST_STALL_TIMEOUT); write it as 500ms, 30s or 1m30s`, 2},
	{"a size with half a unit", "--max-body-bytes 10M", nil,
		`max-body-bytes "10M" is no size (--max-body-bytes): M alone is a power of 1000 to some and of 1024 to others; write 10MiB or 10MB`, 2},
	{"a size too small", "--max-head-bytes 10", nil, `max-head-bytes "10" is out of range (--max-head-bytes); write one from 1KiB to 1MiB`, 2},
	{"a rate below zero", "--min-rate=-1", nil, `min-rate "-1" is no size (--min-rate): it is negative; write it as 16KiB, 1GiB or 1_000_000 bytes`, 2},
	{"a count of nothing", "--max-fields 0", nil, `max-fields "0" is out of range (--max-fields); write one from 1 to 10000`, 2},
	{"a count too large", "--max-connections 99999999999999999999", nil,
		`max-connections "99999999999999999999" is out of range (--max-connections); write one from 1 to 1000000`, 2},
	{"a count that is none", "--max-connections-per-ip many", nil,
		`max-connections-per-ip "many" is no whole number (--max-connections-per-ip); write one from 1 to 1000000, or off`, 2},
	{"a port too high", "--public-https-port 65536", nil, `public-https-port "65536" is out of range (--public-https-port); write one from 1 to 65535`, 2},
	{"a choice mistyped", "--sni-unknown rejct", nil, `sni-unknown "rejct" is none of reject, default (--sni-unknown); did you mean reject?`, 2},
	{"an empty secret file", "--cluster-secret-file=", nil, `cluster-secret-file "" is empty (--cluster-secret-file); give it a value`, 2},
	{"an empty CA of clients", "--client-ca=", nil, `client-ca "" is empty (--client-ca); give it a value`, 2},
	{"a client-auth that is none", "--client-auth off", nil,
		`client-auth "off" is none of require, request (--client-auth); choose one of them`, 2},
	{"a client-auth that nothing is behind", "--client-auth require", nil,
		`client-auth require without a client-ca (--client-auth): no client is asked for a certificate; name the CA's file with --client-ca`, 2},
	{"a client-ca that nobody is asked by", "--client-ca /ca.pem --https off --http :1", nil,
		`client-ca without an https listener (--client-ca): clients show certificates over TLS alone; give --https an address`, 2},
	{"a choice far off", "--log xml", nil, `log "xml" is none of auto, text, json (--log); choose one of them`, 2},
	{"a pin without a unit", "--hsts 31536000", nil, `hsts "31536000" is no duration (--hsts): it has no unit; write 31536000s`, 2},
	{"a pin for longer than a browser lives", "--hsts 87601h", nil, `hsts "87601h" is out of range (--hsts); write one from 0s to 87600h0m0s`, 2},
	{"a pin below zero", "--hsts=-1s", nil, `hsts "-1s" is out of range (--hsts); write one from 0s to 87600h0m0s`, 2},
	{"a rule without a value", "--cache-control *.css", nil, `cache-control "*.css" has no = (--cache-control); write GLOB=VALUE, such as "*.css=max-age=3600"`, 2},
	{"a rule with an empty value", "--cache-control *.css=", nil, `cache-control "*.css=" has no directive (--cache-control); write one`, 2},
	{"a rule with an empty glob", "--cache-control =no-cache", nil, `cache-control "=no-cache" has an empty glob (--cache-control); write ** for every file`, 2},
	{"a rule with alternatives", "--attachment *.{zip,iso}", nil, `attachment "*.{zip,iso}" has a brace in its glob (--attachment): {hash} is the only word in braces`, 2},
	{"a directive mistyped", "--cache-control **=no-cash", nil, `cache-control "**=no-cash" has "no-cash", which is no directive of Cache-Control (--cache-control); did you mean no-cache?`, 2},
	{"a directive without its seconds", "--cache-control **=max-age", nil, `cache-control "**=max-age" has max-age without a number of seconds (--cache-control); write max-age=3600`, 2},
	{"a directive with seconds that takes none", "--cache-control **=public=1", nil, `cache-control "**=public=1" has public with a value (--cache-control): it takes none; leave out =1`, 2},
	{"a rule that the variable cut in two", "", []string{"HOLDFAST_CACHE_CONTROL=**=public,max-age=60"}, `cache-control "max-age=60" has "60", which is no directive`, 2},
	{"an etag that is none", "--etag hash", nil, `etag "hash" is none of time, content, off (--etag); choose one of them`, 2},
	{"a cache of half a unit", "--cache-bytes 64M", nil, `cache-bytes "64M" is no size (--cache-bytes)`, 2},
	{"a level that is none", "--log-level verbose", nil, `log-level "verbose" is none of debug, info, warn, error (--log-level); choose one of them`, 2},
	{"a switch", "--access-log maybe", nil, `access-log "maybe" is neither on nor off (--access-log); write on or off`, 2},
	{"an address that is a URL", "--https https://localhost:8443", nil,
		`https "https://localhost:8443" is a URL (--https); write only its host and port, such as localhost:8443`, 2},
	{"an address that is a port", "--https 8443", nil, `https "8443" is only a port (--https); write :8443 for every address, or 127.0.0.1:8443`, 2},
	{"an address without a port", "--http localhost", nil, `http "localhost" is no address (--http); write host:port, such as 127.0.0.1:8443, :8443 or [::1]:8443, or unix:PATH`, 2},
	{"an empty address", "--https=", nil, `https "" is empty (--https); give it a value, or leave it out (is a shell variable unset?)`, 2},
	{"nothing to listen on", "--https off", nil,
		`nothing to listen on (--https): https and http are both off; add --http 127.0.0.1:8080, or leave out --https off`, 2},
	{"nothing to listen on, from two layers", "--https off", []string{"HOLDFAST_HTTP=off"}, `nothing to listen on (--https, HOLDFAST_HTTP): `, 2},
	{"one port for both", "--http 127.0.0.1:8443", nil,
		`https and http are both on 127.0.0.1:8443 (--http): one address speaks one of them; give --http another`, 2},
	{"one socket for both", "--https unix:/run/a --http unix:/run/../run/a", nil,
		`https and http are both on unix:/run/a (--https, --http): one address speaks one of them; give --http another`, 2},
	{"the admin listener on the public port", "--admin :8443", nil,
		`https and admin are both on 127.0.0.1:8443 (--admin): the admin listener is not for the public; give --admin another, such as 127.0.0.1:9090`, 2},
	{"the admin listener on the plain port", "--http :80", []string{"HOLDFAST_ADMIN=127.0.0.1:80"},
		`http and admin are both on :80 (--http, HOLDFAST_ADMIN): the admin listener is not for the public; give --admin another`, 2},
	{"the admin listener on the public socket", "--https unix:/run/a --admin unix:/run/./a", nil, `https and admin are both on unix:/run/a (--https, --admin): `, 2},
	{"an admin address that is none", "--admin on", nil, `admin "on" is no address (--admin); write host:port`, 2},
	{"profiles without a place", "--admin-pprof on", nil,
		`admin-pprof is on, and there is no admin listener (--admin-pprof): profiles are shown there alone; add --admin 127.0.0.1:9090`, 2},
	{"profiles without a place in a pod", "--admin off", []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "HOLDFAST_ADMIN_PPROF=on"},
		`admin-pprof is on, and there is no admin listener (HOLDFAST_ADMIN_PPROF, --admin): `, 2},
	{"profiles and an admin address that is none", "--admin-pprof on --admin 9090", nil, `admin "9090" is only a port (--admin); `, 2},
	{"a socket without a path", "--https unix:", nil, `https "unix:" names no path (--https); write one after the colon, such as unix:/run/holdfast/https.sock`, 2},
	{"the PROXY protocol from nobody", "", []string{"HOLDFAST_PROXY_PROTOCOL=on"},
		`the PROXY protocol is on, and no proxy is trusted (HOLDFAST_PROXY_PROTOCOL): whoever may send it can claim any address, ` +
			`so it is only taken from those that are named; add --trusted-proxy with the proxy's address, or unix for a unix socket`, 2},
	{"a trusted proxy that is none, and the PROXY protocol", "--trusted-proxy lb --proxy-protocol on", nil, `trusted-proxy "lb" is no network (--trusted-proxy); `, 2},
	{"a certificate without its key", "--cert a.pem --cert b.pem --key a.key", nil,
		`2 certificates and 1 keys (--cert, --key): each --cert needs its --key; give both, in the same order (one file may hold both)`, 2},
	{"a key alone", "--key a.key", nil, `0 certificates and 1 keys (--key): `, 2},
	{"an empty certificate name", "--cert= --key=k", nil, `cert "" is empty (--cert); `, 2},
	{"an empty state", "--state=", nil, `state "" is empty (--state); `, 2},
	{"a name that is a URL", "--local-name https://a.test", nil,
		`local-name "https://a.test" is no host name (--local-name): a certificate knows neither scheme nor port nor path; write the name alone`, 2},
	{"a name with a blank", "", []string{"HOLDFAST_LOCAL_NAME=a b"}, `local-name "a b" is no host name (HOLDFAST_LOCAL_NAME); use letters, digits and hyphens`, 2},
	{"an address with a zone", "--local-name fe80::1%eth0", nil, `local-name "fe80::1%eth0" has a zone (--local-name): a certificate cannot hold one; leave out %eth0`, 2},
	{"a root that is not there", "/nowhere/at/all", nil,
		`cannot serve the directory "/nowhere/at/all" (ROOT): there is none; check the path, or make it with mkdir`, 1},
	{"a root that is a file", "main.go", nil, `cannot serve the directory "main.go" (ROOT): it is a file; name the directory it is in`, 1},
	{"a root below a file", "main.go/x", nil, `cannot serve the directory "main.go/x" (ROOT): not a directory; `, 1},
	{"two roots", ". /tmp", nil, `root "/tmp" is one directory too many (ROOT); name one; flags begin with --`, 2},
	{"an unknown flag", "--drain-tmeout 5s", nil, `unknown flag "--drain-tmeout"; did you mean --drain-timeout?`, 2},
	{"an unknown flag with no neighbour", "--qqqqqq=1", nil, `unknown flag "--qqqqqq"; see holdfast serve --help`, 2},
	{"a flag with one dash", "-https :1", nil, `unknown flag "-https"; did you mean --https?`, 2},
	{"a flag without its value", "--state", nil, `--state has no value; write --state DIR`, 2},
	{"a flag before another", "--https --http :1", nil, `--https has no value; write --https ADDR`, 2},
	{"a configuration that is not there", "--config /nowhere.toml", nil,
		`cannot read the configuration file "/nowhere.toml" (--config): no such file or directory; check the path and its permissions`, 1},
	{"an empty configuration name", "--config=", nil, `the configuration file's name is empty (--config); `, 2},
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range faultRows {
		t.Run(c.name, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t, c.env...), append([]string{"serve"}, strings.Fields(c.args)...)...)
			if r.settings != nil || r.exit != c.exit {
				t.Errorf("exit %d, want %d", r.exit, c.exit)
			}
			if got := lines(r.err); len(got) != 1 || !strings.HasPrefix(got[0], "holdfast: "+c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if r.out != "" {
				t.Errorf("stdout has %q", r.out)
			}
		})
	}
}

func TestEmptyRoot(t *testing.T) {
	r := holdfast(t, testEnvironment(t), "serve", "")
	if want := `holdfast: root "" is empty (ROOT); give it a value, or leave it out (is a shell variable unset?)`; r.exit != 2 || lines(r.err)[0] != want {
		t.Errorf("exit %d, %s", r.exit, r.err)
	}
}

func TestUnreadableRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything: run this test as another user")
	}
	dir := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(dir, 0); err != nil {
		t.Fatal(err)
	}
	r := holdfast(t, testEnvironment(t), "serve", dir)
	if r.exit != 1 || !strings.Contains(r.err, "permission denied; let the user that runs holdfast read it") {
		t.Errorf("exit %d, %s", r.exit, r.err)
	}
}

func TestRootThatIsAFIFODoesNotBlock(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := holdfast(t, testEnvironment(t), "serve", fifo); r.exit != 1 || !strings.Contains(r.err, "it is a file") {
		t.Errorf("exit %d, %s", r.exit, r.err)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	file := writeFile(t, "holdfast.toml", "idle-timeot = '1s'\nmax-fields = -1\n")
	r := holdfast(t, testEnvironment(t, "HOLDFAST_MIN_RATE=fast"), "serve", "--bogus", "--config", file,
		"--drain-delay", "5", "--https", "nowhere", "--log=loud", "/nowhere/at/all")
	want := []string{
		`holdfast: unknown flag "--bogus"; `,
		`holdfast: unknown key "idle-timeot" (` + file + `:1); did you mean idle-timeout?`,
		`holdfast: https "nowhere" is no address (--https); `,
		`holdfast: drain-delay "5" is no duration (--drain-delay): `,
		`holdfast: min-rate "fast" is no size (HOLDFAST_MIN_RATE); `,
		`holdfast: max-fields "-1" is out of range (` + file + `:2); `,
		`holdfast: log "loud" is none of auto, text, json (--log); `,
		`holdfast: cannot serve the directory "/nowhere/at/all" (ROOT): there is none; `,
	}
	got := lines(r.err)
	if len(got) != len(want) || r.exit != 2 {
		t.Fatalf("exit %d, %d faults, want %d:\n%s", r.exit, len(got), len(want), r.err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

// The value of an unknown flag is no directory.
func TestUnknownFlagWithAValue(t *testing.T) {
	r := holdfast(t, testEnvironment(t), "serve", "--bogus", "value", ".", "-x", "other")
	if got := lines(r.err); len(got) != 2 || !strings.Contains(got[0], `unknown flag "--bogus"`) || !strings.Contains(got[1], `unknown flag "-x"`) {
		t.Errorf("got %q", got)
	}
}

// What the user typed comes back in a fault, but never as more than one printable line.
func FuzzFaultIsOneLine(f *testing.F) {
	f.Add("--drain-delay", "1\n2", "x\x1b[2J")
	f.Add("--\x00", "\u009b", "a\u2028b")
	f.Add("--https", "[::1%\n]:1", "")
	f.Fuzz(func(t *testing.T, flag, text, root string) {
		env := environment{vars: map[string]string{"HOLDFAST_LOCAL_NAME": text, "HOLDFAST_HTTP": text}}
		c, faults := parse([]string{"serve", flag, text, root})
		if c != nil {
			c.env, c.faults = env, faults
			if len(c.given["config"]) > 0 {
				return // the file's content is another test's
			}
			_, faults = c.settings()
		}
		for _, fault := range faults {
			for _, r := range fault.line() {
				if !unicode.IsPrint(r) {
					t.Fatalf("%U in %q", r, fault.line())
				}
			}
		}
	})
}

func TestKubernetesDefaults(t *testing.T) {
	env := testEnvironment(t, "KUBERNETES_SERVICE_HOST=10.0.0.1")
	s := configured(t, env)
	if !s.Kubernetes || s.HTTPS != ":8443" || s.HTTP != ":8080" || s.Admin != ":9090" || s.DrainDelay != seconds(15) {
		t.Errorf("settings %+v", s)
	}
	s = configured(t, env, "--https", "off")
	if s.HTTPS != "" || s.HTTP != ":8080" {
		t.Errorf("with --https off: https %q, http %q", s.HTTPS, s.HTTP)
	}
	if s := configured(t, testEnvironment(t)); s.Kubernetes || s.Admin != "" {
		t.Error("outside of Kubernetes it believes to be inside")
	}
}

func TestStateDirectory(t *testing.T) {
	for _, c := range []struct {
		name      string
		vars      []string
		dir, why  string
		arguments []string
	}{
		{"systemd's goes first", []string{"STATE_DIRECTORY=/s:/t", "XDG_STATE_HOME=/x"}, "/s", "", nil},
		{"then XDG's", []string{"XDG_STATE_HOME=/x"}, "/x/holdfast", "", nil},
		{"then the home", []string{"HOME=/h"}, "/h/.local/state/holdfast", "", nil},
		{"none is no fault, since files may suffice", []string{"HOME="}, "", "no state directory: ", nil},
		{"a flag goes before all", []string{"STATE_DIRECTORY=/s"}, "/f", "", []string{"--state=/f"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := configured(t, testEnvironment(t, c.vars...), c.arguments...)
			if s.StateDir != c.dir || !strings.HasPrefix(s.StateWhy, c.why) || (s.StateWhy == "") != (c.why == "") {
				t.Errorf("%q, %q; want %q, %q", s.StateDir, s.StateWhy, c.dir, c.why)
			}
		})
	}
}

func TestConnectionLimit(t *testing.T) {
	for _, c := range []struct {
		descriptors uint64
		want        int
	}{
		{0, 512}, {1, 1}, {2, 1}, {64, 24}, {128, 48}, {256, 144}, {1024, 720}, {20_000, 14_952},
		{1 << 20, 100_000}, {1 << 30, 100_000}, {^uint64(0), 100_000},
	} {
		if got := defaultConnections(c.descriptors); got != c.want {
			t.Errorf("%d descriptors make %d connections, want %d", c.descriptors, got, c.want)
		}
	}
	env := testEnvironment(t)
	if s := configured(t, env, "--max-connections=19936"); len(s.Warnings) != 0 {
		t.Errorf("what fits is warned of: %v", s.Warnings)
	}
	s := configured(t, env, "--max-connections=19937")
	want := "max-connections 19937 is more than the 19936 descriptors that are free for them: the limit of open files is 20000; raise it"
	if len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0].line(), want) {
		t.Errorf("warnings %v", s.Warnings)
	}
}

func TestReaderPanicsOnAnUndeclaredSetting(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); got != "no such setting: nope" {
			t.Errorf("panicked with %q", got)
		}
	}()
	(&reader{}).get("nope")
}
