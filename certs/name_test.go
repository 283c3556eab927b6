package certs

import (
	"strings"
	"testing"
)

func TestASCIIName(t *testing.T) {
	for given, want := range map[string]string{
		"localhost":       "localhost",
		"LocalHost.":      "localhost",
		"*.LOCALHOST":     "*.localhost",
		"bücher.example":  "xn--bcher-kva.example",
		"*.Bücher.test":   "*.xn--bcher-kva.test",
		"a-1.example.com": "a-1.example.com",
	} {
		t.Run(given+" is "+want, func(t *testing.T) {
			if got, err := asciiName(given); err != nil || got != want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	for _, bad := range []string{
		"", ".", "*", "*.", "a b", "a..b", "a_b", "-a", "w*.test", "a.*.test", "*.*.test", "a/b", "a\x00b", "a\nb",
		"a\xffb", "a.\u00ad.b", "\u3002a",
		strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a",
	} {
		t.Run("refuses "+bad, func(t *testing.T) {
			got, err := asciiName(bad)
			if err == nil {
				t.Fatalf("accepted as %q", got)
			}
			oneLine(t, err, "host name")
		})
	}
}

func TestSplitNames(t *testing.T) {
	names, ips, err := splitNames([]string{"Box.local", "192.168.1.5", "::1", "*.test"})
	if err != nil || strings.Join(names, " ") != "box.local *.test" || len(ips) != 2 {
		t.Errorf("got %q, %v, %v", names, ips, err)
	}
	if _, _, err := splitNames([]string{"good", "b a d"}); err == nil {
		t.Error("a bad name passed")
	}
}
