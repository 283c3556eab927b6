package acmetest

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCA(t *testing.T) {
	var ended *CA
	t.Run("it answers, through the gate too, with URLs that lead through the gate", func(t *testing.T) {
		ca := Start(t, Config{})
		ended = ca
		for _, url := range []string{ca.DirectoryURL, ca.Gate.DirectoryURL} {
			body := string(ca.get(t, url))
			if base := strings.TrimSuffix(url, "/dir"); !strings.Contains(body, `"`+base+NewOrder+`"`) {
				t.Errorf("%s: %s", url, body)
			}
		}
		if ca.Gate.Requests() != 1 || ca.Gate.To("/dir") != 1 || ca.Gate.OrderRequests() != 0 || ca.Gate.Orders() != 0 {
			t.Errorf("counted %d requests", ca.Gate.Requests())
		}
		if ca.IssuedRoots(t).Equal(ca.Roots) {
			t.Error("its certificates chain to its server's root")
		}
	})
	t.Run("and ends with the test", func(t *testing.T) {
		for _, url := range []string{ended.DirectoryURL, ended.Gate.DirectoryURL, ended.names} {
			if res, err := ended.client.Get(url); err == nil {
				res.Body.Close()
				t.Errorf("%s still answers", url)
			}
		}
	})
	t.Run("the external account's key has 32 bytes", func(t *testing.T) {
		if key, err := base64.RawURLEncoding.DecodeString(AnyKey); err != nil || len(key) != 32 {
			t.Errorf("%d bytes, %v", len(key), err)
		}
	})
}

func TestGate(t *testing.T) {
	ca := Start(t, Config{})
	ask := func(ctx context.Context) (int, string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, ca.Gate.DirectoryURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := ca.client.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res.StatusCode, res.Header.Get("Retry-After") + string(body), err
	}
	mended := func(t *testing.T) {
		t.Helper()
		ca.Gate.Set(Fault{})
		if status, _, err := ask(t.Context()); status != http.StatusOK {
			t.Errorf("mended, it answers %d, %v", status, err)
		}
	}
	t.Run("refuses", func(t *testing.T) {
		ca.Gate.Set(Fault{Manner: Refuse})
		if status, _, err := ask(t.Context()); err == nil {
			t.Errorf("answered %d", status)
		}
		mended(t)
	})
	t.Run("swallows", func(t *testing.T) {
		ca.Gate.Set(Fault{Manner: BlackHole})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if status, _, err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answered %d, %v", status, err)
		}
		mended(t)
	})
	t.Run("answers in the CA's place", func(t *testing.T) {
		ca.Gate.Set(Fault{Manner: Answer, Status: 429, RetryAfter: "7", Problem: "rateLimited", Detail: "a\nb"})
		status, body, err := ask(t.Context())
		if status != 429 || !strings.HasPrefix(body, "7{") || !strings.Contains(body, `"urn:ietf:params:acme:error:rateLimited"`) || !strings.Contains(body, `"a\nb"`) {
			t.Errorf("%d %s, %v", status, body, err)
		}
		mended(t)
	})
	t.Run("only where it was told to", func(t *testing.T) {
		ca.Gate.Set(Fault{Manner: Answer, Status: 429, Only: NewOrder})
		if status, _, err := ask(t.Context()); status != http.StatusOK {
			t.Errorf("%d, %v", status, err)
		}
		mended(t)
	})
	t.Run("a delay ends when the fault does", func(t *testing.T) {
		ca.Gate.Set(Fault{Latency: time.Hour})
		before := ca.Gate.Requests()
		status := make(chan int)
		go func() {
			s, _, _ := ask(t.Context())
			status <- s
		}()
		for ca.Gate.Requests() == before {
			<-time.After(time.Millisecond) // it is on its way, and comes or the test times out
		}
		ca.Gate.Set(Fault{})
		if s := <-status; s != http.StatusOK {
			t.Errorf("answered %d", s)
		}
	})
}

func TestDoor(t *testing.T) {
	d := newDoor(t)
	dial := func() string {
		c, err := net.Dial("tcp", d.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		said, _ := io.ReadAll(c)
		return string(said)
	}
	speaker := func(words string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, words)
				c.Close()
			}
		}()
		return l.Addr().String()
	}
	if said := dial(); said != "" {
		t.Errorf("a door to nowhere said %q", said)
	}
	d.To(speaker("one"), speaker("two"))
	heard := map[string]bool{dial(): true, dial(): true}
	if !heard["one"] || !heard["two"] {
		t.Errorf("heard %v, want both replicas", heard)
	}
	if d.Passed() != 3 {
		t.Errorf("%d connections, want 3", d.Passed())
	}
}
