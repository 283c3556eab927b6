package nethttp_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestFormFilesAreRemoved(t *testing.T) {
	name := make(chan string, 1)
	s := open(t, "plain", withOptions(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 10); err != nil {
			t.Error(err)
		}
		f, _, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
		}
		name <- f.(*os.File).Name()
	}))
	var content bytes.Buffer
	form := multipart.NewWriter(&content)
	part, err := form.CreateFormFile("file", "large.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(part, strings.Repeat("x", 4<<20))
	_ = form.Close()
	res, err := s.client().Post(s.url("/"), form.FormDataContentType(), &content)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	s.drain()
	if _, err := os.Stat(<-name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

// closeNotifier is http.CloseNotifier, which is deprecated, for handlers that still ask for it.
type closeNotifier interface{ CloseNotify() <-chan bool }

func TestCloseNotifier(t *testing.T) {
	gone := make(chan error, 1)
	over(t, transports, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ch := w.(closeNotifier).CloseNotify()
		if ch != w.(closeNotifier).CloseNotify() {
			t.Error("two channels")
		}
		switch r.URL.Path {
		case "/wait":
			<-ch
			<-r.Context().Done()
			gone <- r.Context().Err()
		case "/read":
			_, _ = io.Copy(w, r.Body)
		}
		select {
		case <-ch:
			t.Error("told twice, or of nothing")
		default:
		}
	}), func(t *testing.T, s *site) {
		t.Run("it tells of a client that closes", func(t *testing.T) {
			c := s.dial()
			_, _ = io.WriteString(c, get("/wait"))
			_ = c.Close()
			if err := <-gone; err == nil {
				t.Error("the context goes on")
			}
		})
		t.Run("a pipelined request is no departure", func(t *testing.T) {
			c := s.dial()
			_, _ = io.WriteString(c, get("/")+post("abc")+get("/"))
			r := bufio.NewReader(c)
			for range 3 {
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
			}
		})
	})
	t.Run("after the handler's return it tells of nothing", func(t *testing.T) {
		var kept http.ResponseWriter
		logged(func(w http.ResponseWriter, _ *http.Request) { kept = w })
		if ch := kept.(closeNotifier).CloseNotify(); ch != nil {
			t.Error("a channel of another request")
		}
	})
}

func TestReadFromWaitsBesideARead(t *testing.T) {
	const size = 3 << 20
	over(t, transports, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, to := io.Pipe()
		begun, copied := make(chan bool), make(chan bool)
		go func() {
			close(begun)
			_, _ = io.Copy(w, from)
			close(copied)
		}()
		<-begun
		if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
			t.Error(n, err)
		}
		_, _ = io.WriteString(to, "hi")
		_ = to.Close()
		<-copied
	}), func(t *testing.T, s *site) {
		res, err := s.client().Post(s.url("/"), "", strings.NewReader(strings.Repeat("a", size)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if content, err := io.ReadAll(res.Body); string(content) != "hi" || err != nil {
			t.Errorf("%q, %v", content, err)
		}
	})
}

// The client sends nothing of its content until the handler has closed the body. It gets a
// 100 when the handler reads, so the close comes while the read waits.
func TestBodyCloseDoesNotBlock(t *testing.T) {
	reads, closed := make(chan bool), make(chan error)
	s := open(t, "plain", withOptions(func(_ http.ResponseWriter, r *http.Request) {
		read := make(chan error, 1)
		go func() { _, err := r.Body.Read(make([]byte, 1)); read <- err }()
		<-reads
		closed <- r.Body.Close()
		<-read
	}))
	c := s.dial()
	r := bufio.NewReader(c)
	_, _ = io.WriteString(c, message("POST /", "", "Content-Length: 100000", "Expect: 100-continue"))
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 100 {
		t.Fatal(res, err)
	}
	reads <- true
	if err := <-closed; err != nil {
		t.Error(err)
	}
	_, _ = io.WriteString(c, "x")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 200 {
		t.Error(res, err)
	}
}

func TestHijackAndTheWatch(t *testing.T) {
	for _, size := range []int{3, 8 << 10, 100 << 10} {
		t.Run(fmt.Sprintf("%d bytes that came while the context was watched are there", size), func(t *testing.T) {
			sent := make(chan bool)
			over(t, transports, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				done := r.Context().Done() // begins the watch
				sent <- true
				<-sent
				c, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				got := make([]byte, size)
				if _, err := io.ReadFull(rw, got); err != nil || strings.Trim(string(got), "x") != "" {
					t.Errorf("%.20q, %v", got, err)
				}
				select {
				case <-done:
					t.Error("the context ended")
				default:
				}
				_, _ = io.WriteString(c, "thanks")
			}), func(t *testing.T, s *site) {
				c := s.dial()
				_, _ = io.WriteString(c, get("/"))
				<-sent
				_, _ = io.WriteString(c, strings.Repeat("x", size))
				sent <- true
				if got, err := io.ReadAll(c); string(got) != "thanks" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
}

func TestHijackInALameDuck(t *testing.T) {
	over(t, transports, http.HandlerFunc(switching), func(t *testing.T, s *site) {
		s.conns.Announce()
		c := s.dial()
		_, _ = io.WriteString(c, handshake)
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != 101 || res.Header.Get("Connection") != "Upgrade" {
			t.Fatal(res, err)
		}
		if got, err := io.ReadAll(r); string(got) != "in the other protocol" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestManyClientsAtOnce(t *testing.T) {
	over(t, transports, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, r.Body)
		if err != nil {
			t.Error(err)
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = io.WriteString(w, host)
	}), func(t *testing.T, s *site) {
		client, want := s.client(), "content127.0.0.1"
		if s.transport == "unix" {
			want = "content"
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 5 {
					res, err := client.Post(s.url("/"), "", io.MultiReader(strings.NewReader("content"))) // chunked
					if err != nil {
						t.Error(err)
						return
					}
					if content, err := io.ReadAll(res.Body); string(content) != want || err != nil {
						t.Errorf("%q, %v", content, err)
					}
					_ = res.Body.Close()
				}
			})
		}
		all.Wait()
	})
}
