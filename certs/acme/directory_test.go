package acme

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

func TestFetchDirectory(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{RequireEAB: true, Profiles: map[string]time.Duration{"b": time.Hour, "a": time.Hour}})
	d, err := FetchDirectory(t.Context(), s.options())
	if err != nil {
		t.Fatal(err)
	}
	if d.Terms != "" { // Pebble's are a data: URL
		t.Errorf("a person is sent to %q", d.Terms)
	}
	if strings.Join(d.Profiles, " ") != "a b" || !d.ExternalAccountRequired || len(d.CAAIdentities) != 1 || time.Since(d.Date).Abs() > time.Hour {
		t.Errorf("%+v", d)
	}
	s.Gate.Set(acmetest.Fault{Manner: acmetest.Refuse})
	if _, err := FetchDirectory(t.Context(), s.options()); err == nil {
		t.Error("a directory came from nowhere")
	}
}
