package redisstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Run("what a URL says", func(t *testing.T) {
		for _, c := range []struct {
			url, addr, user, password, prefix, text string
			db                                      int
		}{
			{url: "redis://cache", addr: "cache:6379", prefix: "holdfast:", text: "redis://cache:6379/0"},
			{url: "redis://cache:7000/3", addr: "cache:7000", db: 3, prefix: "holdfast:", text: "redis://cache:7000/3"},
			{url: "redis://:hunter2@[::1]:7000", addr: "[::1]:7000", password: "hunter2", prefix: "holdfast:", text: "redis://[::1]:7000/0"},
			{url: "redis://me:p%2F%40%23@cache/?prefix=a:b:", addr: "cache:6379", user: "me", password: "p/@#", prefix: "a:b:", text: "redis://cache:6379/0?prefix=a%3Ab%3A"},
			{url: "rediss://cache", addr: "cache:6379", prefix: "holdfast:", text: "rediss://cache:6379/0"},
		} {
			got, err := Parse(c.url)
			if err != nil {
				t.Errorf("%s: %v", c.url, err)
				continue
			}
			if got.Addr != c.addr || got.User != c.user || got.Password != c.password || got.Prefix != c.prefix || got.DB != c.db || got.String() != c.text {
				t.Errorf("%s: %+v is %q", c.url, got, got)
			}
			if secure := strings.HasPrefix(c.url, "rediss"); secure != (got.TLS != nil) || secure && got.TLS.ServerName != "cache" {
				t.Errorf("%s: TLS %v", c.url, got.TLS)
			}
		}
	})
	t.Run("what is wrong is said, with what to write, and without the password", func(t *testing.T) {
		noPEM := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(noPEM, []byte("hunter2"), 0o600); err != nil {
			t.Fatal(err)
		}
		for url, want := range map[string]string{
			"redis://:hunter2@":                        "no host",
			"redis://:hunter2@cache:port":              "cannot be read",
			"redis://me:12/hunter2@cache:6379":         "%2F",
			"redis://me:12#hunter2@cache":              "%23",
			"redis://me:12?hunter2@cache":              "%3F",
			"redis://:hunter2@cache/minus":             "write a number",
			"redis://:hunter2@cache/-1":                "write a number",
			"redis:hunter2@cache":                      "cannot be read",
			"http://:hunter2@cache":                    "rediss://",
			"redis://:hunter2@cache?hunter2=1":         "?prefix=TEXT",
			"redis://:hunter2@cache?prefix=":           "?prefix=TEXT",
			"redis://:hunter2@cache?prefix=a&prefix=b": "each once",
			"redis://:hunter2@cache?ca=x":              "rediss://",
			"redis://:hunter2@cache?%zz":               "?prefix=TEXT",
			"rediss://:hunter2@cache?ca=/no/such/file": "/no/such/file",
			"rediss://:hunter2@cache?ca=" + noPEM:      "no PEM certificate",
			"redis://:hunter2\x7f@cache":               "cannot be read",
		} {
			_, err := Open(url)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v, want %q", url, err, want)
			}
		}
	})
}
