package main

import (
	"math"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "16KiB": 16 << 10, "1GiB": 1 << 30, "1_000_000": 1e6, "1MB": 1e6, "3kB": 3000, "3kb": 3000,
		"7B": 7, "2TiB": 2 << 40, "1PiB": 1 << 50, "7EiB": 7 << 60, "9EB": 9e18, "10 MiB": 10 << 20, "5mib": 5 << 20,
		"9223372036854775807": math.MaxInt64, "1_0KiB": 10 << 10, "007": 7, "4TB": 4e12, "4PB": 4e15, "4GB": 4e9,
	} {
		if got, f := parseSize(text); f != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, f, want)
		}
	}
	for text, what := range map[string]string{
		"": "is empty", "-1": "is no size", "+1": "is no size", "1.5GiB": "is no size", "1,000": "is no size", "KiB": "is no size",
		"1K": "is no size", "1k": "is no size", "1Ki": "is no size", "1XB": "is no size", "_1": "is no size", "1_": "is no size",
		"1__0": "is no size", "0x10": "is no size", " 1": "is no size", "1\n": "is no size", "ten": "is no size", "1e6": "is no size",
		"8EiB": "is out of range", "9223372036854775808": "is out of range", "99999999999999999999999": "is out of range", "20EB": "is out of range",
	} {
		if got, f := parseSize(text); f == nil || f.What != what || f.Mend == "" {
			t.Errorf("%q is %d, %+v; want one that %s", text, got, f, what)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "500ms": 500 * time.Millisecond, "1m30s": 90 * time.Second, "-1s": -time.Second, "1.5h": 90 * time.Minute,
	} {
		if got, f := parseDuration(text); f != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, f, want)
		}
	}
	for text, mend := range map[string]string{
		"25": "write 25s", "+25": "write 25s", "1d": "write it in h", "2 s": "write it as 500ms, 30s or 1m30s", "s": "write it as 500ms, 30s or 1m30s",
		"9999999999h": "write it as 500ms, 30s or 1m30s", "": "give it a value, or leave it out (is a shell variable unset?)",
	} {
		if got, f := parseDuration(text); f == nil || f.Mend != mend {
			t.Errorf("%q is %v, %+v; want the advice %q", text, got, f, mend)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1: "1", 1023: "1023", 1024: "1KiB", 1 << 20: "1MiB", 1e9: "1000000000", 3 << 30: "3GiB", 1 << 60: "1EiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"", "0", "16KiB", "1_000", "8EiB", "-1", "1 GB", "99999999999999999999KiB"} {
		f.Add(s, int64(len(s)))
	}
	f.Fuzz(func(t *testing.T, text string, n int64) {
		if got, flaw := parseSize(text); got < 0 || flaw != nil && (got != 0 || flaw.What == "" || flaw.Mend == "") {
			t.Fatalf("%q is %d, %+v", text, got, flaw)
		}
		if n &= math.MaxInt64; n >= 0 {
			if got, flaw := parseSize(formatSize(n)); flaw != nil || got != n {
				t.Fatalf("%d, written %s, reads %d, %+v", n, formatSize(n), got, flaw)
			}
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"", "1s", "25", "1d", "1 s", "-1h", "9999999999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, flaw := parseDuration(text)
		if flaw != nil {
			if got != 0 || flaw.What == "" || flaw.Mend == "" {
				t.Fatalf("%q is %v, %+v", text, got, flaw)
			}
			return
		}
		if again, flaw := parseDuration(got.String()); flaw != nil || again != got {
			t.Fatalf("%q, written %v, reads %v, %+v", text, got, again, flaw)
		}
	})
}
