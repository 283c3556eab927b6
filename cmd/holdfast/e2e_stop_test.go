package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

const downloadBytes = 10_000_000

// Small windows keep a download in the server's hands: what the kernels have taken needs
// no server to arrive.
const smallWindowBytes = 16 << 10

func TestInterruptDuringASlowDownload(t *testing.T) {
	content := bulk(downloadBytes)
	s := launch(t, site(t, map[string]string{"rope": content}), "--drain-timeout", "60s")
	p := dialTCP(t, s.https, smallWindowBytes).secure(s.trust())
	p.get("/rope")
	response := p.head(200)
	got := sha256.New()
	if _, err := io.CopyN(got, response.Body, 100_000); err != nil {
		t.Fatal(err)
	}
	s.signal(os.Interrupt)
	eventually(t, "new connections are refused while the download runs", func() bool { return isRefused(s.https) })

	n := paced(t, got, response.Body, 250_000, 10*time.Millisecond)
	if 100_000+n != downloadBytes || hex.EncodeToString(got.Sum(nil)) != sum([]byte(content)) {
		t.Errorf("%d bytes arrived, or others than were sent; want all %d", 100_000+n, downloadBytes)
	}
	p.ended()
	if code := s.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if completed := s.ledger("requests")["completed"]; completed != 1.0 {
		t.Errorf("%v requests completed, want 1", completed)
	}
}

// paced copies r to w, at most pieceBytes in each interval, and returns how much came.
func paced(t testing.TB, w io.Writer, r io.Reader, pieceBytes int64, interval time.Duration) (n int64) {
	t.Helper()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		m, err := io.CopyN(w, r, pieceBytes)
		n += m
		switch err {
		case nil:
		case io.EOF:
			return n
		default:
			t.Fatalf("after %d bytes: %v", n, err)
		}
		<-tick.C
	}
}

// stopRow is a connection's state at the signal. before brings it there and returns what
// has to be true afterwards.
type stopRow struct {
	name   string
	before func(t *testing.T, s *server) (after func())
}

const goesOn = "half a head that goes on is answered, and told that it is the last"

// stopRows: what was begun is answered, what was not is closed in good order.
var stopRows = []stopRow{
	{"a silent connection before its handshake is closed", func(t *testing.T, s *server) func() {
		p := dialTCP(t, s.https, 0)
		return func() { _, _ = io.Copy(io.Discard, p.r) } // its end may be an alert, a FIN or a reset
	}},
	{"half a hello is given up", func(t *testing.T, s *server) func() {
		p := dialTCP(t, s.https, 0)
		p.send("\x16\x03\x01\x02\x00\x01")
		return func() { _, _ = io.Copy(io.Discard, p.r) }
	}},
	{"a connection without a request yet ends with notice", func(t *testing.T, s *server) func() {
		return s.dial(t).ended
	}},
	{"an idle connection ends with notice", func(t *testing.T, s *server) func() {
		p := s.dial(t)
		p.get("/small")
		p.response(200)
		return p.ended
	}},
	{"a request that was sent before the signal is answered", func(t *testing.T, s *server) func() {
		p := s.dial(t)
		p.get("/small")
		p.response(200)
		p.get("/small")
		return func() {
			p.response(200)
			p.ended()
		}
	}},
	{goesOn, func(t *testing.T, s *server) func() {
		p := s.dial(t)
		p.send("GET /small HTTP/1.1\r\nHo")
		return func() {
			s.await("stopping") // before it nobody knows that there is anything to tell
			p.send("st: localhost\r\n\r\n")
			if response, _ := p.response(200); !response.Close {
				t.Error("the response lacks Connection: close")
			}
			p.ended()
		}
	}},
	{"half a head that does not go on gets 408", func(t *testing.T, s *server) func() {
		p := s.dial(t)
		p.send("GET /small HTTP/1.1\r\nHo")
		return func() {
			p.response(408)
			p.ended()
		}
	}},
	{"half a body leaves its answer readable", func(t *testing.T, s *server) func() {
		p := s.dial(t)
		p.send("POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nthe beginning")
		return func() {
			p.response(405)
			p.ended()
		}
	}},
	{"a response that is being written is written to its end", func(t *testing.T, s *server) func() {
		p := dialTCP(t, s.https, smallWindowBytes).secure(s.trust())
		p.get("/rope")
		response := p.head(200)
		return func() {
			if n, err := io.Copy(io.Discard, response.Body); n != downloadBytes || err != nil {
				t.Errorf("%d bytes and %v, want %d", n, err, downloadBytes)
			}
			p.ended()
		}
	}},
}

func TestTerminateInEachState(t *testing.T) {
	binary(t)
	root := site(t, map[string]string{"small": "a small file", "rope": bulk(downloadBytes)})
	for _, row := range stopRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var flags []string
			if row.name == goesOn {
				flags = []string{"--drain-delay", "5s"} // a second, which it has without one, is little for a busy machine
			}
			s := launch(t, root, flags...)
			after := row.before(t, s)
			s.signal(syscall.SIGTERM)
			after()
			if code := s.exit(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

func TestTerminateInAllStatesAtOnce(t *testing.T) {
	const ofEach = 5
	s := launch(t, site(t, map[string]string{"small": "a small file", "rope": bulk(downloadBytes)}))
	var afters []func()
	for range ofEach {
		for _, row := range stopRows {
			if row.name != goesOn { // within 1 s
				afters = append(afters, row.before(t, s))
			}
		}
	}
	s.signal(syscall.SIGTERM)
	for _, after := range afters {
		after()
	}
	if code := s.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if forced := s.ledger("connections")["forced"]; forced != 0.0 {
		t.Errorf("%v connections forced, want none", forced)
	}
}
