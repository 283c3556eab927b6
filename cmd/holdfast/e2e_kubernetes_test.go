package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A ConfigMap as a root: page.html -> ..data/page.html, ..data -> ..1, and an update swaps
// the one link ..data. Each answer is one version, whole.
func TestKubernetesRoot(t *testing.T) {
	t.Run("without a cache the next answer is the new version", func(t *testing.T) {
		swapConfigMaps(t, 20, func(_ string, holds func() bool) bool { return holds() }, "--cache-bytes", "0")
	})
	t.Run("with one it comes after a second", func(t *testing.T) {
		swapConfigMaps(t, 3, func(what string, holds func() bool) bool { eventually(t, what, holds); return true })
	})
}

// swapConfigMaps swaps the versions of a root under load. shows tells whether a condition holds,
// at once or after a wait.
func swapConfigMaps(t *testing.T, swaps int, shows func(what string, holds func() bool) bool, flags ...string) {
	root := t.TempDir()
	page := func(version int) string {
		return strings.Repeat(fmt.Sprintf("version %d\n", version), 1000*(version+1))
	}
	pages := make(map[string]bool)
	for version := range 2 {
		dir := filepath.Join(root, fmt.Sprintf("..%d", version))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "page.html"), []byte(page(version)), 0o644); err != nil {
			t.Fatal(err)
		}
		pages[page(version)] = true
	}
	relink(t, filepath.Join(root, "..data"), "..0")
	relink(t, filepath.Join(root, "page.html"), "..data/page.html")

	s := launch(t, root, flags...)
	config := s.trust()
	l := loadOn(t, s.url("/page.html"), func() *http.Client { return client(t, config.Clone()) },
		func(response *http.Response, body []byte) string {
			if response.StatusCode != 200 || !pages[string(body)] {
				return fmt.Sprintf("%s with %d bytes, which is neither version", response.Status, len(body))
			}
			return ""
		})
	c := client(t, config)
	for i := range swaps {
		version := (i + 1) % 2
		relink(t, filepath.Join(root, "..data"), fmt.Sprintf("..%d", version))
		got := "nothing"
		if !shows(fmt.Sprintf("version %d", version), func() bool {
			_, body, err := fetch(c, s.url("/page.html"))
			got = fmt.Sprintf("%d bytes and %v", len(body), err)
			return err == nil && string(body) == page(version)
		}) {
			t.Errorf("after swap %d: %s, want version %d", i, got, version)
		}
	}
	l.progress(10)
	l.stop()
	for _, target := range []string{"/..data/page.html", "/..0/page.html", "/%2e%2edata/page.html"} {
		if response, _, err := fetch(c, s.url(target)); err != nil || response.StatusCode != 404 {
			t.Errorf("%s: %v, %v; want 404: the links are the kubelet's business", target, response, err)
		}
	}
	s.stop()
}
