package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1/admin"
	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

func TestOneOfSeveralDirectoriesIsGone(t *testing.T) {
	place := t.TempDir()
	h := &house{log: slog.New(slog.DiscardHandler)}
	defer h.close()
	for _, name := range []string{"a", "b"} {
		dir := filepath.Join(place, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		h.directories = append(h.directories, files.Follow(root, files.Options{}))
	}
	var ready admin.Checks
	ready.Add("files", h.rootsVerdict)
	for _, c := range []struct {
		remove string
		status int
		names  []string
	}{{"", 200, nil}, {"a", 200, []string{"a"}}, {"b", 503, []string{"a", "b"}}} {
		if c.remove != "" {
			if err := os.Remove(filepath.Join(place, c.remove)); err != nil {
				t.Fatal(err)
			}
		}
		h.lookAgain()
		got := http1test.Do(admin.New(admin.Options{Ready: &ready}), http1test.Request{Target: "/readyz"})
		if got.Status != c.status {
			t.Errorf("without %q: %d %s", c.remove, got.Status, got.Content)
		}
		for _, name := range c.names {
			if !strings.Contains(string(got.Content), filepath.Join(place, name)) {
				t.Errorf("without %q nobody names %q: %s", c.remove, name, got.Content)
			}
		}
	}
}
