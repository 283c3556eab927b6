package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/lifecycle"
)

func TestReloadTellsOfARootThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site")
	appear := func() {
		t.Helper()
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	appear()
	root, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{log: slog.New(slog.DiscardHandler), directories: []*files.Directory{files.Follow(root, files.Options{})}}
	defer h.close()
	r := &running{house: h, stop: &lifecycle.Stop{}}
	reload := func() error {
		_, err := r.askedToReload(t.Context(), control.Call{})
		return err
	}
	if err := reload(); err != nil {
		t.Errorf("while it is there: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := reload(); err == nil || !strings.Contains(err.Error(), "no directory "+quote(path)) || strings.Contains(err.Error(), "reloaded") {
		t.Errorf("without files to read: %v", err)
	}
	var read int
	var bad error
	h.reads, h.certificates = "certificates", certificates{selector: certs.NewSelector(certs.RejectUnknown), renew: func(context.Context) error { read++; return bad }}
	if err := reload(); err == nil || read != 1 || !strings.Contains(err.Error(), quote(path)) || !strings.Contains(err.Error(), "the certificates are reloaded all the same") {
		t.Errorf("with files, which were read %d times: %v", read, err)
	}
	bad = errors.New("no key")
	if err := reload(); err == nil || !strings.Contains(err.Error(), quote(path)) || !strings.Contains(err.Error(), "no key") || strings.Contains(err.Error(), "all the same") {
		t.Errorf("with a file that cannot be read: %v", err)
	}
	bad = nil
	appear()
	if err := reload(); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}
