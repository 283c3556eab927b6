package load

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/versus/process"
)

const wrkReport = `Running 2s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.17ms    1.02ms  21.25ms   91.44%
    Req/Sec    58.60k     6.65k   69.61k    75.00%
  116573 requests in 2.00s, 15.56MB read
Requests/sec:  58217.02
Transfer/sec:      7.77MB
`

func TestWrkReport(t *testing.T) {
	t.Run("the total and the time of it are read", func(t *testing.T) {
		if got, err := parseWrk(wrkReport); err != nil || got != (Result{116573, 2 * time.Second}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("in any of its units", func(t *testing.T) {
		for text, want := range map[string]time.Duration{"1.02m": 61200 * time.Millisecond, "100.12ms": 100120 * time.Microsecond, "1.50h": 90 * time.Minute} {
			if got, err := parseWrk(strings.Replace(wrkReport, "2.00s", text, 1)); err != nil || got.Elapsed != want {
				t.Errorf("%s: %+v, %v", text, got, err)
			}
		}
	})
	for name, report := range map[string]string{
		"socket errors":     wrkReport + "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
		"other answers":     wrkReport + "  Non-2xx or 3xx responses: 12\n",
		"no total":          "unable to connect to 127.0.0.1:1 Connection refused\n",
		"an empty report":   "",
		"nothing at all":    strings.Replace(wrkReport, "116573", "0", 1),
		"no time":           strings.Replace(wrkReport, "2.00s", "0.00us", 1),
		"a total too large": strings.Replace(wrkReport, "116573", "99999999999999999999", 1),
		"a time too odd":    strings.Replace(wrkReport, "2.00s", "2.0.0s", 1),
	} {
		t.Run("a report with "+name+" is an error", func(t *testing.T) {
			if got, err := parseWrk(report); err == nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestWrkArguments(t *testing.T) {
	target := Target{Addr: "127.0.0.1:80", Path: "/x", Fields: []Field{{"Host", "h"}, {"Accept", "*/*"}}, Connections: 8}
	want := "wrk -t 1 -c 8 -d 3s --timeout 10s -H Host: h -H Accept: */* http://127.0.0.1:80/x"
	if got := strings.Join(wrkArgs(&target, 3, "s.lua"), " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	target.TLS, target.Pipeline = true, 16
	got := wrkArgs(&target, 3, "s.lua")
	if i := slices.Index(got, "-s"); i < 0 || got[i+1] != "s.lua" || got[len(got)-1] != "https://127.0.0.1:80/x" {
		t.Errorf("%q", got)
	}
}

func TestWrk(t *testing.T) {
	if _, err := exec.LookPath("wrk"); err != nil {
		if os.Getenv("HOLDFAST_CI") == "1" {
			t.Fatal("wrk is not installed (apt-get install wrk)")
		}
		t.Skip("wrk is not installed (apt-get install wrk)")
	}
	for _, c := range []struct {
		name     string
		overTLS  bool
		pipeline int
	}{{"plain", false, 1}, {"TLS", true, 1}, {"pipelined", false, 16}} {
		t.Run(c.name+": it sends the fields of the target and its count is the server's", func(t *testing.T) {
			s := newSite(t, c.overTLS, hello)
			target := s.target()
			target.Connections, target.Pipeline = 2, c.pipeline
			r, err := Wrk(t.Context(), target, time.Second, process.AnyCore, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			underWay := int64(target.Connections * c.pipeline) // not answered at the end
			if asked := s.asked.Load(); r.Requests == 0 || r.Requests > asked || asked > r.Requests+underWay {
				t.Errorf("%+v; the server was asked %d times", r, asked)
			}
		})
	}
	t.Run("nobody there is an error with its words", func(t *testing.T) {
		s := newSite(t, false, hello)
		s.Close()
		if r, err := Wrk(t.Context(), s.target(), time.Second, process.AnyCore, t.TempDir()); err == nil || !strings.Contains(err.Error(), "wrk") {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
