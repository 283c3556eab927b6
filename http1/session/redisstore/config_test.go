package redisstore

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Run("what a URL says", func(t *testing.T) {
		for address, want := range map[string]config{
			"redis://h":                      {addr: "h:6379", prefix: defaultPrefix},
			"redis://h:1/2":                  {addr: "h:1", db: 2, prefix: defaultPrefix},
			"redis://u:p%2F%40@[::1]:7/":     {addr: "[::1]:7", user: "u", password: "p/@", prefix: defaultPrefix},
			"redis://:p@h?prefix=other%3A":   {addr: "h:6379", password: "p", prefix: "other:"},
			"rediss://h.example:7/1?prefix=": {},
		} {
			c, err := parse(address)
			if want.addr == "" {
				if err == nil {
					t.Errorf("%s: taken", address)
				}
				continue
			}
			if err != nil || *c != want {
				t.Errorf("%s: %+v, %v; want %+v", address, c, err, want)
			}
		}
	})
	t.Run("TLS is told the name, and 1.2 at least", func(t *testing.T) {
		c, err := parse("rediss://u:p@h.example/1?prefix=x")
		if err != nil || c.tls.ServerName != "h.example" || c.tls.MinVersion != 0x0303 || c.String() != "rediss://h.example:6379/1?prefix=x" {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("no error repeats a part of it", func(t *testing.T) {
		for _, address := range []string{
			"secret", "http://secret", "redis:secret", "redis://", "redis:///secret", "redis://:secret%zz@h", "redis://:secret#x@h", "redis://h/secret",
			"redis://:p/secret@h", "redis://h/-1", "redis://h?secret=1", "redis://h?prefix={secret}", "redis://h?prefix=secret&prefix=secret", "redis://h?ca=secret", "redis://h?;secret",
			"redis://:\x7fsecret@h", "redis://:p?secret@h",
		} {
			if c, err := parse(address); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %+v, %v", address, c, err)
			}
		}
	})
	t.Run("roots that cannot be read", func(t *testing.T) {
		for _, file := range []string{"/nowhere/ca.pem", "config_test.go"} {
			if _, err := Open("rediss://:secret@h?ca="+file, Options{}); err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
		}
	})
}
