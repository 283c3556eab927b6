package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

func TestAskingCommandsRefuse(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for _, c := range []struct {
		name, args string
		exit       int
		want       string
	}{
		{"status without a server", "status --state " + empty, 1, `holdfast: no server listens at "` + filepath.Join(empty, "control.sock") + `"; is it running? If its state`},
		{"reload without a server", "reload --state " + empty, 1, "holdfast: no server listens at "},
		{"stop without a server", "stop --state " + empty, 1, "holdfast: no server listens at "},
		{"an empty state directory", "status --state=", 2, `holdfast: state "" is empty (--state)`},
		{"a configuration that is not there", "stop --config /nowhere/at.all", 1, `holdfast: cannot read the configuration file "/nowhere/at.all" (--config)`},
		{"an unknown flag", "stop --wat", 2, `holdfast: unknown flag "--wat"; did you mean --wait?`},
		{"an argument", "status now", 2, "holdfast: unexpected argument now"},
		{"a time limit without a wait", "stop --timeout 1m --state " + empty, 2, "holdfast: --timeout without --wait: nothing is waited for; add --wait"},
		{"a time limit without a unit", "stop --wait --timeout 60 --state " + empty, 2, `holdfast: timeout "60" is no duration (--timeout): it has no unit; write 60s`},
		{"a time limit out of range", "stop --wait --timeout 49h --state " + empty, 2, `holdfast: timeout "49h" is out of range (--timeout); write one from 1s to 48h0m0s`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t), strings.Split(c.args, " ")...)
			if got := lines(r.err); r.exit != c.exit || r.out != "" || len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d and %q", r.exit, r.out, got, c.exit, c.want)
			}
		})
	}
	t.Run("where there is no state directory", func(t *testing.T) {
		r := holdfast(t, environment{}, "status")
		if r.exit != 1 || !strings.Contains(r.err, "name one with --state") {
			t.Errorf("exit %d, %s", r.exit, r.err)
		}
	})
	t.Run("the state directory comes from the server's settings", func(t *testing.T) {
		file := writeFile(t, "holdfast.toml", "state = \"/from/the/file\"\nidle-timeout = \"5s\"\n")
		for want, r := range map[string]result{
			"/from/the/file":     holdfast(t, testEnvironment(t), "status", "--config", file),
			"/from/the/variable": holdfast(t, testEnvironment(t, "HOLDFAST_STATE=/from/the/variable"), "status", "--config", file),
			"/from/systemd":      holdfast(t, testEnvironment(t, "STATE_DIRECTORY=/from/systemd"), "status"),
		} {
			if r.exit != 1 || !strings.Contains(r.err, want+"/control.sock") {
				t.Errorf("exit %d, %q; want %s", r.exit, r.err, want)
			}
		}
	})
}

func TestAskFaults(t *testing.T) {
	here := buildVersion().Version
	for _, c := range []struct {
		name   string
		answer control.Answer
		err    error
		want   []string
	}{
		{name: "none", answer: control.Answer{Protocol: 1, Version: "v0"}},
		{name: "another protocol", answer: control.Answer{Protocol: 2, PID: 7, Version: "v9", Faults: []string{"?"}},
			want: []string{"the server speaks version 2 of the control protocol, this command version 1; pid 7 is holdfast v9, and this is " + here + ": use the binary that the server runs"}},
		{name: "those of the server", answer: control.Answer{Protocol: 1, Version: here, Faults: []string{"one", "two\x1b[2J"}},
			want: []string{"one", `two\x1b[2J`}},
		{name: "those of a server of another version", answer: control.Answer{Protocol: 1, PID: 7, Version: "v0", Faults: []string{"no such verb"}},
			want: []string{"no such verb", "pid 7 is holdfast v0, and this is " + here + ": use the binary that the server runs"}},
		{name: "a path that is closed", err: &fs.PathError{Op: "dial", Path: "/s", Err: fs.ErrPermission},
			want: []string{`cannot speak to the server at "/s": dial /s: permission denied; run this as the server's user, or as root`}},
		{name: "a stranger", err: fmt.Errorf("%w: uid 7", control.ErrStranger),
			want: []string{`the socket "/s" is a stranger's, and was told nothing: who listens there is neither the state directory's owner nor root: uid 7; find out who put it there, and why the server has not`}},
		{name: "a server that hangs", err: context.DeadlineExceeded,
			want: []string{`no answer from a server at "/s": it took longer than 10s; what was asked for goes on: see holdfast status`}},
		{name: "a server that was killed", err: control.ErrGone,
			want: []string{`no answer from a server at "/s": the server ended without an answer; its log says why, unless it was killed`}},
		{name: "something else", err: control.ErrNoAnswer,
			want: []string{`no answer from a server at "/s": what answers there is no holdfast server`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range askFaults(c.answer, c.err, "/s", 10*time.Second) {
				got = append(got, f.line())
			}
			if listed(got) != listed(c.want) {
				t.Errorf("got\n%s\nwant\n%s", listed(got), listed(c.want))
			}
		})
	}
}

func TestStatusTable(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	left := 12.34
	s := serverStatus{
		PID: 4711, Version: "v1.2.3", Since: now.Add(-90 * time.Second), UptimeSeconds: 90.4, Phase: "draining", DrainLeft: &left,
		Listeners:   []listenStatus{{"https", "127.0.0.1:8443"}},
		Connections: openConnections{Idle: 2, Active: 1, Ledger: conn.Ledger{Accepted: 9, Quiet: 5, Refused: 1, Open: 3}},
		certificateList: certificateList{NotListed: 4, Certificates: []certificateStatus{
			{Names: []string{"a.example", "b.example"}, NotListed: 7, Source: "file \x1b[2J", NotAfter: now.Add(50 * time.Hour)},
		}},
	}
	s.Requests.Begun, s.Requests.Completed, s.Requests.Open = 8, 7, 1
	var got bytes.Buffer
	s.write(&got, now)
	const want = `server       pid 4711, version v1.2.3
phase        draining, 12.3s left
up           1m30s, since 2026-03-01T11:58:30Z
https        127.0.0.1:8443
connections  3 open: 0 new, 2 idle, 1 active, 0 detached, 0 closing
             9 accepted: 5 quiet, 1 refused, 0 handshake failed, 0 peer left, 0 forced
requests     1 under way
             8 begun: 7 completed, 0 refused, 0 aborted, 0 forced
certificate  a.example, b.example and 7 more: expires on 2026-03-03, in 2 days, file \x1b[2J
             and 4 more certificates
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &got, want)
	}
}

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		-time.Hour:       "expired on 2026-03-01",
		0:                "expired on 2026-03-01",
		90 * time.Minute: "expires on 2026-03-01, in 1h30m0s",
		30 * time.Hour:   "expires on 2026-03-02, in 1 day",
		10 * oneDay:      "expires on 2026-03-11, in 10 days",
	} {
		if got := expiry(now.Add(left), now); got != want {
			t.Errorf("%s before: %q, want %q", left, got, want)
		}
	}
}

func TestStatusIsBounded(t *testing.T) {
	many := make([]string, 10_000)
	for i := range many {
		many[i] = strings.Repeat("n", 200) + ".example"
	}
	got := describeCertificate(&certs.Certificate{Names: many, Source: "file a.pem"})
	if len(got.Names) != namesLimit || got.NotListed != len(many)-namesLimit {
		t.Errorf("%d names and %d not listed", len(got.Names), got.NotListed)
	}
	one, err := json.Marshal(got)
	if err != nil || certificatesLimit*len(one) > control.AnswerBytes {
		t.Errorf("%d certificates of %d bytes do not fit an answer of %d (%v)", certificatesLimit, len(one), control.AnswerBytes, err)
	}
}

func TestStatusOfAServerWithoutCertificates(t *testing.T) {
	r := &running{house: &house{}, settings: &settings{Version: "v1"}, connections: &conn.Server{}, stop: &lifecycle.Stop{}}
	result, err := r.status(t.Context(), control.Call{})
	if err != nil {
		t.Fatal(err)
	}
	s := result.(serverStatus)
	if s.Phase != "starting" || s.DrainLeft != nil || s.Certificates == nil || len(s.Certificates) > 0 || s.Version != "v1" {
		t.Errorf("got %+v", s)
	}
	if again, err := r.askedToReload(t.Context(), control.Call{}); err != nil || again.(reloadStatus).Nothing != "it has no certificates" {
		t.Errorf("a reload says %+v, %v", again, err)
	}
}

func TestReloadGivesUpOnADiskThatHangs(t *testing.T) {
	hung := make(chan struct{})
	defer close(hung)
	r := &running{house: &house{certificates: certificates{
		selector: certs.NewSelector(certs.RejectUnknown), renew: func(context.Context) error { <-hung; return nil },
	}}, stop: &lifecycle.Stop{}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.askedToReload(ctx, control.Call{}); err == nil || !strings.Contains(err.Error(), "could not be read in time") {
		t.Errorf("got %v", err)
	}
}

// Whatever stands in the way of a control socket is told and no more: the actor goes on until
// it is interrupted.
func TestNoControlSocketIsNoFault(t *testing.T) {
	file := writeFile(t, "file", "")
	for _, c := range []struct {
		name     string
		settings settings
		want     string
	}{
		{"no state directory is found", settings{StateWhy: "HOME is unset"}, `level=DEBUG msg="no control socket" error="no place for a control socket: HOME is unset"`},
		{"the usual one cannot be had", settings{StateDir: file + "/state"}, `level=DEBUG msg="no control socket"`},
		{"the one that was asked for cannot be had", settings{StateDir: file + "/state", StateAsked: true}, `level=WARN msg="no control socket"`},
		{"a rehearsal's servers share theirs", settings{Rehearsal: true, StateDir: t.TempDir()}, `level=DEBUG msg="no control socket"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := new(transcript)
			r := &running{house: &house{log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, settings: &c.settings}
			asked := r.control()
			defer asked.Close(nil)
			ctx, interrupt := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- r.takeControl(ctx, asked) }()
			eventually(t, "the log has a line", func() bool { return log.text() != "" })
			select {
			case err := <-ended:
				t.Fatalf("the actor died: %v", err)
			default:
			}
			interrupt()
			if err := <-ended; err != nil || !strings.Contains(log.text(), c.want) || strings.Count(log.text(), "\n") != 1 {
				t.Errorf("%v, and the log says\n%swant one line with %s", err, log.text(), c.want)
			}
		})
	}
}

func TestEnded(t *testing.T) {
	got := ended(lifecycle.Report{
		Died: errors.New("http: it broke"), Cut: 2,
		Phases: []lifecycle.Stretch{{Phase: lifecycle.LameDuck, Took: time.Second}, {Phase: lifecycle.Draining, Took: 500 * time.Millisecond}},
	}, 4)
	if want := (endStatus{Exit: 4, Cause: "http: it broke", Cut: 2, TookSeconds: 1.5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
