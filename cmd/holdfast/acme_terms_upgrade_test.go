package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs/acme"
)

// terminal is one at which nobody sits.
func terminal(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this system has no pseudoterminal in /dev/ptmx: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if !canAsk(streams{in: f, err: f}) {
		t.Skip("/dev/ptmx is no terminal here")
	}
	return f
}

func TestSuccessorAndTheTerms(t *testing.T) {
	on := terminal(t)
	serve := func(t *testing.T, i *inheritance, more ...string) *settings {
		t.Helper()
		env := testEnvironment(t)
		env.inherited = i
		args := append([]string{"serve", "--domain", "example.org", "--state", t.TempDir(), "--https", "127.0.0.1:0", "--http", "off"}, more...)
		return execute(args, env, streams{in: on, out: new(bytes.Buffer), err: on}).serve
	}
	successor := func(t *testing.T, agreed string) *inheritance {
		i, _, _ := talk(t)
		i.agreed = agreed
		return i
	}
	t.Run("who starts a server on a terminal is to be asked", func(t *testing.T) {
		if s := serve(t, nil); s == nil || s.ACME.TermsAgreed {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a successor there asks nobody, and does not serve", func(t *testing.T) {
		if s := serve(t, successor(t, "")); s != nil {
			t.Error("it would wait for an answer")
		}
	})
	t.Run("its predecessor's yes counts, and is handed on", func(t *testing.T) {
		s := serve(t, successor(t, acme.ProductionURL))
		if s == nil || !s.ACME.TermsAgreed || s.ACME.agreed() != acme.ProductionURL {
			t.Errorf("%+v", s)
		}
	})
	t.Run("but not for another CA", func(t *testing.T) {
		if s := serve(t, successor(t, acme.ProductionURL), "--acme-directory", "staging"); s != nil {
			t.Error("it agreed to terms that nobody has seen")
		}
	})
	t.Run("nothing is handed on where nobody agreed, or no CA is asked", func(t *testing.T) {
		for _, a := range []acmeSettings{
			{Directory: acme.ProductionURL, Domains: []string{"example.org"}},
			{Directory: acme.ProductionURL, TermsAgreed: true},
		} {
			if got := a.agreed(); got != "" {
				t.Errorf("%+v: %s", a, got)
			}
		}
	})
}

func TestYesIsBequeathed(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	u := successionOf(t, `echo "$`+bequestVariable+`" > '`+told+`'; exit 1`, 2)
	u.agreed = acme.StagingURL
	eventually(t, "an upgrade", func() bool {
		_, err := u.upgrade(t.Context())
		if err == nil {
			t.Error("a successor that exits took over")
		}
		return !errors.Is(err, errUpgrading)
	})
	text, err := os.ReadFile(told)
	if err != nil || !strings.Contains(string(text), `"agreed":"`+acme.StagingURL+`"`) {
		t.Errorf("%s, %v", text, err)
	}
}
