package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

func TestQuestionOfTheFirstStart(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	ask := func(t *testing.T, answer string) (s *settings, f *fault, asked string) {
		t.Helper()
		s = &settings{StateDir: filepath.Join(t.TempDir(), "state"), ACME: acmeSettings{Domains: []string{publicHost}, Directory: ca.Gate.DirectoryURL}}
		var out bytes.Buffer
		f = askTerms(s, streams{in: strings.NewReader(answer), err: &out}, acme.Options{Directory: ca.Gate.DirectoryURL, Roots: ca.Roots}, slog.New(slog.DiscardHandler))
		return s, f, out.String()
	}
	for _, yes := range []string{"y\n", "YES\n", " yes"} {
		t.Run("a yes is kept: "+strings.TrimSpace(yes), func(t *testing.T) {
			s, f, asked := ask(t, yes)
			if f != nil || !s.ACME.TermsAgreed || !s.agreedBefore() {
				t.Errorf("%v, agreed %t", f, s.ACME.TermsAgreed)
			}
			for _, want := range []string{publicHost, ca.Gate.DirectoryURL, "Its terms of service: ", "[y/N]"} {
				if !strings.Contains(asked, want) {
					t.Errorf("the question is without %q: %s", want, asked)
				}
			}
		})
	}
	for _, no := range []string{"n\n", "\n", "", "certainly\n"} {
		t.Run("anything else is a no: "+strings.TrimSpace(no), func(t *testing.T) {
			if s, f, _ := ask(t, no); f == nil || s.ACME.TermsAgreed || s.agreedBefore() {
				t.Errorf("%v, agreed %t", f, s.ACME.TermsAgreed)
			}
		})
	}
	t.Run("a CA that does not say what its terms are is a fault", func(t *testing.T) {
		ca.Gate.Set(acmetest.Fault{Manner: acmetest.Refuse})
		if s, f, asked := ask(t, "y\n"); f == nil || s.ACME.TermsAgreed || asked != "" {
			t.Errorf("%v, asked %q", f, asked)
		}
	})
}
