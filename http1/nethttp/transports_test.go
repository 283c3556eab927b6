package nethttp_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTransports(t *testing.T) {
	t.Run("a handler sees how its request came", func(t *testing.T) {
		over(t, transports, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			version := "none"
			if r.TLS != nil {
				version = fmt.Sprintf("%x %v", r.TLS.Version, r.TLS.HandshakeComplete)
			}
			fmt.Fprintf(w, "%s|%s|%q|%t", version, local.Network(), r.URL.Scheme, strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") || r.RemoteAddr == "@")
		}), func(t *testing.T, s *site) {
			want := map[string]string{"plain": `none|tcp|""|true`, "tls": `304 true|tcp|""|true`, "unix": `none|unix|""|true`}
			if content, _ := s.fetch("/", 200); content != want[s.transport] {
				t.Errorf("%s", content)
			}
		})
	})
	t.Run("a file arrives whole", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "big.bin")
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
		if err := os.WriteFile(name, big, 0o600); err != nil {
			t.Fatal(err)
		}
		over(t, transports, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }), func(t *testing.T, s *site) {
			if content, _ := s.fetch("/", 200); content != string(big) {
				t.Errorf("%d bytes", len(content))
			}
			if content, _ := s.fetch("/", 206, "Range", "bytes=1000000-1999999"); content != string(big[1000000:2000000]) {
				t.Errorf("%d bytes of a range", len(content))
			}
		})
	})
}

func TestHijackOverTransports(t *testing.T) {
	over(t, transports, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nyours: ")
		_ = rw.Flush()
		got, _ := io.ReadAll(rw)
		_, _ = c.Write(got)
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
		if _, err := c.Write(got); err == nil {
			t.Error("a half that was closed can be written")
		}
	}), func(t *testing.T, s *site) {
		c := s.dial()
		_, _ = io.WriteString(c, get("/")+"early ")
		_, _ = io.WriteString(c, "late")
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(res.Body); string(content) != "yours: early late" || err != nil {
			t.Errorf("%q, %v", content, err)
		}
		s.drain()
		if r := s.record(); r.Status != 0 || !r.Detached {
			t.Errorf("%+v", r)
		}
	})
}

// deadlines is a handler that says how what it does under its own deadlines ends.
func deadlines(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	past, far := time.Unix(1, 0), time.Now().Add(time.Hour)
	var err error
	switch r.URL.Path {
	case "/read/past":
		err = c.SetReadDeadline(past)
		_, read := io.ReadAll(r.Body)
		err = errors.Join(err, read)
		fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
	case "/read/future":
		err = c.SetReadDeadline(far)
		_, _ = io.Copy(w, r.Body)
	case "/write/past":
		_ = c.Flush()
		err = c.SetWriteDeadline(past)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	case "/write/future":
		err = c.SetWriteDeadline(far)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	}
	if err != nil && r.URL.Path != "/read/past" {
		fmt.Fprint(w, err)
	}
}

func TestDeadlinesOverTransports(t *testing.T) {
	over(t, transports, http.HandlerFunc(deadlines), func(t *testing.T, s *site) {
		post := func(path, content string, length int) (*http.Response, string, error) {
			c := s.dial()
			_, _ = io.WriteString(c, message("POST "+path, content, fmt.Sprintf("Content-Length: %d", length)))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(path, err)
			}
			got, err := io.ReadAll(res.Body)
			return res, string(got), err
		}
		if _, got, err := post("/read/past", "", 3); got != "true" || err != nil {
			t.Errorf("a read past its deadline: %.60q, %v", got, err)
		}
		if res, got, err := post("/read/future", "abc", 3); got != "abc" || err != nil || res.Close {
			t.Errorf("a read before its deadline: %.60q, %v", got, err)
		}
		if _, got, err := post("/write/past", "", 0); err == nil || len(got) >= 1<<20 {
			t.Errorf("a write past its deadline: %d bytes, %v", len(got), err)
		}
		if res, got, err := post("/write/future", "", 0); err != nil || len(got) != 1<<20 || res.Close {
			t.Errorf("a write before its deadline: %d bytes, %v", len(got), err)
		}
	})
}

func TestFullDuplexOverTransports(t *testing.T) {
	over(t, transports, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = errors.Join(c.EnableFullDuplex(), c.Flush())
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "heard %s\n", lines.Text())
			_ = c.Flush()
		}
	}), func(t *testing.T, s *site) {
		sent, line := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.url("/"), sent)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		heard := bufio.NewScanner(res.Body)
		for i := range 50 {
			fmt.Fprintf(line, "line %d\n", i)
			if !heard.Scan() || heard.Text() != fmt.Sprintf("heard line %d", i) {
				t.Fatalf("%q, %v", heard.Text(), heard.Err())
			}
		}
		_ = line.Close()
		if heard.Scan() || heard.Err() != nil {
			t.Errorf("behind the end %q, %v", heard.Text(), heard.Err())
		}
	})
}
