package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
	"github.com/holdfast-server/holdfast/cmd/holdfast/doctor"
)

func TestDryRun(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	trial := func(listen string) *dryRun {
		d := &doctor.Doctor{HTTPS: doctor.Port{Listen: listen}, HTTP: doctor.Port{Listen: listen}}
		return &dryRun{d, acme.Options{Directory: ca.Gate.DirectoryURL, Roots: ca.Roots, TermsAgreed: true, Log: slog.New(slog.DiscardHandler)}}
	}
	for _, challenge := range []string{acme.TLSALPN01, acme.HTTP01} {
		t.Run("an order by "+challenge, func(t *testing.T) {
			before := ca.Gate.Orders()
			err := doctor.ErrNotTried
			for tries := 0; tries < 5 && errors.Is(err, doctor.ErrNotTried); tries++ { // somebody may be quicker to take the port
				l, listenErr := net.Listen("tcp", "127.0.0.1:0")
				if listenErr != nil {
					t.Fatal(listenErr)
				}
				addr := l.Addr().String()
				_ = l.Close()
				ca.TLS.To(addr)
				ca.HTTP.To(addr)
				err = trial(addr).try(t.Context(), publicHost, challenge)
			}
			if err != nil || ca.Gate.Orders() != before+1 {
				t.Errorf("%d orders: %v", ca.Gate.Orders()-before, err)
			}
		})
	}
	t.Run("a port that a server has is left alone", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		before := ca.Gate.Requests()
		if err := trial(l.Addr().String()).try(t.Context(), publicHost, acme.HTTP01); !errors.Is(err, doctor.ErrNotTried) || ca.Gate.Requests() != before {
			t.Errorf("%v, %d requests to the CA", err, ca.Gate.Requests()-before)
		}
	})
	t.Run("and so is a listener that is off", func(t *testing.T) {
		if err := trial("").try(t.Context(), publicHost, acme.TLSALPN01); !errors.Is(err, doctor.ErrNotTried) {
			t.Error(err)
		}
	})
	t.Run("what the CA says is told", func(t *testing.T) {
		ca.Gate.Set(acmetest.Fault{Manner: acmetest.Answer, Status: 429, Problem: "rateLimited", Detail: "too many", Only: acmetest.NewOrder})
		if err := trial("127.0.0.1:0").try(t.Context(), publicHost, acme.HTTP01); err == nil || !strings.Contains(err.Error(), "too many") {
			t.Error(err)
		}
	})
}

func TestDoctorTriesAnOrderForThoseWhoAgree(t *testing.T) {
	trial := func(args ...string) (*doctor.Doctor, *reader) {
		c, faults := parse(append([]string{"doctor", "a.org", "--resolver", "127.0.0.1"}, args...))
		if c == nil || len(faults) > 0 {
			t.Fatal(faults)
		}
		c.env, c.std = testEnvironment(t), streams{out: io.Discard, err: io.Discard}
		values, _, faults := c.layers()
		r := &reader{values: values, faults: faults}
		return c.command.(*doctorCmd).doctor(r, c.env), r
	}
	if d, r := trial(); d.DryRun != nil || len(r.faults) > 0 {
		t.Errorf("nobody agreed, %v", r.faults)
	}
	if d, r := trial("--acme-agree-tos"); d.DryRun == nil || len(r.faults) > 0 {
		t.Errorf("somebody agreed, %v", r.faults)
	}
	if _, r := trial("--acme-root", "/nowhere.pem"); len(r.faults) != 1 || !strings.Contains(r.faults[0].line(), "/nowhere.pem") {
		t.Errorf("%v", r.faults)
	}
}
