package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// entry is one of a roll; a request without a method is half a head, "-" none at all.
func rollEntry(id uint64, phase conn.Phase, end, method, taskEnd string) conn.Entry {
	e := conn.Entry{
		ID: id, Client: netip.MustParseAddrPort("192.0.2.1:4000"), Age: 1500 * time.Millisecond, Phase: phase, Then: conn.Traffic{Received: 10, Sent: 20},
		Outcome: conn.Outcome{End: end, After: 2 * time.Second, Carried: conn.Traffic{Received: 30, Sent: 40}},
	}
	if method == "-" {
		return e
	}
	e.Task = &conn.TaskEntry{ID: "9f86d081-2a-1", Age: time.Second, Phase: phase, Outcome: conn.Outcome{End: taskEnd, After: time.Second, Carried: conn.Traffic{Received: 3, Sent: 4}}}
	if method != "" {
		e.Task.About = []slog.Attr{slog.String("method", method), slog.String("target", "/rope")}
	}
	return e
}

// ended is a report of a stop that cut two of six.
func endedReport() *drainReport {
	stop := lifecycle.Report{
		Signal: syscall.SIGTERM, Begun: time.Unix(1_800_000_000, 0), Cut: 2,
		Phases: []lifecycle.Stretch{{Phase: lifecycle.LameDuck, Took: time.Second}, {Phase: lifecycle.Draining, Took: 25 * time.Second}},
	}
	roll := conn.Roll{Open: 6, Accepted: 6, Entries: []conn.Entry{
		rollEntry(1, conn.PhaseIdle, "quiet", "-", ""),
		rollEntry(2, conn.PhaseHandler, "quiet", "GET", "completed"),
		rollEntry(3, conn.PhaseHead, "peer_left", "", "aborted"),
		rollEntry(4, conn.PhaseWriting, "forced", "GET", "forced"),
		rollEntry(5, conn.PhaseHandler, "", "POST", ""),
		rollEntry(6, conn.PhaseHandshake, "handshake_failed", "-", ""),
	}}
	connections := conn.Ledger{Accepted: 9, Quiet: 5, HandshakeFailed: 1, PeerLeft: 1, Forced: 2, LateBytes: 7}
	requests := http1.Ledger{Begun: 10, Completed: 7, Aborted: 1, Forced: 2}
	return newDrainReport(stop, connections, roll, requests, http1.Refusals{"head-timeout": 1})
}

func TestDrainReportTable(t *testing.T) {
	text := endedReport().text()
	for _, want := range []string{
		"Stopped: signal terminated, exit 3\n",
		"  phases       lame duck 1s, draining 25s\n",
		"9 accepted = 5 quiet + 0 refused + 1 handshake failed + 1 peer left + 2 forced\n",
		"10 begun = 7 completed + 0 refused + 1 aborted + 2 forced\n",
		"7 bytes that clients sent after",
		"6 connections were open, with 4 requests under way\n",
		"9f86d081-2a-1  192.0.2.1:4000  1s    writing    3         4     forced            1s     GET /rope\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	_, table, _ := strings.Cut(text, "request\n")
	var ends []string
	for _, row := range lines(strings.TrimRight(table, "\n")) {
		for _, end := range []string{"not yet", "forced", "aborted", "handshake failed", "completed", "quiet"} {
			if strings.Contains(row, end) {
				ends = append(ends, end)
			}
		}
	}
	if got := strings.Join(ends, ", "); got != "not yet, forced, aborted, handshake failed, completed" {
		t.Errorf("rows end %s; want the worst first, and not who was idle", got)
	}
}

func TestDrainReportTableIsBounded(t *testing.T) {
	r := endedReport()
	for range 100 {
		r.roll.Entries = append([]conn.Entry{rollEntry(7, conn.PhaseHandler, "forced", "GET", "forced")}, r.roll.Entries...)
	}
	text := r.text()
	if n := strings.Count(text, "192.0.2.1"); n != tableRows || !strings.Contains(text, "and 65 more\n") {
		t.Errorf("%d rows:\n%s", n, text)
	}
	if listed := r.alive().Value.Group()[2].Value.Any().([]entryJSON); len(listed) != loggedEntries {
		t.Errorf("the record names %d, want %d", len(listed), loggedEntries)
	}
}

func TestDrainReportBooks(t *testing.T) {
	r := newDrainReport(lifecycle.Report{Signal: syscall.SIGTERM}, conn.Ledger{Accepted: 2, Quiet: 1}, conn.Roll{}, http1.Ledger{}, nil)
	if r.exit != lifecycle.ExitUnbalanced || !strings.Contains(r.text(), "do not balance") || r.json().Books == "" {
		t.Errorf("exit %d\n%s", r.exit, r.text())
	}
	open := newDrainReport(lifecycle.Report{}, conn.Ledger{Accepted: 1, Open: 1}, conn.Roll{}, http1.Ledger{Begun: 1, Open: 1}, nil)
	if open.exit != lifecycle.ExitUnbalanced {
		t.Errorf("exit %d, want 5: nothing may be open at the end", open.exit)
	}
	stuck := newDrainReport(lifecycle.Report{Stuck: true}, conn.Ledger{Accepted: 1, Open: 1}, conn.Roll{}, http1.Ledger{Begun: 1, Open: 1}, nil)
	if stuck.exit != lifecycle.ExitCut || !strings.Contains(stuck.text(), "+ 1 open") {
		t.Errorf("exit %d, want 3: a handler did not return\n%s", stuck.exit, stuck.text())
	}
}

func TestDrainReportFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drain.json")
	if err := os.WriteFile(path, []byte("an older one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := endedReport().writeFile(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got drainReportJSON
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Exit != 3 || got.Cut != 2 || got.Phases["draining"] != 25_000 || got.Alive.Later != 3 || got.Alive.Requests != 4 || len(got.Alive.Listed) != 6 || got.Refusals["head-timeout"] != 1 {
		t.Errorf("%s", text)
	}
	forced := got.Alive.Listed[1]
	want := taskJSON{ID: "9f86d081-2a-1", Method: "GET", Target: "/rope", Age: 1000, Phase: "writing", outcomeJSON: outcomeJSON{"forced", 1000, bytesJSON{3, 4}}}
	if forced.Request == nil || *forced.Request != want || forced.Client != "192.0.2.1:4000" || forced.InAll != (bytesJSON{30, 40}) {
		t.Errorf("%+v, %+v; want %+v", forced, forced.Request, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, mode %v, want 0600", err, info.Mode())
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v: something is left beside it", entries, err)
	}
}

func TestDrainReportFileThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone", "drain.json")
	if err := endedReport().writeFile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want that there is no such directory", err)
	}
	folder := t.TempDir()
	if err := endedReport().writeFile(folder); err == nil {
		t.Error("a directory was replaced")
	}
	if entries, err := os.ReadDir(filepath.Dir(folder)); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v: something is left behind", entries, err)
	}
}

func TestDrainReportSetting(t *testing.T) {
	dir := t.TempDir()
	t.Run("a file in a directory that exists", func(t *testing.T) {
		if s := configured(t, testEnvironment(t), "--drain-report", filepath.Join(dir, "drain.json")); s.DrainReport != filepath.Join(dir, "drain.json") {
			t.Errorf("%q", s.DrainReport)
		}
	})
	t.Run("none by default, and none in a rehearsal", func(t *testing.T) {
		if s := configured(t, testEnvironment(t)); s.DrainReport != "" {
			t.Errorf("%q", s.DrainReport)
		}
		s := &settings{DrainReport: "/x"}
		if s.rehearsed(dir); s.DrainReport != "" {
			t.Errorf("a rehearsal writes %q", s.DrainReport)
		}
	})
	for _, row := range []struct {
		name, value, want string
		exit              int
	}{
		{"no directory", filepath.Join(dir, "gone", "drain.json"), "make the directory", 1},
		{"a directory", dir, "something that is no file", 1},
		{"below a file", filepath.Join(writeFile(t, "a", ""), "drain.json"), "is a file", 1},
		{"nothing", "", "--drain-report", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t), "serve", "--drain-report", row.value)
			if r.exit != row.exit || !strings.Contains(strings.ToLower(r.err), row.want) {
				t.Errorf("exit %d, want %d: %s", r.exit, row.exit, r.err)
			}
		})
	}
}
