package main

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/admin"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/lifecycle"
)

func TestReadiness(t *testing.T) {
	var a administration
	signals := make(chan os.Signal, 1)
	stop := &lifecycle.Stop{Target: new(conn.Server), Signals: signals}
	a.watch(new(conn.Server), stop)
	h := admin.New(admin.Options{Live: &a.live, Ready: &a.ready, Started: &a.started})
	want := func(target string, status int, text string) {
		t.Helper()
		if got := http1test.Do(h, http1test.Request{Target: target}); got.Status != status || !strings.Contains(string(got.Content), text) {
			t.Errorf("%s: %d %s, want %d with %s", target, got.Status, got.Content, status, text)
		}
	}
	want("/livez", 200, `"ok"`)
	want("/startupz", 503, `"no listener is up yet"`)
	want("/readyz", 503, `[{"check":"listeners","reason":"no listener is up yet"},{"check":"phase","reason":"starting"}]`)

	a.serving.Store(true)
	want("/startupz", 200, `"ok"`)
	want("/readyz", 503, `[{"check":"phase","reason":"starting"}]`)

	execute, _ := stop.Actor()
	ended := make(chan error, 1)
	go func() { ended <- execute() }()
	eventually(t, "the process runs", func() bool { return stop.Phase() == lifecycle.Running })
	want("/readyz", 200, `"ok"`)
	signals <- os.Interrupt
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want("/readyz", 503, `"stopping: flushed"`)
	want("/livez", 200, `"ok"`)
}

// Two pairs for one host, by kind of key, from one file: the one that ends first counts, and
// no series is there twice.
func TestCertificateExpiry(t *testing.T) {
	a := newAuthority(t)
	sooner, soonerKey := a.pairPEM(1, time.Hour)
	later, laterKey := a.pairPEM(2, 2*time.Hour)
	cert, key := writeFile(t, "a.pem", later), writeFile(t, "a.key", laterKey)
	twice, errs := certs.LoadFiles([]certs.Pair{{CertFile: cert, KeyFile: key}, {CertFile: cert, KeyFile: key},
		{CertFile: writeFile(t, "b.pem", sooner), KeyFile: writeFile(t, "b.key", soonerKey)}}, time.Now, slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	h := &house{certificates: certificates{selector: certs.NewSelector(certs.RejectUnknown, twice)}}
	left := map[string]float64{}
	h.tellCertificates(func(seconds float64, labels ...string) {
		key := strings.Join(labels, " ")
		if _, there := left[key]; there {
			t.Errorf("%s is there twice", key)
		}
		left[key] = seconds
	}, time.Now())
	if len(left) != 4 {
		t.Errorf("%v, want two hosts from two files", left)
	}
	for name, seconds := range left {
		low, high := 119.0*60, 121.0*60
		if strings.Contains(name, "b.pem") {
			low, high = 59*60, 61*60
		}
		if seconds < low || seconds > high {
			t.Errorf("%s: %v s", name, seconds)
		}
	}
	h.certificates.selector = nil
	h.tellCertificates(func(float64, ...string) { t.Error("a certificate without TLS") }, time.Now())
}

// A limit's counter is nothing without the codes that it adds up.
func TestLimitCodesExist(t *testing.T) {
	for limit, codes := range limitCodes {
		for _, code := range codes {
			if !slices.ContainsFunc(http1.Reasons(), func(r *http1.Reason) bool { return r.Code == code }) {
				t.Errorf("%s: there is no code %s", limit, code)
			}
		}
	}
}
