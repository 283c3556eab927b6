package session

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// readAll looks into the fields in turn.
func readAll(name string, fields ...string) (token [tokenBytes]byte, ok bool) {
	f := finder{name: name}
	for _, field := range fields {
		f.read([]byte(field))
	}
	return f.token()
}

func TestCookie(t *testing.T) {
	var want [tokenBytes]byte
	for i := range want {
		want[i] = byte(i * 37)
	}
	good := base64.RawURLEncoding.EncodeToString(want[:])
	const name = "__Host-session"
	for _, c := range []struct {
		name   string
		fields []string
		ok     bool
	}{
		{"alone", []string{name + "=" + good}, true},
		{"among others (RFC 6265 §4.2.1)", []string{"a=b; " + name + "=" + good + "; c=d=e"}, true},
		{"in a field line of its own (RFC 9113 §8.2.3)", []string{"a=b", name + "=" + good, "c=d"}, true},
		{"without the space that a user agent sends", []string{"a=b;" + name + "=" + good}, true},
		{"with space around it", []string{" \t" + name + "=" + good + " \t;"}, true},
		{"behind a piece without a name", []string{";;=; x; " + name + "=" + good}, true},
		{"missing", []string{"a=b"}, false},
		{"no field at all", nil, false},
		{"empty", []string{name + "="}, false},
		{"name alone", []string{name}, false},
		{"twice in one line", []string{name + "=" + good + "; " + name + "=" + good}, false},
		{"twice in two lines", []string{name + "=" + good, name + "=" + good}, false},
		{"one good and one malformed", []string{name + "=" + good + "; " + name + "=x"}, false},
		{"in another case: names are compared to the byte", []string{"__host-Session=" + good}, false},
		{"under a longer name", []string{"x" + name + "=" + good}, false},
		{"space before the sign", []string{name + " =" + good}, false},
		{"quoted", []string{name + `="` + good + `"`}, false},
		{"padded", []string{name + "=" + good + "="}, false},
		{"short", []string{name + "=" + good[1:]}, false},
		{"of the other alphabet", []string{name + "=" + strings.Repeat("+", 43)}, false},
		{"with a line end inside", []string{name + "=" + good[:42] + "\n"}, false},
		{"with spare bits set", []string{name + "=" + good[:42] + "B"}, false},
		{"with control bytes", []string{name + "=" + "\x00" + good[1:]}, false},
		{"behind 16 KiB of others", []string{strings.Repeat("a=b;", 4<<10), name + "=" + good}, false},
		{"before 16 KiB of others", []string{name + "=" + good, strings.Repeat("a=b;", 4<<10)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := readAll(name, c.fields...)
			if ok != c.ok || ok && got != want {
				t.Errorf("got %x, %v", got, ok)
			}
		})
	}
	t.Run("what is set is read back", func(t *testing.T) {
		pair, _, _ := strings.Cut(cookie(name, want, 0), ";")
		if got, ok := readAll(name, pair); !ok || got != want {
			t.Errorf("got %x, %v", got, ok)
		}
	})
	t.Run("what clears is no session", func(t *testing.T) {
		pair, attributes, _ := strings.Cut(clearing(name), ";")
		if _, ok := readAll(name, pair); ok || !strings.Contains(attributes, "Max-Age=0;") {
			t.Errorf("%q", clearing(name))
		}
	})
}

// FuzzCookie compares with a reader that takes its time.
func FuzzCookie(f *testing.F) {
	good := strings.Repeat("A", 43)
	for _, seed := range []string{
		"s=" + good, "a=b; s=" + good, "s=" + good + "\ns=" + good, "s=" + good + ";s", "s==" + good, "\ts=" + good + " ", "s=" + good[1:] + "B", `s="` + good[2:] + `"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		fields := strings.Split(lines, "\n")
		token, ok := readAll("s", fields...)
		var values []string
		for _, field := range fields {
			for _, pair := range strings.Split(field, ";") {
				if value, found := strings.CutPrefix(strings.Trim(pair, " \t"), "s="); found {
					values = append(values, value)
				}
			}
		}
		long := len(lines)-len(fields)+1 > maxCookieBytes
		if ok && (long || !slices.Equal(values, []string{base64.RawURLEncoding.EncodeToString(token[:])})) {
			t.Fatalf("%q gave %x", lines, token)
		}
		if !ok && !long && len(values) == 1 && !strings.ContainsAny(values[0], "\r\n") {
			if raw, err := base64.RawURLEncoding.Strict().DecodeString(values[0]); err == nil && len(raw) == tokenBytes {
				t.Fatalf("%q gave nothing", lines)
			}
		}
	})
}
