package http1

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// refused are messages that are refused at different places, by their code.
var refused = map[string]string{
	"bare-lf":               "GET / HTTP/1.1\nHost: a\n\n",
	"missing-host":          "GET / HTTP/1.1\r\n\r\n",
	"request-line-too-long": get("/" + strings.Repeat("a", 9000)),
	"length-and-coding":     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"body-too-large":        post("/echo", 1<<40, ""),
	"bad-chunk-size":        chunked("/echo", "zz\r\n"),
	"forbidden-trailer":     chunked("/echo", "0\r\nContent-Length: 3\r\n\r\n"),
	"bad-chunk-end":         chunked("/answer-first", "5\r\nhelloXX0\r\n\r\n"), // behind a committed head
}

// verbose makes a site log everything, as JSON.
func verbose(s *site) {
	s.server.Log = slog.New(slog.NewJSONHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// logged are the refusals in the site's log.
func (s *site) logged() (lines []map[string]any) {
	s.t.Helper()
	for text := range strings.Lines(s.log.String()) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			s.t.Fatalf("%v: %s", err, text)
		}
		if line["msg"] == "request refused" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestRefusals(t *testing.T) {
	for _, transport := range transports {
		for code, message := range refused {
			t.Run(transport+"/"+code+" is counted and logged once", func(t *testing.T) {
				s := open(t, transport, demo, verbose)
				c := s.ask(message)
				_, _ = io.ReadAll(c.in)
				record := s.observed(1)[0]
				if got := s.server.Refusals(); !maps.Equal(got, Refusals{code: 1}) {
					t.Errorf("counted %v", got)
				}
				lines := s.logged()
				if len(lines) != 1 {
					t.Fatalf("%d lines, want one: %s", len(lines), s.log.String())
				}
				want := map[string]any{
					"level": "DEBUG", "code": code, "status": float64(record.Reason.Status), "section": record.Reason.Section,
					"client": c.nc.LocalAddr().String(), "request": record.ID,
				}
				for key, value := range want {
					if lines[0][key] != value {
						t.Errorf("%s is %v, want %v", key, lines[0][key], value)
					}
				}
				if len(lines[0]) != len(want)+2 { // and time and msg
					t.Errorf("the line says more: %v", lines[0])
				}
			})
		}
	}
}

func TestRefusalsOfManyClients(t *testing.T) {
	const each = 20
	s := open(t, "plain", demo, nil)
	var clients sync.WaitGroup
	for _, message := range refused {
		clients.Go(func() {
			for range each {
				nc, err := net.Dial("tcp", s.nets.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(nc, message)
				_ = nc.SetReadDeadline(time.Now().Add(patience))
				_, _ = io.Copy(io.Discard, nc)
				_ = nc.Close()
			}
		})
	}
	clients.Wait()
	s.observed(each * len(refused))
	var sum int64
	for code, n := range s.server.Refusals() {
		if sum += n; n != each {
			t.Errorf("%s: counted %d, want %d", code, n, each)
		}
	}
	if refused := s.server.Ledger().Refused; sum != refused {
		t.Errorf("%d counted by code, %d in the ledger", sum, refused)
	}
	if log := s.log.String(); log != "" {
		t.Errorf("at the usual level there is a log: %s", log)
	}
}

// A head that does not come is refused by its clock.
func TestRefusalByAClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := openMemory(&Server{Handler: demo}, conn.Limits{})
		defer m.close(t)
		c := m.dial(t)
		_, _ = io.WriteString(c, "GET / HT")
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		if got := m.server.Refusals(); !maps.Equal(got, Refusals{"head-timeout": 1}) {
			t.Errorf("counted %v", got)
		}
	})
}

func TestPlainOnTLS(t *testing.T) {
	s := open(t, "tls", demo, verbose)
	nc, err := net.Dial("tcp", s.nets.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, get("/\x1b[2J"))
	b, err := io.ReadAll(nc)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.0 400 Bad Request\r\n") || !strings.Contains(string(b), "plain-on-tls") {
		t.Errorf("got %q and %v", b, err)
	}
	if got := s.server.Refusals(); !maps.Equal(got, Refusals{"plain-on-tls": 1}) {
		t.Errorf("counted %v", got)
	}
	if lines := s.logged(); len(lines) != 1 || lines[0]["code"] != "plain-on-tls" || lines[0]["client"] != nc.LocalAddr().String() {
		t.Errorf("logged %v", lines)
	}
	if l := s.server.Ledger(); l.Begun != 0 {
		t.Errorf("a request was booked: %+v", l)
	}
}

func TestRefusalsTogether(t *testing.T) {
	if got := new(Server).Refusals(); got == nil || len(got) != 0 {
		t.Errorf("a new server has refused %v", got)
	}
	a, b := Refusals{"bare-lf": 1, "bad-host": 2}, Refusals{"bare-lf": 4}
	if got := a.Plus(b); !maps.Equal(got, Refusals{"bare-lf": 5, "bad-host": 2}) || b["bare-lf"] != 4 {
		t.Errorf("together %v, and one of them is now %v", got, b)
	}
	if got := Refusals(nil).Plus(nil); got == nil || len(got) != 0 {
		t.Errorf("nothing and nothing is %v", got)
	}
	if got := a.LogValue().String(); got != "[bad-host=2 bare-lf=1]" {
		t.Errorf("logged as %s", got)
	}
}
