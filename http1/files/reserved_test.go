package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1/http1test"
)

func TestReserved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"_own/page.html", "sub/_own/page.html", "_owned.html"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("a page\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ask := func(h *Handler, target string) *http1test.Response {
		return http1test.Do(h, http1test.Request{Target: target})
	}
	h := New(root, Options{Reserved: "_own", Browse: true, Cache: NewCache(1 << 20), Precompressed: true})
	for _, target := range []string{"/_own/page.html", "/_own/", "/_own", "/_OWN/page.html", "/%5Fown/page.html", "/_own/page.html.gz"} {
		t.Run(target+" is not served", func(t *testing.T) {
			if answer := ask(h, target); answer.Status != 404 {
				t.Errorf("%d %s", answer.Status, answer.Content)
			}
		})
	}
	for _, target := range []string{"/sub/_own/page.html", "/_owned.html"} {
		t.Run(target+" is another name", func(t *testing.T) {
			if answer := ask(h, target); answer.Status != 200 {
				t.Errorf("%d %s", answer.Status, answer.Content)
			}
		})
	}
	t.Run("it is not listed, and others of its name are", func(t *testing.T) {
		if listed := string(ask(h, "/").Content); strings.Contains(listed, "_own/") || !strings.Contains(listed, "_owned.html") {
			t.Error(listed)
		}
		if listed := string(ask(h, "/sub/").Content); !strings.Contains(listed, "_own/") {
			t.Error(listed)
		}
	})
	t.Run("nothing is reserved unless it is said", func(t *testing.T) {
		if answer := ask(New(root, Options{}), "/_own/page.html"); answer.Status != 200 {
			t.Errorf("%d", answer.Status)
		}
	})
}
