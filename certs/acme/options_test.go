package acme

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseDirectory(t *testing.T) {
	for word, want := range map[string]string{
		"":                         ProductionURL,
		"staging":                  StagingURL,
		"https://ca.example/dir":   "https://ca.example/dir",
		"https://ca.example:14000": "https://ca.example:14000",
		"http://ca.example/dir":    "",
		"https://":                 "",
		"https://a:b@ca.example/":  "",
		"https://ca.example/#x":    "",
		"Staging":                  "",
		"ca.example":               "",
		"https://ca.example/%zz":   "",
	} {
		if got, err := ParseDirectory(word); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", word, got, err)
		}
	}
}

func TestParseExternalAccount(t *testing.T) {
	secret := "a key of fifteen"
	for _, key := range []string{"YSBrZXkgb2YgZmlmdGVlbg", "YSBrZXkgb2YgZmlmdGVlbg==", " YSBrZXkgb2YgZmlmdGVlbg==\r\n"} {
		a, err := ParseExternalAccount("kid", key)
		if err != nil || string(a.key) != secret {
			t.Errorf("%q: %v", key, err)
		}
	}
	if a, err := ParseExternalAccount("kid", "-_8="); err != nil || !bytes.Equal(a.key, []byte{0xfb, 0xff}) {
		t.Errorf("base64url: %v", err)
	}
	if a, err := ParseExternalAccount("kid", "+/8="); err != nil || !bytes.Equal(a.key, []byte{0xfb, 0xff}) {
		t.Errorf("base64: %v", err)
	}
	for _, c := range [][2]string{{"", "YWJj"}, {"kid", ""}, {"kid", "not base64!"}, {"kid", "=="}} {
		if _, err := ParseExternalAccount(c[0], c[1]); err == nil || strings.Contains(err.Error(), "not base64!") {
			t.Errorf("%q: %v", c, err)
		}
	}
}

func TestKeyOfExternalAccountIsNotPrinted(t *testing.T) {
	a, err := ParseExternalAccount("kid-1", "c2VjcmV0c2VjcmV0")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "account", a, "value", *a)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "account", a, "options", Options{ExternalAccount: a})
	fmt.Fprintf(&log, "%v %+v %#v %s %v %+v %#v", a, a, a, a, *a, Options{ExternalAccount: a}, *a)
	for _, form := range []string{"secret", "c2VjcmV0", "73656372", "115 101 99", "0x73, 0x65"} {
		if strings.Contains(log.String(), form) {
			t.Errorf("printed as %q: %s", form, &log)
		}
	}
	if !strings.Contains(log.String(), "kid-1") {
		t.Error("the key ID is not printed")
	}
}

func TestNew(t *testing.T) {
	good := Options{Directory: ProductionURL, Challenge: Auto, TermsAgreed: true, Email: "a@example.org"}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Options){
		"terms of service":   func(o *Options) { o.TermsAgreed = false },
		"kind of challenge":  func(o *Options) { o.Challenge = "dns-01" },
		"directory of a CA":  func(o *Options) { o.Directory = "" },
		"one e-mail address": func(o *Options) { o.Email = "a@example.org,b@example.org" },
		"\"http://ca\"":      func(o *Options) { o.Directory = "http://ca" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one about %q", err, want)
		}
	}
	t.Run("all faults at once", func(t *testing.T) {
		if _, err := New(Options{}); err == nil || strings.Count(err.Error(), "\n") != 2 {
			t.Errorf("%v", err)
		}
	})
}
