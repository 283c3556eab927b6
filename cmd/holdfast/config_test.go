package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string // FILE stands for the file's path
	}{
		{"an unknown key has its line and a neighbour", "\n# comment\ndrain-timout = '1s'\n",
			[]string{`unknown key "drain-timout" (FILE:3); did you mean drain-timeout?`}},
		{"a key with underscores has one too", "idle_timeout = '1s'", []string{`unknown key "idle_timeout" (FILE:1); did you mean idle-timeout?`}},
		{"a key with dashes in front", `"--https" = ":1"`, []string{`unknown key "--https" (FILE:1); did you mean https`}},
		{"a key like nothing", "zzzzzz = 1", []string{`unknown key "zzzzzz" (FILE:1); see holdfast serve --help for the names`}},
		{"several unknown keys in the file's order", "zz = 1\nhttps = ':1'\naa = 2\n",
			[]string{`unknown key "zz" (FILE:1)`, `unknown key "aa" (FILE:3)`}},
		{"a table", "https = ':1'\n[limits]\nmax-fields = 1\n",
			[]string{`unknown table "[limits]" (FILE:2): settings are plain keys at the top of the file; see`}},
		{"an array of tables, once", "[[host]]\nroot = 'a'\n[[host]]\nroot = 'b'\n", []string{`unknown table "[host]" (FILE:1)`}},
		{"a dotted key", "https.port = 1", []string{`https "map[port:1]" has the wrong type (FILE:1): it takes text in quotes; write it as https = "…"`}},
		{"a file names no other file", "config = 'x.toml'", []string{`unknown key "config" (FILE:1)`}},
		{"text without quotes", "https = :8443\n", []string{`the configuration is no valid TOML (FILE:1:9): `}},
		{"a key twice", "https = ':1'\nhttps = ':2'\n", []string{`the configuration is no valid TOML (FILE:2:1): toml: key https is already defined; `}},
		{"bad UTF-8", "https = '\xff'", []string{`the configuration is no valid TOML (FILE:1:`}},
		{"a number for a duration", "\ndrain-timeout = 25\n",
			[]string{`drain-timeout "25" has the wrong type (FILE:2): it takes text in quotes; write it as drain-timeout = "…"`}},
		{"a number for an address", "https = 8443", []string{`https "8443" has the wrong type (FILE:1): it takes text in quotes`}},
		{"a boolean for a number", "max-fields = true", []string{`max-fields "true" has the wrong type (FILE:1): it takes a number or text`}},
		{"a float for a number", "max-fields = 1.5", []string{`max-fields "1.5" has the wrong type (FILE:1): it takes a number or text`}},
		{"a number for a switch", "access-log = 1", []string{`access-log "1" has the wrong type (FILE:1): it takes true, false or text`}},
		{"an array for one value", "root = ['a', 'b']", []string{`root "a, b" has the wrong type (FILE:1): it takes text in quotes`}},
		{"an array of numbers", "local-name = [1, 2]",
			[]string{`local-name "[1 2]" has the wrong type (FILE:1): it takes text or an array of text; write it as local-name = ["…"]`}},
		{"an empty text in an array", "local-name = ['a.test', '']", []string{`local-name "" is empty (FILE:1); `}},
		{"a date", "state = 2025-01-01", []string{`state "2025-01-01" has the wrong type (FILE:1)`}},
		{"a value out of range", "max-fields = 0", []string{`max-fields "0" is out of range (FILE:1); `}},
		{"a missing root", "root = '/nowhere/at/all'", []string{`cannot serve the directory "/nowhere/at/all" (FILE:1): there is none; `}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "holdfast.toml", c.text)
			r := holdfast(t, testEnvironment(t), "serve", "--config", file)
			got := lines(r.err)
			if r.settings != nil || len(got) != len(c.want) {
				t.Fatalf("exit %d, faults %q, want %q", r.exit, got, c.want)
			}
			for i := range got {
				if want := "holdfast: " + strings.ReplaceAll(c.want[i], "FILE", file); !strings.HasPrefix(got[i], want) {
					t.Errorf("got  %q\nwant %q", got[i], want)
				}
			}
		})
	}
}

func TestConfigFileThatCannotBeRead(t *testing.T) {
	t.Run("a directory", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "serve", "--config", t.TempDir())
		if r.exit != 1 || !strings.Contains(r.err, "(--config): is a directory; check the path") {
			t.Errorf("exit %d, %s", r.exit, r.err)
		}
	})
	t.Run("larger than any configuration", func(t *testing.T) {
		file := writeFile(t, "large.toml", strings.Repeat("#", configLimitBytes+1))
		r := holdfast(t, testEnvironment(t), "serve", "--config", file)
		if r.exit != 1 || !strings.Contains(r.err, "it is larger than 1048576 bytes") {
			t.Errorf("exit %d, %s", r.exit, r.err)
		}
	})
	t.Run("one without an end", func(t *testing.T) {
		zero := filepath.Join("/dev", "zero")
		if _, err := os.Stat(zero); err != nil {
			t.Skip("this system has no endless device")
		}
		if r := holdfast(t, testEnvironment(t), "serve", "--config", zero); r.exit != 1 {
			t.Errorf("exit %d, %s", r.exit, r.err)
		}
	})
}

func TestConfigForms(t *testing.T) {
	file := writeFile(t, "holdfast.toml", `
# Every form that a value may have.
https = ":1"
access-log = "off"
max-fields = 0x20
max-body-bytes = 1_000_000
max-head-bytes = "8KiB"
local-name = "one.test"
max-connections-per-ip = "off"
`)
	s := configured(t, testEnvironment(t), "--config", file)
	if s.HTTPS != ":1" || s.AccessLog || s.MaxFields != 32 || s.MaxBodyBytes != 1_000_000 || s.MaxHeadBytes != 8192 ||
		s.MaxConnectionsPerIP != 0 || len(s.LocalNames) != 1 || s.LocalNames[0] != "one.test" {
		t.Errorf("settings %+v", s)
	}
	for _, empty := range []string{"", "# nothing\n", "\ufeff"} {
		if s := configured(t, testEnvironment(t), "--config", writeFile(t, "empty.toml", strings.TrimPrefix(empty, "\ufeff"))); s.MaxFields != 100 {
			t.Errorf("with the file %q, max-fields is %d", empty, s.MaxFields)
		}
	}
}

func FuzzDecodeConfig(f *testing.F) {
	for _, seed := range []string{"https = ':1'", "a = 1\n[b]\nc = 2", "x.y.z = 1", "[[site]]\n", "cert = ['a', 1]", "'' = 1", "\"\\n\" = 1", "a={b=1}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, faults := decodeConfig("f.toml", []byte(text))
		for name, v := range values {
			if len(v.texts) == 0 && v.kind != listKind {
				t.Fatalf("%s has no text", name)
			}
			if v.from == "f.toml:0" {
				t.Fatalf("%s of %q has no line", name, text)
			}
		}
		for _, fault := range faults {
			if !fault.Usage || strings.Contains(fault.line(), "\n") || !strings.HasPrefix(fault.Where, "f.toml:") || fault.Where == "f.toml:0" {
				t.Fatalf("fault %q of %q", fault.line(), text)
			}
		}
	})
}
