package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

func TestRehearseCommand(t *testing.T) {
	t.Run("the variable makes it a server on the loopback, whatever was configured", func(t *testing.T) {
		a := newAuthority(t)
		cert, key := a.pairPEM(1, oneDay)
		env := testEnvironment(t, rehearsalState+"=/throwaway", "HOLDFAST_MAX_CONNECTIONS_PER_IP=1")
		s := holdfast(t, env, "rehearse", "--https", ":443", "--http", "192.0.2.1:80", "--state", "/real", "--log", "text", "--drain-delay", "3s",
			"--local-name", "dev.example.org", "--cert", writeFile(t, "a.pem", cert), "--key", writeFile(t, "a.key", key),
			"--cert", "/no/such.pem", "--key", "/no/such.key", "--client-ca", "/no/such.ca", "--cluster-secret-file", "/no/such.secret").settings
		if s == nil {
			t.Fatal("no settings")
		}
		if s.HTTPS != "127.0.0.1:0" || s.HTTP != "127.0.0.1:0" || s.StateDir != "/throwaway" || len(s.Pairs) > 0 || s.MaxConnectionsPerIP != 0 || s.Log != jsonForm || !s.Rehearsal {
			t.Errorf("%+v", s)
		}
		if want := []string{"dev.example.org", "localhost", "127.0.0.1"}; !slices.Equal(s.LocalNames, want) {
			t.Errorf("the certificate is for %q, want %q", s.LocalNames, want)
		}
		if len(s.ClientCAs) > 0 || s.ClusterSecretFile != "" {
			t.Errorf("the load's clients are asked for what they do not have: %q, %q", s.ClientCAs, s.ClusterSecretFile)
		}
		if s.DrainDelay != 3*time.Second {
			t.Errorf("drain delay %v is not what was configured", s.DrainDelay)
		}
	})
	t.Run("the admin listener is on the loopback too, and off where it was", func(t *testing.T) {
		env := testEnvironment(t, rehearsalState+"=/x", "KUBERNETES_SERVICE_HOST=10.0.0.1")
		for flag, want := range map[string]string{"--admin=:9090": "127.0.0.1:0", "--admin=unix:/run/admin": "127.0.0.1:0", "--admin=off": "", "--log=json": "127.0.0.1:0"} {
			if s := holdfast(t, env, "rehearse", flag).settings; s == nil || s.Admin != want {
				t.Errorf("%s: %+v, want %q", flag, s, want)
			}
		}
	})
	t.Run("a listener that is off stays off", func(t *testing.T) {
		s := holdfast(t, testEnvironment(t, rehearsalState+"=/x"), "rehearse", "--https", "off", "--http", ":80").settings
		if s == nil || s.HTTPS != "" || s.HTTP != "127.0.0.1:0" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("serve takes no notice of the variable", func(t *testing.T) {
		s := configured(t, testEnvironment(t, rehearsalState+"=/throwaway"), "--https", ":443")
		if s.Rehearsal || s.HTTPS != ":443" || s.StateDir == "/throwaway" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("all its faults come at once, those of the server's settings too", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "rehearse", "--rounds", "0", "--endpoint-lag", "5", "--idle-timeout", "1", "--bogus")
		if r.exit != 2 || len(lines(r.err)) != 4 || r.settings != nil {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
		for _, want := range []string{`rounds "0" is out of range (--rounds)`, "--endpoint-lag", "--idle-timeout", `"--bogus"`} {
			if !strings.Contains(r.err, want) {
				t.Errorf("no %q in\n%s", want, r.err)
			}
		}
	})
	t.Run("in Kubernetes an endpoint's removal takes longer", func(t *testing.T) {
		help := holdfast(t, testEnvironment(t), "rehearse", "--help").out
		if text := entry(help, "--endpoint-lag"); !strings.Contains(text, "[HOLDFAST_ENDPOINT_LAG; default 200ms; in Kubernetes 5s]") {
			t.Errorf("%s", text)
		}
		if text := entry(help, "--json"); strings.Contains(text, "HOLDFAST") {
			t.Errorf("%s", text)
		}
	})
}

// A setting that reaches out of the process must not do so in a rehearsal: whoever adds one
// decides here.
func TestRehearsalDecidesAboutEverySetting(t *testing.T) {
	replaced := []string{"https", "http", "admin", "cert", "key", "state", "local-name", "max-connections-per-ip", "log", "log-level", "trusted-proxy", "proxy-protocol", "reuse-port", "pid-file", "drain-report", "client-ca", "cluster-secret-file",
		"domain", "acme-agree-tos", "acme-email", "acme-directory", "acme-root", "acme-eab-kid", "acme-eab-key-file", "acme-profile", "acme-challenge", "acme-fallback", "cert-store", "cert-store-ephemeral", "ready-needs-certificate"}
	kept := []string{
		"admin-pprof", "upgrade-timeout", "client-auth", // which means nothing without client-ca
		"security-headers", "hsts", "forwarded-field", "browse", "spa", "error-pages",
		"compress", "precompressed", "cache-bytes", "cache-control", "attachment", "etag",
		"root", "public-https-port", "sni-unknown", "drain-delay", "drain-timeout", "header-timeout", "idle-timeout", "stall-timeout",
		"handshake-timeout", "min-rate", "max-head-bytes", "max-fields", "max-body-bytes", "max-connections", "access-log", "config",
	}
	node, _ := findCommand(declared(), []string{"serve"})
	for _, s := range slots(node) {
		if slices.Contains(replaced, s.name) == slices.Contains(kept, s.name) {
			t.Errorf("%s: say here whether a rehearsal keeps it, or replace it in settings.rehearsed", s.label)
		}
	}
}

func TestPairNamesPassesOverWhatItCannotRead(t *testing.T) {
	if names := pairNames([]certs.Pair{{CertFile: "/no/such.pem", KeyFile: "/no/such.key"}}); len(names) > 0 {
		t.Errorf("%q", names)
	}
}

func TestRehearsalEnvironment(t *testing.T) {
	env := testEnvironment(t, "HOLDFAST_IDLE_TIMEOUT=9s", "NOTIFY_SOCKET=/run/notify", "LISTEN_FDS=2", "LISTEN_PID=1", "WATCHDOG_USEC=1", rehearsalState+"=/another")
	got := rehearsalEnvironment(env, "/state/1")
	want := []string{rehearsalState + "=/state/1", "HOLDFAST_IDLE_TIMEOUT=9s", "HOME=" + env.get("HOME")}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// said is a replica that says this on its stderr and ends.
func said(t *testing.T, text string) *replica {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "cat >&2")
	cmd.Stdin = strings.NewReader(text)
	r, err := startReplica(cmd, 7)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	return r
}

func TestReplica(t *testing.T) {
	t.Run("its address is read from its log, between other lines", func(t *testing.T) {
		r := said(t, "not JSON\n{\"msg\":\"stopping\",\"connections\":3}\n{\"msg\":\"listening\",\"http\":\"127.0.0.1:81\"}\n{\"msg\":\"listening\",\"http\":\"127.0.0.1:82\"}\n")
		if err := r.ready(t.Context()); err != nil || r.Endpoint == nil {
			t.Fatal(err)
		}
	})
	t.Run("one that listens elsewhere is refused", func(t *testing.T) {
		r := said(t, `{"msg":"listening","http":"192.0.2.1:80"}`)
		if err := r.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%v", err)
		}
	})
	t.Run("one whose CA is missing is refused", func(t *testing.T) {
		r := said(t, `{"msg":"listening","https":"127.0.0.1:80","ca":"/no/such"}`)
		if err := r.ready(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
	t.Run("one that cannot start says why", func(t *testing.T) {
		r := said(t, "holdfast: no room at the quay\n")
		<-r.gone
		if err := r.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "no room at the quay") {
			t.Errorf("%v", err)
		}
	})
	t.Run("its report is read", func(t *testing.T) {
		r := said(t, `{"msg":"stopped","exit":3,"cut":2,"phases_ms":{"lame_duck":1000.5,"closing":1},"connections":{"accepted":9,"refused":4}}`)
		end, err := r.end(t.Context(), patience)
		if err != nil || end.Exit != 3 || end.Cut != 2 || end.Phases["lame_duck"] != 1000.5 || end.Connections.Refused != 4 {
			t.Errorf("%+v, %v", end, err)
		}
	})
	t.Run("one that ends without a report is a failure, with its last words", func(t *testing.T) {
		r := said(t, "panic: overboard\n")
		if _, err := r.end(t.Context(), patience); err == nil || !strings.Contains(err.Error(), "overboard") || !strings.Contains(err.Error(), "server 7") {
			t.Errorf("%v", err)
		}
	})
	t.Run("one that does not end is given up, and killed", func(t *testing.T) {
		cmd := exec.Command("/bin/sh", "-c", "read forever")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		r, err := startReplica(cmd, 7)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.end(t.Context(), time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not stop in time") {
			t.Errorf("%v", err)
		}
		r.kill()
		if r.cmd.ProcessState == nil {
			t.Error("it was not waited for")
		}
	})
}

func TestUntilSignal(t *testing.T) {
	t.Run("a signal is the cause", func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		ctx, stop := untilSignal(t.Context(), signals)
		defer stop()
		err := sleep(ctx, patience)
		if s := (signalError{}); !errors.As(err, &s) || s.signal != syscall.SIGTERM {
			t.Errorf("%v", err)
		}
	})
	t.Run("without one it ends with its parent", func(t *testing.T) {
		parent, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("too long"))
		ctx, stop := untilSignal(parent, nil)
		defer stop()
		if err := sleep(ctx, patience); err == nil || err.Error() != "too long" {
			t.Errorf("%v", err)
		}
	})
}

// An adviceRow is what was seen, and what is to be set.
type adviceRow struct {
	name           string
	delay, timeout time.Duration
	lag, newcomer  time.Duration
	ended          map[traffic.End]int64
	rounds         []roundReport
	longest        time.Duration
	wantDelay      time.Duration
	wantTimeout    time.Duration
	wantGrace      time.Duration
	why            []string // what each reason contains
	steady         bool     // no server was leaving when it ended
}

func adviceRows() []adviceRow {
	const ms = time.Millisecond
	cut := []roundReport{{end: replicaRecord{Cut: 2}}, {end: replicaRecord{Cut: 1}}}
	full := []roundReport{{end: replicaRecord{}}}
	full[0].end.Connections.Refused = 9
	return []adviceRow{
		{"settings that lost nothing stay", seconds(1), seconds(25), 200 * ms, 210 * ms, nil, nil, 0, seconds(1), seconds(25), seconds(27), nil, false},
		{"so do generous ones", seconds(15), seconds(25), seconds(5), seconds(5), nil, nil, 0, seconds(15), seconds(25), seconds(41), nil, false},
		{"a grace period is in whole seconds", 700 * ms, seconds(25), 200 * ms, 0, nil, nil, 0, 700 * ms, seconds(25), seconds(27), nil, false},
		{"no lame duck and a refusal", 0, seconds(25), 200 * ms, 199 * ms, map[traffic.End]int64{traffic.Refused: 1}, nil, 0, 700 * ms, seconds(25), seconds(27), []string{"up to 200ms"}, false},
		{"no lame duck, and luck", 0, seconds(25), 200 * ms, 0, nil, nil, 0, 700 * ms, seconds(25), seconds(27), []string{"lasted 0s"}, false},
		{"the lag that was seen counts where it is longer", 0, seconds(25), 200 * ms, seconds(4), map[traffic.End]int64{traffic.ClosedFresh: 1}, nil, 0, seconds(6), seconds(25), seconds(32), []string{"up to 4s"}, false},
		{"a lame duck as long as the lag", seconds(5), seconds(25), seconds(5), seconds(5), nil, nil, 0, seconds(8), seconds(25), seconds(34), []string{"up to 5s"}, false},
		{"losses behind a lame duck that should do", seconds(2), seconds(25), 200 * ms, 0, map[traffic.End]int64{traffic.ClosedReused: 3}, nil, 0, seconds(4), seconds(25), seconds(30), []string{"under them all the same: 3"}, false},
		{"a drain that was cut", seconds(1), seconds(2), 200 * ms, 0, map[traffic.End]int64{traffic.Truncated: 3}, cut, seconds(4), seconds(1), seconds(6), seconds(8), []string{"drain timeout of 2s: 3;"}, false},
		{"a limit, which explains what was lost", seconds(1), seconds(2), 200 * ms, 0, map[traffic.End]int64{traffic.ResetFresh: 9}, full, 0, seconds(1), seconds(2), seconds(4), []string{"--max-connections 7: 9"}, false},
		{"responses that break off by themselves", seconds(1), seconds(2), 200 * ms, 0, map[traffic.End]int64{traffic.Truncated: 1, traffic.TimedOut: 1}, nil, 0, seconds(1), seconds(2), seconds(4), []string{"though no connection was cut: 2"}, false},
		{"a server that ends badly", seconds(1), seconds(2), 200 * ms, 0, nil, []roundReport{{number: 4, end: replicaRecord{Exit: 5}}}, 0, seconds(1), seconds(2), seconds(4), []string{"round 4 ended with exit code 5"}, false},
		{"losses with no stop under way", seconds(1), seconds(2), 200 * ms, 0, map[traffic.End]int64{traffic.ResetFresh: 2}, nil, 0, seconds(1), seconds(2), seconds(4), []string{"no stop was under way at their server: 2"}, true},
		{"what no setting mends", seconds(1), seconds(2), 200 * ms, 0, map[traffic.End]int64{traffic.Corrupt: 1, traffic.WrongStatus: 2}, nil, 0, seconds(1), seconds(2), seconds(4), []string{"corrupt responses: 1", "another status than 200: 2"}, false},
	}
}

func TestAdvice(t *testing.T) {
	for _, row := range adviceRows() {
		t.Run(row.name, func(t *testing.T) {
			r := &rehearsalReport{rounds: row.rounds, extremes: traffic.Extremes{Newcomer: row.newcomer, Request: row.longest}}
			for end, n := range row.ended {
				r.tally.Ended[traffic.KeepAlive][end] = n
				if !row.steady {
					r.tally.Leaving[end] = n
				}
			}
			a := advise(&settings{DrainDelay: row.delay, DrainTimeout: row.timeout, MaxConnections: 7}, row.lag, r)
			if a.delay != row.wantDelay || a.timeout != row.wantTimeout || a.grace != row.wantGrace {
				t.Errorf("delay %v, timeout %v, grace %v; want %v, %v, %v", a.delay, a.timeout, a.grace, row.wantDelay, row.wantTimeout, row.wantGrace)
			}
			if len(a.why) != len(row.why) {
				t.Fatalf("reasons %q, want %q", a.why, row.why)
			}
			for i, want := range row.why {
				if !strings.Contains(a.why[i], want) {
					t.Errorf("reason %q, want %q in it", a.why[i], want)
				}
			}
		})
	}
}

// exampleReport is one of a rehearsal that lost something.
func exampleReport() *rehearsalReport {
	r := &rehearsalReport{took: 12 * time.Second, clients: 34, rounds: []roundReport{
		{number: 1, requests: 60, lost: 2, end: replicaRecord{Phases: map[string]float64{"lame_duck": 0, "closing": 20, "draining": 1500, "flushed": 0.1}}},
		{number: 2, requests: 40, lost: 0, end: replicaRecord{Exit: 3, Cut: 1, Phases: map[string]float64{"lame_duck": 0, "closing": 20, "draining": 2000, "forcing": 10}}},
	}}
	r.tally.Begun[traffic.KeepAlive], r.tally.Begun[traffic.Stream] = 90, 10
	r.tally.Ended[traffic.KeepAlive] = traffic.Counts{traffic.OK: 89, traffic.ClosedReused: 1}
	r.tally.Ended[traffic.Stream] = traffic.Counts{traffic.OK: 9, traffic.Truncated: 1}
	r.tally.Leaving = traffic.Counts{traffic.ClosedReused: 1, traffic.Truncated: 1}
	r.tally.Retried, r.tally.Recovered = 1, 1
	r.losses = []traffic.Loss{
		{Kind: traffic.KeepAlive, End: traffic.ClosedReused, Why: "EOF", After: 100 * time.Millisecond},
		{Kind: traffic.Stream, End: traffic.Truncated, Why: "\x1b[2Jread", After: -time.Second},
	}
	r.advice = advise(&settings{DrainTimeout: seconds(2)}, 200*time.Millisecond, r)
	return r
}

func TestRehearsalReport(t *testing.T) {
	t.Run("is a table for people, with the columns that are not empty", func(t *testing.T) {
		var b bytes.Buffer
		exampleReport().write(&b, false)
		for _, want := range []string{
			"2 replacements under 34 clients in 12s: 2 of 100 requests lost.",
			"        requests  begun  ok  closed reused  truncated\n",
			"      keep alive     90  89              1          0\n",
			"             all    100  98              1          1\n",
			"  round  requests  lost  exit  lame duck  closing  draining  forcing  flushed\n",
			"      2        40     0     3      0.00s    0.02s     2.00s    0.01s        -\n",
			"  keep alive, closed reused, begun 100ms after the signal: EOF\n",
			`  stream, truncated, begun 1s before the signal: \x1b[2Jread` + "\n",
			"1 were on reused connections and asked again, as clients do; 1 of those went well.\n",
			"Set --drain-delay 700ms --drain-timeout 3s, and grant at least 5s between SIGTERM and SIGKILL.\n",
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in\n%s", want, b.String())
			}
		}
	})
	t.Run("is one object in JSON", func(t *testing.T) {
		var b bytes.Buffer
		exampleReport().write(&b, true)
		got := decodeReport(t, b.String())
		if got.Lost != 2 || got.Requests.Begun != 100 || got.Requests.Ended["truncated"] != 1 || got.Requests.Kinds["stream"].Begun != 10 ||
			len(got.Rounds) != 2 || got.Rounds[1].Exit != 3 || got.Rounds[0].Phases["draining"] != 1500 || len(got.Losses) != 2 || got.Advice["drain_delay"] != "700ms" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("its exit code tells of losses and of unclean stops", func(t *testing.T) {
		lost, unclean, fine := exampleReport(), exampleReport(), exampleReport()
		unclean.tally, fine.tally = traffic.Tally{}, traffic.Tally{}
		fine.rounds = fine.rounds[:1]
		if lost.exit() != 1 || unclean.exit() != 1 || fine.exit() != 0 {
			t.Errorf("%d, %d, %d", lost.exit(), unclean.exit(), fine.exit())
		}
	})
}

// reportJSON is the report as a script reads it.
type reportJSON struct {
	Clients  int   `json:"clients"`
	Lost     int64 `json:"lost"`
	Requests struct {
		Begun     int64            `json:"begun"`
		Ended     map[string]int64 `json:"ended"`
		Retried   int64            `json:"retried"`
		Recovered int64            `json:"recovered"`
		Kinds     map[string]struct {
			Begun int64            `json:"begun"`
			Ended map[string]int64 `json:"ended"`
		} `json:"kinds"`
	} `json:"requests"`
	Rounds []struct {
		Requests int64              `json:"requests"`
		Lost     int64              `json:"lost"`
		Exit     int                `json:"exit"`
		Phases   map[string]float64 `json:"phases_ms"`
	} `json:"rounds"`
	Losses []struct {
		Kind string `json:"kind"`
		End  string `json:"end"`
	} `json:"losses"`
	LastNewcomer int64          `json:"last_newcomer_ms"`
	Advice       map[string]any `json:"advice"`
}

func decodeReport(t *testing.T, text string) (r reportJSON) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return r
}
