package main

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs/store"
)

func TestWhereTheSecretOfTicketsComesFrom(t *testing.T) {
	shared := certStore{shared: func() (store.Store, error) { return new(store.Memory), nil }}
	file := writeFile(t, "secret", strings.Repeat("0f1e", 16))
	for _, c := range []struct {
		name     string
		settings settings
		share    bool
		says     string
	}{
		{"from nowhere without a file or a shared store", settings{}, false, ""},
		{"from the shared store", settings{Store: shared}, true, ""},
		{"from a file that is named", settings{ClusterSecretFile: file}, true, ""},
		{"not from the store where clients show certificates", settings{Store: shared, ClientCAs: []string{"ca.pem"}}, false, "only a --cluster-secret-file"},
		{"from a file also there", settings{Store: shared, ClientCAs: []string{"ca.pem"}, ClusterSecretFile: file}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			h := &house{log: slog.New(slog.NewTextHandler(&log, nil)), certificates: certificates{config: new(tls.Config)}}
			h.shareTickets(&c.settings)
			if got := len(h.certificates.keepers) == 1; got != c.share || !strings.Contains(log.String(), c.says) {
				t.Errorf("shared %t, want %t; the log says %s", got, c.share, &log)
			}
		})
	}
}
