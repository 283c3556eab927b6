package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// readReport is the drain report that a server left.
func readReport(t testing.TB, path string) (report drainReportJSON) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return report
}

// of is the report's entry of a client.
func (r *drainReportJSON) of(t testing.TB, p *peer) entryJSON {
	t.Helper()
	at := p.conn.LocalAddr().(*net.TCPAddr).AddrPort().String()
	i := slices.IndexFunc(r.Alive.Listed, func(e entryJSON) bool { return e.Client == at })
	if i < 0 {
		t.Fatalf("the report lacks %s", at)
	}
	return r.Alive.Listed[i]
}

// reportRow is a connection's state at the signal, and what the report has to say of it.
type reportRow struct {
	name   string
	before func(t *testing.T, s *server) *peer
	after  func(p *peer)
	// phases are more than one where the server may be a step behind its client.
	phases []string
	end    string
	// The request's; "" for none, and none at all.
	target, requestEnd string
}

// untilItsEnd reads what comes, to an alert, a FIN or a reset.
func untilItsEnd(p *peer) { _, _ = io.Copy(io.Discard, p.r) }

var reportRows = []reportRow{
	{"silent", func(t *testing.T, s *server) *peer { return dialTCP(t, s.https, 0) }, untilItsEnd,
		[]string{"handshake", "new"}, "handshake_failed", "", ""},
	{"the first byte of a hello", func(t *testing.T, s *server) *peer {
		p := dialTCP(t, s.https, 0)
		p.send("\x16")
		return p
	}, untilItsEnd, []string{"handshake", "new"}, "handshake_failed", "", ""},
	{"in the middle of a handshake", func(t *testing.T, s *server) *peer {
		p := dialTCP(t, s.https, 0)
		p.send(hello(t, s))
		if _, err := p.r.Peek(1); err != nil { // of the server's flight
			t.Fatal(err)
		}
		return p
	}, untilItsEnd, []string{"handshake"}, "handshake_failed", "", ""},
	{"nothing asked yet", func(t *testing.T, s *server) *peer { return s.dial(t) }, (*peer).ended,
		[]string{"new", "handshake"}, "quiet", "", ""},
	{"idle", func(t *testing.T, s *server) *peer {
		p := s.dial(t)
		p.get("/small")
		p.response(200)
		return p
	}, (*peer).ended, []string{"idle", "writing", "handler"}, "quiet", "", ""},
	{"half a head", func(t *testing.T, s *server) *peer {
		p := s.dial(t)
		p.get("/small")
		p.response(200)
		p.send("GET /small HTTP/1.1\r\nHo")
		return p
	}, func(p *peer) {
		p.response(408)
		p.ended()
	}, []string{"head", "idle", "writing"}, "quiet", "", "refused"},
	{"half-closed behind its request", func(t *testing.T, s *server) *peer {
		p := dialTCP(t, s.http, smallWindowBytes)
		p.get("/small")
		p.response(308)
		p.get("/small")
		if err := p.conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		return p
	}, func(p *peer) {
		p.response(308)
		p.ended()
	}, nil, "quiet", "", ""}, // it may be gone before the signal
	{"a response being written", func(t *testing.T, s *server) *peer {
		p := dialTCP(t, s.https, smallWindowBytes).secure(s.trust())
		p.get("/rope?token=secret")
		if _, err := p.r.Peek(1); err != nil {
			t.Fatal(err)
		}
		return p
	}, func(p *peer) {
		response := p.head(200)
		if n, err := io.Copy(io.Discard, response.Body); n != downloadBytes || err != nil {
			p.t.Errorf("%d bytes and %v, want %d", n, err, downloadBytes)
		}
		p.ended()
	}, []string{"writing", "handler"}, "quiet", "/rope", "completed"},
}

// hello is a client's first flight, and no more.
func hello(t *testing.T, s *server) string {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		defer theirs.Close()
		_ = tls.Client(theirs, s.trust()).Handshake() // fails: nobody answers
	}()
	buf := make([]byte, 16<<10)
	n, err := ours.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestDrainReportOfEachState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drain.json")
	root := site(t, map[string]string{"small": "a small file", "rope": bulk(downloadBytes)})
	s := launch(t, root, "--http", "127.0.0.1:0", "--drain-report", path)
	var peers []*peer
	for _, row := range reportRows {
		peers = append(peers, row.before(t, s))
	}
	s.signal(syscall.SIGTERM)
	for i, row := range reportRows {
		row.after(peers[i])
	}
	if code := s.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	report := readReport(t, path)
	if report.Exit != 0 || report.Cause != "signal terminated" || report.Cut != 0 || report.Books != "" || report.Alive.Unlisted != 0 {
		t.Errorf("%+v", report)
	}
	for i, row := range reportRows {
		if len(row.phases) > 0 {
			row.check(t, report.of(t, peers[i]))
		}
	}
	if text, err := json.Marshal(report); err != nil || strings.Contains(string(text)+s.log.text(), "secret") {
		t.Errorf("%v, or a query in the report or the log", err)
	}
	alive, _ := s.await("stopped")["alive"].(map[string]any)
	if listed, ok := alive["listed"].([]any); !ok || len(listed) < 2 || len(listed) > len(report.Alive.Listed) {
		t.Errorf("the record names %v", alive)
	}
}

func (row *reportRow) check(t *testing.T, e entryJSON) {
	t.Helper()
	if !slices.Contains(row.phases, string(e.Phase)) || e.End != row.end {
		t.Errorf("%s: phase %q, end %q; want %q, %q", row.name, e.Phase, e.End, row.phases, row.end)
	}
	if e.Request == nil {
		if row.target != "" {
			t.Errorf("%s: the request is missing", row.name)
		}
		return
	}
	if row.requestEnd != "" && (e.Request.Target != row.target || e.Request.End != row.requestEnd) {
		t.Errorf("%s: request %+v, want %q %q", row.name, e.Request, row.target, row.requestEnd)
	}
}

func TestDrainReportNamesWhatIsCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "drain.json")
	s := stuck(t, "--drain-timeout", "1s", "--drain-report", path)
	s.signal(syscall.SIGTERM)
	if code := s.exit(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	for _, msg := range []string{"still under way", "cut"} {
		record := s.await(msg)
		request, _ := record["request"].(map[string]any)
		stack, _ := record["stack"].(string)
		if request["method"] != "GET" || request["target"] != "/rope" || !strings.Contains(stack, "files.") || strings.Contains(stack, "\n") {
			t.Errorf("%q: %v", msg, record)
		}
	}
	report := readReport(t, path)
	if len(report.Alive.Listed) != 1 || report.Cut != 1 || report.Exit != 3 {
		t.Fatalf("%+v", report)
	}
	if e := report.Alive.Listed[0]; e.End != "forced" || e.Request == nil || e.Request.End != "forced" || e.Phase != "writing" && e.Phase != "handler" {
		t.Errorf("%+v, %+v", e, e.Request)
	}
}

// In text the report is a table behind the record.
func TestDrainReportAsText(t *testing.T) {
	t.Parallel()
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), "--http", "127.0.0.1:0")
	s.stop()
	if strings.Contains(s.log.text(), "Stopped:") {
		t.Error("JSON lines have a table between them")
	}
	text := spawn(t, site(t, map[string]string{"index.html": "the quay"}), "--log", "text")
	eventually(t, "the banner", func() bool { return strings.Contains(text.log.text(), "Ctrl-C to stop") })
	text.stop()
	if log := text.log.text(); !strings.Contains(log, "\nStopped: signal terminated, exit 0\n") || !strings.Contains(log, "0 connections were open, with 0 requests") {
		t.Errorf("no report in\n%s", log)
	}
}

// A report that has no place any more changes no exit code.
func TestDrainReportWithoutAPlace(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "reports")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), "--drain-report", filepath.Join(dir, "drain.json"))
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if warned := s.await("drain report not written"); !strings.Contains(warned["error"].(string), "no such file") {
		t.Errorf("%v", warned)
	}
}
