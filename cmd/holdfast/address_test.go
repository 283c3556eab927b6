package main

import (
	"net"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"off": "", ":8443": ":8443", "127.0.0.1:0": "127.0.0.1:0", "[::1]:443": "[::1]:443", "[::]:443": "[::]:443",
		"localhost:65535": "localhost:65535", "[fe80::1%eth0]:80": "[fe80::1%eth0]:80", "Example.ORG.:1": "example.org:1",
		"bücher.example:443": "xn--bcher-kva.example:443", "0.0.0.0:80": "0.0.0.0:80",
		"unix:/run/s.sock": "unix:/run/s.sock", "unix:s": "unix:s", "unix:./@s": "unix:./@s", "unix:" + strings.Repeat("a", 107): "unix:" + strings.Repeat("a", 107),
	} {
		if got, f := parseAddress(text); f != nil || got != want {
			t.Errorf("%q is %q, %+v; want %q", text, got, f, want)
		}
	}
	for text, what := range map[string]string{
		"": "is empty", "8443": "is only a port", "http://a:1": "is a URL", "localhost": "is no address", "none": "is no address",
		"no": "is no address", "::1:443": "is no address", "[::1]": "is no address", ":https": "has no port from 0 to 65535", ":": "has no port from 0 to 65535",
		":65536": "has no port from 0 to 65535", ":-1": "has no port from 0 to 65535", ":+1": "has no port from 0 to 65535", ":08443": "has no port from 0 to 65535",
		"a b:1": "has no valid host name", "-a:1": "has no valid host name", "a..b:1": "has no valid host name", "*:443": "has no valid host name",
		"999.1.1.1.:x": "has no port from 0 to 65535", "/run/s.sock": "is no address", "run/s.sock": "is no address", "unix:": "names no path", "unix:@s": "is an abstract socket",
		"unix:/run/": "names a directory", "unix:a\x00b": "has a control byte in its path", "unix:" + strings.Repeat("a", 108): "has a path of 108 bytes", "[::1%\n]:1": "has no valid host name",
	} {
		if got, f := parseAddress(text); f == nil || f.What != what || f.Mend == "" {
			t.Errorf("%q is %q, %+v; want one that %s", text, got, f, what)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"off", ":1", "[::1]:1", "bücher.example:443", "[::1%x]:1", "a:b:c", "::", "\x89:0", "..:0", "unix:/a", "unix:\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, flaw := parseAddress(text)
		if flaw != nil {
			if got != "" || flaw.What == "" || flaw.Mend == "" {
				t.Fatalf("%q is %q, %+v", text, got, flaw)
			}
			return
		}
		if got == "" {
			if text != off {
				t.Fatalf("%q is off", text)
			}
			return
		}
		if strings.HasPrefix(got, "unix:") {
			if got != text || len(got) <= 5 || len(got) > 112 || strings.ContainsRune(got, 0) {
				t.Fatalf("%q is %q, which is no unix socket's address", text, got)
			}
		} else if _, _, err := net.SplitHostPort(got); err != nil {
			t.Fatalf("%q is %q, which net.Listen refuses: %v", text, got, err)
		}
		if again, flaw := parseAddress(got); flaw != nil || again != got {
			t.Fatalf("%q is %q, which is %q, %+v", text, got, again, flaw)
		}
	})
}

func TestParseLocalName(t *testing.T) {
	for text, want := range map[string]string{
		"dev.test": "dev.test", "Dev.Test.": "dev.test", "*.dev.test": "*.dev.test", "10.0.0.1": "10.0.0.1", "::0001": "::1",
		"::ffff:10.0.0.1": "10.0.0.1", "bücher.example": "xn--bcher-kva.example", "machine": "machine",
	} {
		if got, f := parseLocalName(text); f != nil || got != want {
			t.Errorf("%q is %q, %+v; want %q", text, got, f, want)
		}
	}
	for _, text := range []string{"a b", "*", "a.*.b", "**.a", "http://a", "a:1", "a/b", "fe80::1%eth0", "-a.test", "xn--a"} {
		if got, f := parseLocalName(text); f == nil || f.What == "" || f.Mend == "" {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
}

func TestClash(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{":443", ":443", true}, {":443", ":80", false}, {":0", ":0", false}, {"", "", false}, {"", ":80", false},
		{"127.0.0.1:80", "127.0.0.1:80", true}, {"127.0.0.1:80", "127.0.0.2:80", false}, {"127.0.0.1:80", ":80", true},
		{"0.0.0.0:80", "127.0.0.1:80", true}, {"[::]:80", "127.0.0.1:80", true}, {"localhost:80", "LOCALHOST:80", true},
		{"unix:/a", "unix:/a", true}, {"unix:/a", "unix:/b", false}, {"unix:/a", "unix:/b/../a", true}, {"unix:a", "unix:./a", true},
		{"unix:/a", "unix:/a.lock", true}, {"unix:/a.lock", "unix:/a", true}, {"unix:/a", ":80", false}, {":80", "unix:/a", false},
	} {
		if got := clash(c.a, c.b); got != c.want {
			t.Errorf("clash(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
