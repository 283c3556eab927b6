package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A deployment turns a link to the next release, or removes the directory and makes it anew: the
// server follows without a restart, and is not ready in between.
func TestReleasesAreFollowed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	place := t.TempDir()
	current := filepath.Join(place, "current")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"one", "two"} {
		must(os.Mkdir(filepath.Join(place, name), 0o755))
		must(os.WriteFile(filepath.Join(place, name, "index.html"), []byte(name), 0o644))
	}
	must(os.Symlink("one", current))
	s := launch(t, current, "--admin", "127.0.0.1:0")
	c := client(t, s.trust())
	answers := func(status int, content string) func() bool {
		return func() bool {
			response, err := c.Get("https://" + s.https + "/")
			if err != nil {
				return false
			}
			defer response.Body.Close()
			got, err := io.ReadAll(response.Body)
			return err == nil && response.StatusCode == status && (content == "" || string(got) == content)
		}
	}
	eventually(t, "the first release is served", answers(200, "one"))
	must(os.Symlink("two", current+".new"))
	must(os.Rename(current+".new", current))
	eventually(t, "the second one is", answers(200, "two"))
	must(os.RemoveAll(filepath.Join(place, "two")))
	eventually(t, "nothing is", answers(503, ""))
	wantPage(t, adminOf(s), "/readyz", 503, "there is no directory "+current)
	must(os.Rename(filepath.Join(place, "one"), filepath.Join(place, "two")))
	eventually(t, "the path leads somewhere again", answers(200, "one"))
	wantPage(t, adminOf(s), "/readyz", 200, `"ok"`)
}
