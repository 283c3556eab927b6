package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// adminOf is the admin listener's address, from the record of listening.
func adminOf(s *server) string {
	addr, _ := s.await("listening")["admin"].(string)
	return addr
}

// page gets a page of an admin listener on a connection of its own.
func page(addr, target string) (status int, content []byte, err error) {
	network, at := "tcp", addr
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, at = "unix", path
	}
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}}}
	response, err := c.Get("http://admin" + target)
	if err != nil {
		return 0, nil, err
	}
	if response.Header.Get("Cache-Control") != "no-store" {
		return 0, nil, fmt.Errorf("%s may be stored", target)
	}
	content, err = readAndClose(response.Body)
	return response.StatusCode, content, err
}

// wantPage wants a status and some text.
func wantPage(t *testing.T, addr, target string, status int, text string) {
	t.Helper()
	got, content, err := page(addr, target)
	if err != nil || got != status || !strings.Contains(string(content), text) {
		t.Errorf("%s: %d %s, %v; want %d with %q", target, got, content, err, status, text)
	}
}

// metrics are the values of a scrape, by name and labels: `holdfast_phase{phase="running"}`.
func metrics(t *testing.T, addr string) map[string]float64 {
	t.Helper()
	status, content, err := page(addr, "/metrics")
	if err != nil || status != 200 {
		t.Fatalf("/metrics: %d, %v", status, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			values[name+labelled(m.GetLabel())] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
		}
	}
	return values
}

func labelled(pairs []*dto.LabelPair) string {
	if len(pairs) == 0 {
		return ""
	}
	var all []string
	for _, p := range pairs {
		all = append(all, fmt.Sprintf("%s=%q", p.GetName(), p.GetValue()))
	}
	return "{" + strings.Join(all, ",") + "}"
}

func TestAdminListener(t *testing.T) {
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), "--admin", "127.0.0.1:0", "--http", "127.0.0.1:0")
	addr := adminOf(s)
	t.Run("a server that serves is alive, ready and started", func(t *testing.T) {
		for _, target := range []string{"/livez", "/readyz", "/startupz"} {
			wantPage(t, addr, target, 200, `{"status":"ok"}`)
		}
		wantPage(t, addr, "/readyz?verbose", 200, `"checks":[{"check":"listeners","status":"ok"},{"check":"phase","status":"ok"},{"check":"files","status":"ok"}]`)
	})
	t.Run("it serves nothing of the site, and the site nothing of it", func(t *testing.T) {
		wantPage(t, addr, "/", 404, "404")
		wantPage(t, addr, "/debug/pprof/", 404, "404")
		c := client(t, s.trust())
		for _, target := range []string{"/livez", "/metrics", "/debug/pprof/heap"} {
			if response, _, err := fetch(c, s.url(target)); err != nil || response.StatusCode != 404 {
				t.Errorf("%s of the site: %v, %v", target, response, err)
			}
		}
	})
	t.Run("what it is asked is in no access log", func(t *testing.T) {
		if text := s.access.text(); strings.Contains(text, "livez?") || strings.Count(text, "\n") > 3 {
			t.Error(text)
		}
	})
	s.stop()
}

// A throng of connections that are held, and how many of them have ended.
type throng struct {
	held  []net.Conn
	ended atomic.Int64
	watch sync.WaitGroup
}

// hold opens one more connection, and says this on it.
func (g *throng) hold(t *testing.T, addr, says string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	g.held = append(g.held, c)
	_, _ = io.WriteString(c, says)
	g.watch.Go(func() {
		_, _ = io.Copy(io.Discard, c)
		g.ended.Add(1)
	})
}

func (g *throng) disperse() {
	for _, c := range g.held {
		_ = c.Close()
	}
	g.watch.Wait()
}

func TestProbesGetThrough(t *testing.T) {
	for _, row := range []struct {
		name, says string
	}{
		{"who says nothing", ""},
		{"who never finishes a head", "GET /livez HTTP/1.1\r\nHost"},
		{"who was answered and stays", "GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n"},
	} {
		t.Run("past "+row.name, func(t *testing.T) {
			s := launch(t, t.TempDir(), "--admin", "127.0.0.1:0")
			addr := adminOf(s)
			g := new(throng)
			defer g.disperse()
			for i := range int64(3 * adminPerIP) {
				g.hold(t, addr, row.says)
				eventually(t, "as many give way", func() bool { return g.ended.Load() > i-adminPerIP })
			}
			for range 3 {
				wantPage(t, addr, "/livez", 200, `"ok"`)
				wantPage(t, addr, "/readyz", 200, `"ok"`)
			}
			s.stop()
		})
	}
}

func TestAdminOnASocketWithProfiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin")
	s := launch(t, t.TempDir(), "--admin", "unix:"+path, "--admin-pprof", "on")
	if addr := adminOf(s); addr != "unix:"+path {
		t.Errorf("it listens on %q", addr)
	}
	wantPage(t, "unix:"+path, "/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total")
	wantPage(t, "unix:"+path, "/debug/pprof/cmdline", 404, "")
	t.Run("a profile that is being made does not hold up the exit", func(t *testing.T) {
		asked := make(chan error, 1)
		go func() {
			_, _, err := page("unix:"+path, "/debug/pprof/profile?seconds=100")
			asked <- err
		}()
		eventually(t, "the profile is being made", func() bool {
			_, content, err := page("unix:"+path, "/debug/pprof/goroutine?debug=1")
			return err == nil && strings.Contains(string(content), "runtime/pprof.profileWriter")
		})
		s.stop()
		if err := <-asked; err == nil {
			t.Error("the profile was taken for whole")
		}
	})
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket's file stays behind")
	}
}

// From the signal on nobody should send clients here, and nobody should restart the process
// either, until it is gone.
func TestProbesThroughTheDrain(t *testing.T) {
	s := launch(t, site(t, map[string]string{"rope": bulk(downloadBytes)}), "--admin", "127.0.0.1:0", "--drain-delay", "5s", "--drain-timeout", "60s")
	addr := adminOf(s)
	p := dialTCP(t, s.https, smallWindowBytes).secure(s.trust())
	p.get("/rope")
	response := p.head(200)
	wantPage(t, addr, "/readyz", 200, `"ok"`)

	s.signal(syscall.SIGTERM)
	s.await("stopping")
	wantPage(t, addr, "/readyz", 503, `"reasons":[{"check":"phase","reason":"stopping: lame duck"}]`)
	wantPage(t, addr, "/livez", 200, `"ok"`)
	wantPage(t, addr, "/startupz", 200, `"ok"`)
	if isRefused(s.https) {
		t.Error("clients are refused while nobody can know of it yet")
	}
	if m := metrics(t, addr); m[`holdfast_phase{phase="lame duck"}`] != 1 || m[`holdfast_phase{phase="running"}`] != 0 {
		t.Errorf("the phase: %v, %v", m[`holdfast_phase{phase="lame duck"}`], m[`holdfast_phase{phase="running"}`])
	}

	eventually(t, "the public listener is closed", func() bool { return isRefused(s.https) })
	wantPage(t, addr, "/readyz", 503, "stopping: ")
	wantPage(t, addr, "/livez", 200, `"ok"`)
	select {
	case <-s.gone:
		t.Fatal("it is gone, with a download under way")
	default:
	}
	if n, err := io.Copy(io.Discard, response.Body); n != downloadBytes || err != nil {
		t.Errorf("%d bytes and %v", n, err)
	}
	p.ended()
	if code := s.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if !isRefused(addr) {
		t.Error("somebody still listens on the admin address")
	}
}

// What was scraped when all was quiet is what the stop reports.
func TestMetricsBalance(t *testing.T) {
	root := site(t, map[string]string{"index.html": "the quay", "404.html": "no"})
	s := launch(t, root, "--admin", "127.0.0.1:0", "--http", "127.0.0.1:0", "--max-body-bytes", "10", "--max-connections-per-ip", strconv.Itoa(perClient), "--access-log", "off")
	addr := adminOf(s)
	drive(t, s)
	var m map[string]float64
	eventually(t, "all connections are gone", func() bool {
		// The figures of one scrape are each of their own moment: none still open is not yet all ended.
		m = metrics(t, addr)
		open := m["holdfast_requests_begun_total"] + m["holdfast_connections_accepted_total"]
		for name, n := range m {
			if strings.HasPrefix(name, "holdfast_requests_ended_total{") || strings.HasPrefix(name, "holdfast_connections_ended_total{") {
				open -= n
			}
		}
		for _, state := range []string{"new", "idle", "active", "detached", "closed"} {
			open += m[`holdfast_connections{state="`+state+`"}`]
		}
		return open == 0 && m["holdfast_requests_open"] == 0
	})
	m = metrics(t, addr) // of that, all figures
	for name, want := range map[string]float64{
		`holdfast_requests_total{method="GET",route="files",status="200"}`:    3,
		`holdfast_requests_total{method="GET",route="files",status="404"}`:    2,
		`holdfast_requests_total{method="OTHER",route="files",status="501"}`:  2,
		`holdfast_requests_total{method="POST",route="files",status="413"}`:   1,
		`holdfast_requests_total{method="GET",route="redirect",status="308"}`: 1,
		`holdfast_requests_refused_total{code="body-too-large"}`:              1,
		`holdfast_requests_refused_total{code="plain-on-tls"}`:                1,
		`holdfast_requests_refused_total{code="bare-lf"}`:                     0,
		`holdfast_limit_hits_total{limit="max-body-bytes"}`:                   1,
		`holdfast_limit_hits_total{limit="max-connections-per-ip"}`:           m[`holdfast_connections_ended_total{ending="refused"}`],
		`holdfast_limit_hits_total{limit="max-connections"}`:                  0,
		`holdfast_handshakes_failed_total{reason="not-tls"}`:                  1,
		`holdfast_handshakes_failed_total{reason="unknown-name"}`:             1,
		`holdfast_connections_refused_total{limit="connections-per-ip"}`:      m[`holdfast_connections_ended_total{ending="refused"}`],
		`holdfast_phase{phase="running"}`:                                     1,
	} {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	if left := m[`holdfast_certificate_expiry_seconds{host="localhost",source="local CA"}`]; left < (29*24*time.Hour).Seconds() || left > (31*24*time.Hour).Seconds() {
		t.Errorf("%v s until the local certificate ends, want about 30 days", left)
	}
	if m["go_goroutines"] == 0 || m["process_open_fds"] == 0 {
		t.Error("nothing of Go or the process")
	}
	s.stop()
	s.balances(m)
}

// drive is one of each thing that is counted.
func drive(t *testing.T, s *server) {
	t.Helper()
	c := client(t, s.trust())
	for _, target := range []string{"/", "/", "/", "/x", "/secret-path"} {
		if _, _, err := fetch(c, s.url(target), "Authorization", "Bearer secret-token"); err != nil {
			t.Fatal(err)
		}
	}
	p := s.dial(t)
	p.send("BREW / HTTP/1.1\r\nHost: localhost\r\n\r\nSTIR / HTTP/1.1\r\nHost: localhost\r\n\r\nPOST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\nfar too much")
	for _, status := range []int{501, 501, 413} {
		p.response(status)
	}
	p.ended()
	if response, _, err := fetch(c, "http://"+s.http+"/x"); err != nil || response.StatusCode != 308 {
		t.Errorf("%v, %v", response, err)
	}
	clearText := dialTCP(t, s.https, 0)
	clearText.get("/")
	clearText.response(400)
	for _, one := range []*peer{p, clearText} {
		_ = one.conn.Close()
	}
	unknown := s.trust()
	unknown.ServerName = "unknown.test"
	if _, _, err := fetch(client(t, unknown), s.url("/")); err == nil {
		t.Error("an unknown name was served")
	}
	c.CloseIdleConnections()
	var crowd []net.Conn
	for range 2 * perClient {
		if one, err := net.Dial("tcp", s.http); err == nil { // some are reset as soon as they are there
			crowd = append(crowd, one)
		}
	}
	eventually(t, "the crowd was let in, up to the limit", func() bool {
		m := metrics(t, adminOf(s))
		return m[`holdfast_connections_refused_total{limit="connections-per-ip"}`] >= perClient
	})
	for _, one := range crowd {
		_ = one.Close()
	}
}

// perClient is a limit of connections that drive goes over.
const perClient = 16

// balances holds a scrape against the record of the stop.
func (s *server) balances(m map[string]float64) {
	s.t.Helper()
	connections, requests := s.ledger("connections"), s.ledger("requests")
	for name, want := range map[string]any{
		"holdfast_connections_accepted_total": connections["accepted"], "holdfast_requests_begun_total": requests["begun"],
		"holdfast_late_bytes_total": connections["late_bytes"],
	} {
		if m[name] != want {
			s.t.Errorf("%s was %v, the stop reports %v", name, m[name], want)
		}
	}
	ended := 0.0
	for _, ending := range []string{"quiet", "refused", "handshake_failed", "peer_left", "forced"} {
		n := m[`holdfast_connections_ended_total{ending="`+ending+`"}`]
		if ended += n; n != connections[ending] {
			s.t.Errorf("%v connections ended %s, the stop reports %v", n, ending, connections[ending])
		}
	}
	if ended != connections["accepted"] {
		s.t.Errorf("%v connections ended, %v were accepted", ended, connections["accepted"])
	}
	ended = 0
	for _, ending := range []string{"completed", "refused", "aborted", "forced"} {
		n := m[`holdfast_requests_ended_total{ending="`+ending+`"}`]
		if ended += n; n != requests[ending] {
			s.t.Errorf("%v requests ended %s, the stop reports %v", n, ending, requests[ending])
		}
	}
	for name, n := range m {
		if strings.HasPrefix(name, "holdfast_requests_total{") && !strings.Contains(name, `route="admin"`) {
			ended -= n
		}
		if strings.Contains(name, "secret") {
			s.t.Errorf("%s tells what a client sent", name)
		}
	}
	if ended != 0 {
		s.t.Errorf("%v requests ended without a method, route and status of their own", ended)
	}
}

// The admin listener's own requests and connections are in no account of the public's.
func TestAdminIsInNoAccount(t *testing.T) {
	s := launch(t, t.TempDir(), "--admin", "127.0.0.1:0")
	addr := adminOf(s)
	for range 5 {
		wantPage(t, addr, "/livez", 200, "")
	}
	scrapes := -1.0 // before the one that tells
	eventually(t, "its requests are counted, which is a moment after they are answered", func() bool {
		scrapes++
		return metrics(t, addr)[`holdfast_requests_total{method="GET",route="admin",status="200"}`] == 5+scrapes
	})
	s.stop()
	for _, account := range []string{"connections", "requests"} {
		text, err := json.Marshal(s.ledger(account))
		if err != nil || strings.Trim(string(text), `{}abcdefghijklmnopqrstuvwxyz_:",0`) != "" {
			t.Errorf("%s: %s, %v; want nothing but noughts", account, text, err)
		}
	}
}
