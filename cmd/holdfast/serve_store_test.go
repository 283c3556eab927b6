package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCertStore(t *testing.T) {
	pod := func(key string) string {
		return map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}[key]
	}
	nowhere := func(string) string { return "" }
	t.Run("what an address means", func(t *testing.T) {
		for address, want := range map[string]struct{ dir, shared string }{
			"":                            {"/state/certificates", ""},
			"dir:/data":                   {"/data", ""},
			"redis://:hunter2@cache/1":    {"/state/certificates", "redis://cache:6379/1"},
			"rediss://cache?prefix=a":     {"/state/certificates", "rediss://cache:6379/0?prefix=a"},
			"kubernetes:web/certificates": {"/state/certificates", "kubernetes:web/certificates"},
		} {
			c, f := readCertStore(address, "/state", pod)
			if f != nil {
				t.Errorf("%s: %s", address, f.line())
				continue
			}
			shared := ""
			if c.shared != nil {
				s, err := c.shared()
				if err != nil {
					t.Errorf("%s: %v", address, err)
					continue
				}
				shared = s.String()
			}
			if c.dir != want.dir || shared != want.shared {
				t.Errorf("%s is %q and %q", address, c.dir, shared)
			}
		}
	})
	t.Run("what is wrong is said in full, and no password is shown", func(t *testing.T) {
		for address, want := range map[string]string{
			"/data":                       "no scheme",
			"dir:":                        "no name",
			"ftp://:hunter2@host":         "no store of this kind",
			"hunter2:x":                   "no store of this kind",
			"redis://:hunter2@":           "no host",
			"redis://me:12/hunter2@cache": "%2F",
			"redis://:hunter2@cache?ca=x": "rediss://",
			"kubernetes:certificates":     "NAMESPACE/NAME",
			"kubernetes:web/certificates": "this is no pod",
		} {
			_, f := readCertStore(address, "/state", nowhere)
			if f == nil {
				t.Errorf("%s is taken", address)
				continue
			}
			line := f.line()
			if !f.Usage || !strings.Contains(line, want) || !strings.Contains(line, "--cert-store") || !strings.Contains(line, "write dir:PATH") || !strings.Contains(line, "HOLDFAST_CERT_STORE") || strings.Contains(line, "hunter2") {
				t.Errorf("%s: %s", address, line)
			}
		}
	})
	t.Run("a directory is opened and used", func(t *testing.T) {
		state := filepath.Join(t.TempDir(), "state")
		c, f := readCertStore("", state, nowhere)
		if f != nil {
			t.Fatal(f.line())
		}
		s, err := c.open(slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), "ledger/example.org", []byte("{}"), nil); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(state, "certificates", "values", "ledger+", "example.org")); err != nil {
			t.Error(err)
		}
	})
	t.Run("one that cannot be used is an error alone, and a warning beside a shared store", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		alone, _ := readCertStore("dir:"+file, "", nowhere)
		if _, err := alone.open(slog.New(slog.DiscardHandler), time.Now); err == nil {
			t.Error("a file is a directory")
		}
		var log strings.Builder
		beside, _ := readCertStore("redis://127.0.0.1:1", file, nowhere)
		s, err := beside.open(slog.New(slog.NewTextHandler(&log, nil)), time.Now)
		if err != nil || !strings.Contains(log.String(), "not kept on this machine") {
			t.Fatalf("%v, %s", err, &log)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("keys that cross a network in the clear are a warning", func(t *testing.T) {
		for address, clear := range map[string]bool{
			"redis://192.0.2.1:6379": true, "redis://:hunter2@redis.internal": true, "rediss://redis.internal": false,
			"redis://127.0.0.1:1": false, "redis://[::1]:1": false, "redis://localhost": false,
		} {
			c, f := readCertStore(address, t.TempDir(), nowhere)
			if f != nil {
				t.Fatal(f.line())
			}
			var log strings.Builder
			s, err := c.open(slog.New(slog.NewTextHandler(&log, nil)), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(log.String(), "in the clear"); got != clear || strings.Contains(log.String(), "hunter2") {
				t.Errorf("%s: the log says %s", address, &log)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("without any place it says what to name", func(t *testing.T) {
		c, f := readCertStore("", "", nowhere)
		if f != nil {
			t.Fatal(f.line())
		}
		if _, err := c.open(slog.New(slog.DiscardHandler), time.Now); err == nil || !strings.Contains(err.Error(), "--cert-store") {
			t.Errorf("%v", err)
		}
	})
	t.Run("what is damaged in it counts as missing", func(t *testing.T) {
		c, _ := readCertStore("dir:"+filepath.Join(t.TempDir(), "store"), "", nowhere)
		s, err := c.open(slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := os.MkdirAll(filepath.Join(c.dir, "values", "cert+"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.dir, "values", "cert+", "example.org"), []byte("-----BEGIN"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(ctx, "cert/example.org"); err == nil || !strings.Contains(err.Error(), "not exist") {
			t.Errorf("%v", err)
		}
	})
}
