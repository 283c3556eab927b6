package contestant

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileContestants(t *testing.T) {
	certFile, keyFile := writePair(t)
	config, err := TLSConfig(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	root, content := t.TempDir(), strings.Repeat("some of the file ", 20_000)
	if err := os.WriteFile(filepath.Join(root, "f.txt"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range FileNames() {
		for security, config := range map[string]*tls.Config{"plain": nil, "TLS": config} {
			t.Run(name+" "+security+" serves the file", func(t *testing.T) {
				s := open(t, name, root, config)
				c := s.dial(t)
				r := bufio.NewReader(c)
				for range 2 {
					if _, err := io.WriteString(c, "GET /f.txt HTTP/1.1\r\nHost: www.example.com\r\n\r\n"); err != nil {
						t.Fatal(err)
					}
					res, err := http.ReadResponse(r, nil)
					if err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(res.Body); err != nil || string(got) != content || res.StatusCode != 200 {
						t.Errorf("%d, %d bytes, %v", res.StatusCode, len(got), err)
					}
				}
				s.end()
				if err := <-s.ended; err != nil {
					t.Errorf("it ended with %v", err)
				}
			})
		}
	}
	t.Run("one that serves none is refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := Serve(t.Context(), "raw", root, l, nil); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a folder that is not there is an error", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := Serve(t.Context(), "holdfast", filepath.Join(root, "none"), l, nil); err == nil {
			t.Error("no error")
		}
	})
}
