package main

import (
	"strings"
	"testing"
)

// curlRow is one call of curl. @ in an argument stands for the HTTPS listener's port.
type curlRow struct {
	name   string
	args   []string
	exit   int
	out    []string // what the output has to hold
	stderr string
}

func TestCurl(t *testing.T) {
	curl := program(t, "curl", "curl")
	s := launch(t, site(t, map[string]string{
		"index.html": "the quay", "digits.txt": "0123456789", "404.html": "adrift", "harbour/index.html": "moored", "bulk": bulk(100_000),
	}), "--local-name", "app.localhost")
	digits, _, err := fetch(client(t, s.trust()), s.url("/digits.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []curlRow{
		{name: "the page by localhost", args: []string{"https://localhost:@/"}, out: []string{"HTTP/1.1 200", "the quay"}},
		{name: "the page by address", args: []string{"https://127.0.0.1:@/"}, out: []string{"HTTP/1.1 200", "the quay"}},
		// curl takes no wildcard of one label, such as *.localhost, so the name is listed.
		{name: "the page by a name below localhost", args: []string{"--resolve", "app.localhost:@:127.0.0.1", "https://app.localhost:@/"},
			out: []string{"HTTP/1.1 200"}},
		{name: "HEAD has the length and no content", args: []string{"-I", "https://localhost:@/digits.txt"},
			out: []string{"HTTP/1.1 200", "Content-Length: 10\r\n"}},
		{name: "a range", args: []string{"-r", "2-4", "https://localhost:@/digits.txt"},
			out: []string{"HTTP/1.1 206", "Content-Range: bytes 2-4/10\r\n", "\r\n\r\n234"}},
		{name: "two ranges", args: []string{"-r", "0-9,-10", "https://localhost:@/bulk"},
			out: []string{"HTTP/1.1 206", "multipart/byteranges", "bytes 0-9/100000", "bytes 99990-99999/100000"}},
		{name: "a range past the end", args: []string{"-r", "10-", "https://localhost:@/digits.txt"},
			out: []string{"HTTP/1.1 416", "Content-Range: bytes */10\r\n"}},
		{name: "what has not changed is not sent again",
			args: []string{"-H", "If-None-Match: " + digits.Header.Get("ETag"), "https://localhost:@/digits.txt"},
			out:  []string{"HTTP/1.1 304"}},
		{name: "a file that is not there", args: []string{"https://localhost:@/adrift"}, out: []string{"HTTP/1.1 404", "adrift"}},
		{name: "a path out of the root", args: []string{"--path-as-is", "https://localhost:@/../../etc/passwd"}, out: []string{"HTTP/1.1 40"}},
		{name: "a folder without its slash", args: []string{"-L", "https://localhost:@/harbour"}, out: []string{"HTTP/1.1 30", "moored"}},
		{name: "a method that files do not have", args: []string{"-X", "DELETE", "https://localhost:@/digits.txt"}, out: []string{"HTTP/1.1 405", "Allow: "}},
		{name: "an upload is answered before it is read", args: []string{"-T", "-", "https://localhost:@/upload"}, out: []string{"HTTP/1.1 405"}},
		{name: "HTTP/1.0", args: []string{"-0", "--no-alpn", "https://localhost:@/"}, out: []string{" 200 ", "the quay"}},
		{name: "a name without a certificate is refused", exit: 35, stderr: "unrecognized name",
			args: []string{"-k", "--resolve", "elsewhere.example:@:127.0.0.1", "https://elsewhere.example:@/"}},
		{name: "plain HTTP on the TLS port gets a line that says so", args: []string{"http://localhost:@/"}, out: []string{" 400 ", "plain-on-tls", "should say https"}},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, curl, s) })
	}
	s.stop()
}

func (c curlRow) run(t *testing.T, curl string, s *server) {
	args := []string{"-sS", "-i", "--noproxy", "*", "--cacert", s.caFile()}
	for _, arg := range c.args {
		args = append(args, strings.ReplaceAll(arg, "@", s.port()))
	}
	got := runToEnd(t, "cargo", curl, args...)
	if got.exit != c.exit || !strings.Contains(got.stderr, c.stderr) {
		t.Errorf("curl ended with %d %q, want %d %q", got.exit, got.stderr, c.exit, c.stderr)
	}
	for _, want := range c.out {
		if !strings.Contains(got.out, want) {
			t.Errorf("output\n%s\nlacks %q", got.out, want)
		}
	}
}
