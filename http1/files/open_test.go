package files

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestLinks(t *testing.T) {
	s := newSite(t, map[string]string{
		"dir/page.html":   "page",
		"dir/index.html":  "index",
		".hidden/a.txt":   "behind a dot",
		"..2024/data.txt": "data",
	})
	outside := t.TempDir()
	s.must(os.WriteFile(filepath.Join(outside, "secret"), []byte("SECRET"), 0o644))
	up, err := filepath.Rel(s.dir, outside)
	s.must(err)

	s.link("file.html", "dir/page.html")
	s.link("folder", "dir")
	s.link("dir/up.txt", "../.hidden/a.txt")
	s.link("..data", "..2024")
	s.link("data.txt", "..data/data.txt")
	s.link("dangling", "nothing")
	s.link("loop", "loop")
	s.link("circle", "circle2")
	s.link("circle2", "circle")
	s.link("absolute", s.path("dir/page.html"))
	s.link("absolute-out", filepath.Join(outside, "secret"))
	s.link("out", filepath.Join(up, "secret"))
	s.link("out-folder", up)
	s.link("parent", "..")

	for target, content := range map[string]string{
		"/file.html":        "page",
		"/folder/page.html": "page",
		"/folder/":          "index",
		"/dir/up.txt":       "behind a dot",
		"/data.txt":         "data",
	} {
		t.Run("inside are followed, "+target, func(t *testing.T) { expect(t, s.get(target), 200, content) })
	}
	t.Run("to a directory lack the slash too", func(t *testing.T) {
		expectField(t, s.get("/folder"), "Location", "./folder/")
	})
	for _, target := range []string{"/dangling", "/loop", "/loop/a", "/circle", "/..data/data.txt"} {
		t.Run("to nowhere are 404 and no line, "+target, func(t *testing.T) {
			expect(t, s.get(target), 404, "404 Not Found\n")
		})
	}
	if n := s.log.lines(); n != 0 {
		t.Errorf("%d lines logged", n)
	}
	for _, target := range []string{"/absolute", "/absolute-out", "/out", "/out-folder/secret", "/parent/", "/parent"} {
		t.Run("out of the root or absolute are 404 and one line, "+target, func(t *testing.T) {
			already := s.log.lines()
			expect(t, s.get(target), 404, "404 Not Found\n")
			expect(t, s.get(target), 404, "404 Not Found\n")
			name := strings.TrimPrefix(target, "/")
			if strings.HasSuffix(name, "/") {
				name += indexName
			}
			if s.log.lines() != already+1 || s.log.lines("level=WARN", "file="+name+"\n") != 1 {
				t.Errorf("logged: %s", s.log.all.String())
			}
		})
	}
}

func TestIrregular(t *testing.T) {
	s := newSite(t, nil)
	s.must(syscall.Mkfifo(s.path("fifo"), 0o644))
	s.must(os.Mkdir(s.path("dir"), 0o755))
	s.must(syscall.Mkfifo(s.path("dir/index.html"), 0o644))
	socket, err := net.Listen("unix", s.path("socket"))
	s.must(err)
	defer socket.Close()
	for _, method := range []string{"GET", "HEAD"} {
		// That these return at all is the test: nobody ever writes to the FIFO.
		t.Run("a FIFO is 404, "+method, func(t *testing.T) { checkStatus(t, s, method, "/fifo", 404) })
		t.Run("a FIFO for an index, "+method, func(t *testing.T) { checkStatus(t, s, method, "/dir/", 404) })
		t.Run("a socket is 404, "+method, func(t *testing.T) { checkStatus(t, s, method, "/socket", 404) })
	}
	t.Run("a FIFO for a 404 page is passed over", func(t *testing.T) {
		s.must(syscall.Mkfifo(s.path("404.html"), 0o644))
		expect(t, s.get("/missing"), 404, "404 Not Found\n")
	})
	t.Run("a device is 404", func(t *testing.T) {
		const zero = 1<<8 | 5
		if err := syscall.Mknod(s.path("zero"), syscall.S_IFCHR|0o666, zero); err != nil {
			t.Skipf("making a device node needs privileges: %v", err)
		}
		checkStatus(t, s, "GET", "/zero", 404)
	})
	if n := s.log.lines(); n != 0 {
		t.Errorf("%d lines logged", n)
	}
}

func checkStatus(t *testing.T, s *site, method, target string, want int) {
	t.Helper()
	if r := s.do(method, target); r.Status != want || r.Cut {
		t.Errorf("%s %s is %d, cut %v; want %d", method, target, r.Status, r.Cut, want)
	}
}

func TestRootRemoved(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": "home"})
	expect(t, s.get("/"), 200, "home")
	s.must(os.RemoveAll(s.dir))
	t.Run("is 404 and no line", func(t *testing.T) {
		expect(t, s.get("/"), 404, "404 Not Found\n")
		expect(t, s.get("/dir/x"), 404, "404 Not Found\n")
		if n := s.log.lines(); n != 0 {
			t.Errorf("%d lines logged", n)
		}
	})
}

func TestRootClosed(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": "home"})
	s.must(s.root.Close())
	t.Run("is 500 and one line, and no link's fault", func(t *testing.T) {
		expect(t, s.get("/"), 500, "500 Internal Server Error\n")
		if s.log.lines() != 1 || s.log.lines("level=ERROR", "closed") != 1 {
			t.Errorf("logged: %s", s.log.all.String())
		}
	})
}

// A failing disk answers every open but that of the 404 page with an error.
type failing struct {
	tree
	err error
}

func (d failing) open(name string) (*file, error) {
	if name == "404.html" {
		return d.tree.open(name)
	}
	return nil, &fs.PathError{Op: "openat", Path: name, Err: d.err}
}

func TestOpenErrors(t *testing.T) {
	s := newSite(t, map[string]string{"404.html": "gone"})
	for _, c := range []struct {
		clause  string
		err     error
		status  int
		content string
		retry   string
	}{
		{"no such file", syscall.ENOENT, 404, "gone", ""},
		{"a file in a file's place", syscall.ENOTDIR, 404, "gone", ""},
		{"too many links", syscall.ELOOP, 404, "gone", ""},
		{"a name too long", syscall.ENAMETOOLONG, 404, "gone", ""},
		{"a name the filesystem refuses", syscall.EINVAL, 404, "gone", ""},
		{"a socket", syscall.ENXIO, 404, "gone", ""},
		{"no permission", syscall.EACCES, 403, "403 Forbidden\n", ""},
		{"not permitted", syscall.EPERM, 403, "403 Forbidden\n", ""},
		{"no descriptors in the process", syscall.EMFILE, 503, "503 Service Unavailable\n", "1"},
		{"no descriptors in the system", syscall.ENFILE, 503, "503 Service Unavailable\n", "1"},
		{"no memory", syscall.ENOMEM, 503, "503 Service Unavailable\n", "1"},
		{"a broken disk", syscall.EIO, 500, "500 Internal Server Error\n", ""},
		{"an error nobody foresaw", errors.New("gremlins"), 500, "500 Internal Server Error\n", ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			log := new(journal)
			h := newHandler(failing{tree{s.root}, c.err}, Options{Log: log.logger()}, s.now)
			for range 100 {
				r := do(h, "GET", "/x")
				expect(t, r, c.status, c.content)
				expectField(t, r, "Retry-After", c.retry)
			}
			if want := c.status / 500; log.lines() != want {
				t.Errorf("%d lines for 100 requests, want %d", log.lines(), want)
			}
		})
	}
}
