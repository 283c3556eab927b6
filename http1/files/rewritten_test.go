package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/vhost"
)

func TestRewrittenDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"archive/2024", "pub/a"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, c := range []struct {
		clause, from, to, target string
		status                   int
		location                 string
	}{
		{"the rule takes its slash form nowhere", "/old/{x}", "/archive/{x}", "/old/2024?y", 307, "/archive/2024/?y"},
		{"nor has the target another", "/old/{x}", "/archive/{x}/", "/old/2024", 307, "/archive/2024/"},
		{"a fixed place", "/docs", "/archive", "/docs", 307, "/archive/"},
		{"the rule takes the slash form too", "/old/{x...}", "/archive/{x}", "/old/2024", 307, "/old/2024/"},
		{"and everything else", "/{x...}", "/pub/{x}", "/a", 307, "/a/"},
		{"the slash is there", "/{x...}", "/pub/{x}", "/a/", 200, ""},
		{"no rewrite", "/x", "/y", "/pub", 301, "./pub/"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			rules := &vhost.Rules{Site: files.New(root, files.Options{Browse: true})}
			if err := rules.Add(vhost.Rule{From: c.from, To: c.to}); err != nil {
				t.Fatal(err)
			}
			r := http1test.Do(rules, http1test.Request{Target: c.target})
			if r.Status != c.status || r.Get("Location") != c.location {
				t.Errorf("%d %q, want %d %q", r.Status, r.Get("Location"), c.status, c.location)
			}
		})
	}
}
