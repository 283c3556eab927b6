package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEncodings asks the built server by curl for files in their codings.
func TestEncodings(t *testing.T) {
	curl := program(t, "curl", "curl")
	tale := strings.Repeat("The tide comes in and the tide goes out. ", 20_000)
	root := site(t, map[string]string{
		"app.js": strings.Repeat("let rope;", 300), "app.js.br": "the brotli form", "app.0a1b2c3d.css": strings.Repeat("a{}", 900), "tale.txt": tale, "paper.pdf": "%PDF",
	})
	if err := os.Chtimes(filepath.Join(root, "app.js"), time.Time{}, time.Now().Add(-time.Hour)); err != nil { // an older one is not sent
		t.Fatal(err)
	}
	s := launch(t, root, "--cache-control", "*.{hash}.*=immutable", "--cache-control", "**=no-cache", "--attachment", "*.pdf")
	for _, c := range []curlRow{
		{name: "a large text is decoded to what it was", args: []string{"--compressed", "https://localhost:@/tale.txt"},
			out: []string{"HTTP/1.1 200", "Content-Encoding: ", "Transfer-Encoding: chunked", "Vary: Accept-Encoding", "\r\n\r\n" + tale}},
		{name: "a small one has its length", args: []string{"--compressed", "https://localhost:@/app.0a1b2c3d.css"},
			out: []string{"Content-Encoding: ", "Content-Length: ", "Cache-Control: public, max-age=31536000, immutable", "\r\n\r\na{}a{}"}},
		{name: "a precompressed file stands for another", args: []string{"-H", "Accept-Encoding: br", "https://localhost:@/app.js"},
			out: []string{"Content-Encoding: br", "Content-Type: text/javascript; charset=utf-8", "Content-Length: 15", "Cache-Control: no-cache", "the brotli form"}},
		{name: "and has ranges", args: []string{"-H", "Accept-Encoding: br", "-r", "4-9", "https://localhost:@/app.js"},
			out: []string{"HTTP/1.1 206", "Content-Encoding: br", "Content-Range: bytes 4-9/15", "\r\n\r\nbrotli"}},
		{name: "a range of what is encoded on the fly is one of the file", args: []string{"-H", "Accept-Encoding: gzip, zstd", "-r", "4-7", "https://localhost:@/tale.txt"},
			out: []string{"HTTP/1.1 206", fmt.Sprintf("Content-Range: bytes 4-7/%d", len(tale)), "Vary: Accept-Encoding", "\r\n\r\ntide"}},
		{name: "HEAD tells of the encoded form", args: []string{"-I", "-H", "Accept-Encoding: gzip", "https://localhost:@/tale.txt"},
			out: []string{"HTTP/1.1 200", "Content-Encoding: gzip", `ETag: W/"`}},
		{name: "HTTP/1.0, which knows no chunks, gets a length", args: []string{"--http1.0", "--no-alpn", "-H", "Accept-Encoding: gzip", "https://localhost:@/tale.txt"},
			out: []string{fmt.Sprintf("Content-Length: %d", len(tale)), "\r\n\r\n" + tale}},
		{name: "who refuses everything gets that said", args: []string{"-H", "Accept-Encoding: *;q=0", "https://localhost:@/tale.txt"}, out: []string{"HTTP/1.1 406"}},
		{name: "a paper is for saving", args: []string{"https://localhost:@/paper.pdf"}, out: []string{"Content-Disposition: attachment", "%PDF"}},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, curl, s) })
	}
	t.Run("what curl saves as gzip is the file", func(t *testing.T) {
		c := curlRow{name: "save", args: []string{"-H", "Accept-Encoding: gzip", "-o", filepath.Join(t.TempDir(), "saved"), "https://localhost:@/tale.txt"}}
		c.args = append([]string{"--no-include"}, c.args...)
		c.run(t, curl, s)
		f, err := os.Open(c.args[4])
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != tale {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
	s.stop()
}

// TestRewrittenWhileHot rewrites a file that is in memory: within a second the server has the new one.
func TestRewrittenWhileHot(t *testing.T) {
	root := site(t, map[string]string{"f.txt": "old"})
	name := filepath.Join(root, "f.txt")
	if err := os.Chtimes(name, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	s := launch(t, root)
	c := client(t, s.trust())
	content := func() string {
		_, content, err := fetch(c, s.url("/f.txt"))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	for range 10 {
		if got := content(); got != "old" {
			t.Fatalf("%q", got)
		}
	}
	if err := os.WriteFile(name, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	giveUp := time.Now().Add(30 * time.Second)
	for got := "old"; got != "new"; {
		if time.Now().After(giveUp) {
			t.Fatal("the old content is still served")
		}
		if got = content(); got != "new" && got != "old" {
			t.Fatalf("%q", got)
		}
	}
	s.stop()
}
