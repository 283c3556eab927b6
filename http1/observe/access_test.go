package observe

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/holdfast-server/holdfast/http1"
)

// record is a completed request over TLS.
func record() *http1.Record {
	return &http1.Record{
		ID:        "9f86d081-2a-1",
		Start:     time.Date(2025, 3, 1, 12, 4, 5, 0, time.UTC),
		Duration:  3141 * time.Microsecond,
		Client:    netip.MustParseAddrPort("192.0.2.1:50000"),
		Peer:      netip.MustParseAddrPort("192.0.2.1:50000"),
		TLS:       &tls.ConnectionState{Version: tls.VersionTLS13, CurveID: tls.X25519MLKEM768},
		Method:    "GET",
		Target:    "/index.html?q=1",
		Authority: "localhost:8443",
		Proto:     "HTTP/1.1",
		Status:    200,
		Bytes:     1536,
	}
}

// jsonLine logs r and returns the one line that came of it, decoded.
func jsonLine(t *testing.T, r *http1.Record) map[string]any {
	t.Helper()
	var out bytes.Buffer
	AccessLog(slog.New(slog.NewJSONHandler(&out, nil)))(r)
	if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasSuffix(out.String(), "\n") {
		t.Fatalf("%d lines: %q", n, out.String())
	}
	line := map[string]any{}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	return line
}

func textLine(r *http1.Record, color bool) string {
	var out bytes.Buffer
	AccessLog(slog.New(NewTextHandler(&out, color)))(r)
	return out.String()
}

func TestAccessLogJSON(t *testing.T) {
	t.Run("a client on a unix socket has no address, and is called so", func(t *testing.T) {
		r := record()
		r.Client = netip.AddrPort{}
		if got := jsonLine(t, r)["client"]; got != "unix" {
			t.Errorf("client is %v", got)
		}
	})
	t.Run("a completed request has the stable keys and no more", func(t *testing.T) {
		want := map[string]any{
			"time": "2025-03-01T12:04:05.003141Z", "level": "INFO", "msg": "request",
			"id": "9f86d081-2a-1", "client": "192.0.2.1:50000", "method": "GET", "target": "/index.html?q=1",
			"authority": "localhost:8443", "proto": "HTTP/1.1", "status": 200.0, "bytes": 1536.0,
			"duration_ms": 3.141, "tls": "TLS 1.3", "group": "X25519MLKEM768",
		}
		got := jsonLine(t, record())
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s is %v, want %v", key, got[key], value)
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok {
				t.Errorf("key %s = %v is not expected", key, got[key])
			}
		}
	})
	t.Run("without TLS there is neither version nor group", func(t *testing.T) {
		r := record()
		r.TLS = nil
		line := jsonLine(t, r)
		if line["tls"] != nil || line["group"] != nil {
			t.Errorf("line is %v", line)
		}
	})
	t.Run("a session without a group has the version alone", func(t *testing.T) {
		r := record()
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS12}
		line := jsonLine(t, r)
		if line["tls"] != "TLS 1.2" || line["group"] != nil {
			t.Errorf("line is %v", line)
		}
	})
}

func TestAccessLogOfAClientWithACertificate(t *testing.T) {
	shown := func(name string, verified bool) map[string]any {
		cert := &x509.Certificate{Subject: pkix.Name{CommonName: name}}
		r := record()
		r.TLS.PeerCertificates = []*x509.Certificate{cert}
		if verified {
			r.TLS.VerifiedChains = [][]*x509.Certificate{{cert}}
		}
		return jsonLine(t, r)
	}
	for _, c := range []struct {
		name, subject string
		verified      bool
		want          any
	}{
		{"its subject is in the line", "mary", true, "CN=mary"},
		{"unless nobody verified it", "mallory", false, nil},
		{"what the CA let in is escaped", "a\n{\"msg\":\"request\"}\x1b[2J", true, `CN=a\x0a{\x5c"msg\x5c":\x5c"request\x5c"}\x1b[2J`},
		{"and cut", strings.Repeat("a", 2000), true, Escape("CN="+strings.Repeat("a", 2000), 512)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := shown(c.subject, c.verified)["client_subject"]; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("in text it has its name", func(t *testing.T) {
		r := record()
		r.TLS.VerifiedChains = [][]*x509.Certificate{{{Subject: pkix.Name{CommonName: "mary"}}}}
		if line := textLine(r, false); !strings.Contains(line, " client_subject=") || !strings.Contains(line, "CN=mary") {
			t.Error(line)
		}
	})
}

func TestAccessLogOfAClientBehindAProxy(t *testing.T) {
	for _, c := range []struct {
		name, client, peer       string
		clientLogged, peerLogged any
	}{
		{"the peer is named where it is not the client", "203.0.113.7:4711", "192.0.2.1:50000", "203.0.113.7:4711", "192.0.2.1:50000"},
		{"an unknown port is left out", "2001:db8::7", "192.0.2.1:50000", "2001:db8::7", "192.0.2.1:50000"},
		{"another port is another end", "192.0.2.1:4711", "192.0.2.1:50000", "192.0.2.1:4711", "192.0.2.1:50000"},
		{"a proxy on a unix socket", "203.0.113.7", "", "203.0.113.7", "unix"},
		{"a client on a unix socket", "", "", "unix", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := record()
			r.Client, r.Peer = addressOf(c.client), addressOf(c.peer)
			line := jsonLine(t, r)
			if line["client"] != c.clientLogged || line["peer"] != c.peerLogged {
				t.Errorf("client %v, peer %v, want %v and %v", line["client"], line["peer"], c.clientLogged, c.peerLogged)
			}
		})
	}
	t.Run("a person reads of the peer too", func(t *testing.T) {
		r := record()
		r.Client = addressOf("203.0.113.7")
		if line := textLine(r, false); !strings.Contains(line, " 203.0.113.7 ") || !strings.Contains(line, "peer=192.0.2.1:50000") {
			t.Errorf("line is %q", line)
		}
	})
}

// addressOf reads an address with or without a port; "" is none.
func addressOf(s string) netip.AddrPort {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a
	}
	a, _ := netip.ParseAddr(s)
	return netip.AddrPortFrom(a, 0)
}

func TestAccessLogOfABrokenRequest(t *testing.T) {
	t.Run("a refused request has its reason's code", func(t *testing.T) {
		r := record()
		r.Ending, r.Status, r.Reason = http1.Refused, 400, http1.Reasons()[0]
		line := jsonLine(t, r)
		if line["ending"] != "refused" || line["reason"] != http1.Reasons()[0].Code {
			t.Errorf("line is %v", line)
		}
	})
	t.Run("an aborted request says what broke it off", func(t *testing.T) {
		r := record()
		r.Ending, r.Status, r.Err = http1.Aborted, 0, errors.New("read: reset\nby peer")
		line := jsonLine(t, r)
		if line["ending"] != "aborted" || line["error"] != `read: reset\x0aby peer` || line["status"] != 0.0 {
			t.Errorf("line is %v", line)
		}
	})
	t.Run("what a handler panicked with is not told", func(t *testing.T) {
		r := record()
		r.Err = &http1.PanicError{Value: "password hunter2"}
		if line := jsonLine(t, r); line["error"] != "handler panicked" {
			t.Errorf("error is %v", line["error"])
		}
	})
	t.Run("an overlong target is cut with a mark", func(t *testing.T) {
		r := record()
		r.Target = "/" + strings.Repeat("a", 16<<10)
		want := r.Target[:targetLimitBytes] + "…(+15361 bytes)"
		if line := jsonLine(t, r); line["target"] != want {
			t.Errorf("target is %v", line["target"])
		}
	})
	t.Run("a log above Info gets nothing", func(t *testing.T) {
		var out bytes.Buffer
		AccessLog(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))(record())
		if out.Len() != 0 {
			t.Errorf("wrote %q", out.String())
		}
	})
}

func TestAccessLogText(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*http1.Record)
		want string
	}{
		{"a completed request", func(*http1.Record) {},
			"12:04:05.003 200   3.14ms   1.5KiB  192.0.2.1:50000       GET  /index.html?q=1 9f86d081-2a-1 localhost:8443 HTTP/1.1 TLS1.3 X25519MLKEM768\n"},
		{"no response was begun", func(r *http1.Record) { r.Status, r.Bytes, r.TLS, r.Ending = 0, 0, nil, http1.Forced },
			"12:04:05.003 ---   3.14ms       0B  192.0.2.1:50000       GET  /index.html?q=1 9f86d081-2a-1 localhost:8443 HTTP/1.1 forced\n"},
		{"a head that broke off has dashes", func(r *http1.Record) {
			r.Method, r.Target, r.Authority, r.Proto, r.TLS = "", "", "", "", nil
		}, "12:04:05.003 200   3.14ms   1.5KiB  192.0.2.1:50000       -    - 9f86d081-2a-1 - -\n"},
		{"a target with a space is quoted", func(r *http1.Record) { r.Target, r.TLS = "/a b", nil },
			"12:04:05.003 200   3.14ms   1.5KiB  192.0.2.1:50000       GET  \"/a b\" 9f86d081-2a-1 localhost:8443 HTTP/1.1\n"},
		{"an error follows with its key", func(r *http1.Record) {
			r.TLS, r.Ending, r.Err = nil, http1.Aborted, io.ErrUnexpectedEOF
		}, "12:04:05.003 200   3.14ms   1.5KiB  192.0.2.1:50000       GET  /index.html?q=1 9f86d081-2a-1 localhost:8443 HTTP/1.1 aborted error=\"unexpected EOF\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := record()
			c.edit(r)
			if got := textLine(r, false); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	for status, paint := range map[int]string{200: "32", 304: "36", 404: "33", 500: "31", 0: "35"} {
		r := record()
		r.Status = status
		if got := textLine(r, true); !strings.Contains(got, " \x1b["+paint+"m") || !strings.Contains(got, "\x1b[0m") {
			t.Errorf("status %d is painted as %q", status, got)
		}
	}
}

func TestTextHandlerKeepsForeignAttributes(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(NewTextHandler(&out, false))
	log.With("site", "a b").WithGroup("").WithGroup("g").Info("request", "k", "v", "status", 200)
	if got := out.String(); !strings.HasSuffix(got, ` site="a b" g.k=v g.status=200`+"\n") {
		t.Errorf("line is %q", got)
	}
}

func TestTextHandlerSizesAndDurations(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1.0KiB", 10 << 20: "10.0MiB", 5 << 30: "5.0GiB", 3 << 60: "3072.0PiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
	for ms, want := range map[float64]string{0: "0s", 0.25: "250µs", 12.345: "12.35ms", 2500: "2.5s", 90000: "1m30s"} {
		if got := duration(ms); got != want {
			t.Errorf("duration(%v) = %s, want %s", ms, got, want)
		}
	}
}

// Whatever a client sends, a request is one printable line in either form.
func FuzzAccessLog(f *testing.F) {
	f.Add("GET", "/", "localhost", "HTTP/1.1", "")
	f.Add("GET\r\n", "/\x1b[2J", "a\u0085b", "\xff", "x\ny")
	f.Add("", "/\u2028\u202e\u009b", "\x00", "\x7f", `\x0a`)
	f.Fuzz(func(t *testing.T, method, target, authority, proto, reason string) {
		r := record()
		r.Method, r.Target, r.Authority, r.Proto = method, target, authority, proto
		r.Ending, r.Err = http1.Aborted, errors.New(reason)
		var asJSON bytes.Buffer
		AccessLog(slog.New(slog.NewJSONHandler(&asJSON, nil)))(r)
		for _, out := range []string{asJSON.String(), textLine(r, false)} {
			line, ok := strings.CutSuffix(out, "\n")
			if !ok {
				t.Fatalf("no line: %q", out)
			}
			for _, c := range line {
				if !unicode.IsPrint(c) {
					t.Fatalf("%U in %q", c, line)
				}
			}
		}
	})
}

func BenchmarkAccessLog(b *testing.B) {
	observer := AccessLog(slog.New(slog.NewJSONHandler(io.Discard, nil)))
	r := record()
	b.ReportAllocs()
	for b.Loop() {
		observer(r)
	}
}

func TestAccessLogOfATakenConnection(t *testing.T) {
	r := record()
	r.Detached, r.Status = true, 0
	if line := jsonLine(t, r); line["detached"] != true || line["status"] != 0.0 || line["ending"] != nil {
		t.Errorf("line is %v", line)
	}
	if line := textLine(r, false); !strings.Contains(line, " detached=true") {
		t.Errorf("line is %q", line)
	}
}
