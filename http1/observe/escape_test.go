package observe

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text stays as it is", "/index.html?a=b&c=%20", "/index.html?a=b&c=%20"},
		{"letters of any script stay", "/grüße/日本", "/grüße/日本"},
		{"nothing stays nothing", "", ""},
		{"a line feed begins no line", "/a\nGET /b", `/a\x0aGET /b`},
		{"a carriage return overwrites nothing", "/a\rb", `/a\x0db`},
		{"CR LF", "a\r\nb", `a\x0d\x0ab`},
		{"NUL", "a\x00b", `a\x00b`},
		{"tab", "a\tb", `a\x09b`},
		{"an escape sequence clears no screen", "\x1b[2J", `\x1b[2J`},
		{"DEL", "a\x7fb", `a\x7fb`},
		{"a C1 control in UTF-8 is no CSI", "\u009b31m", `\xc2\x9b31m`},
		{"NEL in UTF-8", "a\u0085b", `a\xc2\x85b`},
		{"a bare C1 byte", "a\x9bb", `a\x9bb`},
		{"bad UTF-8", "a\xff\xfeb", `a\xff\xfeb`},
		{"half a rune", "a\xe6\x97", `a\xe6\x97`},
		{"an encoded surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"the replacement character itself", "\uFFFD", "\uFFFD"},
		{"the line separator", "a\u2028b", `a\xe2\x80\xa8b`},
		{"right-to-left override", "a\u202eb", `a\xe2\x80\xaeb`},
		{"a byte order mark", "\ufeffa", `\xef\xbb\xbfa`},
		{"a no-break space looks like a space", "a\u00a0b", `a\xc2\xa0b`},
		{"a backslash cannot pose as an escape", `\x0a`, `\x5cx0a`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Escape(c.in, 1024); got != c.want {
				t.Errorf("Escape(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestEscapeLimit(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    int
		want     string
	}{
		{"as long as the limit is whole", "abcd", 4, "abcd"},
		{"one more is cut and counted", "abcde", 4, "abcd…(+1 bytes)"},
		{"a rune is not cut in half", "abcé", 4, "abc…(+2 bytes)"},
		{"nor one of four bytes", "a\U0001f512b", 4, "a…(+5 bytes)"},
		{"bytes that are no rune are cut anywhere", "\x80\x80\x80\x80\x80\x80", 4, `\x80\x80\x80\x80…(+2 bytes)`},
		{"what is cut is escaped too", "a\nbcdef", 3, `a\x0ab…(+4 bytes)`},
		{"a limit of nothing leaves the count", "abc", 0, "…(+3 bytes)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Escape(c.in, c.limit); got != c.want {
				t.Errorf("Escape(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
			}
		})
	}
}

func TestEscapeAllocatesNothingForPlainText(t *testing.T) {
	target := strings.Repeat("/segment", 20)
	if n := testing.AllocsPerRun(100, func() { _ = Escape(target, 1024) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "/", "a\r\nb", "\x1b]0;x\x07", "\u009b", "\xff", `\`, "é", "\u202e", strings.Repeat("x", 100)} {
		f.Add(s, 16)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit &= 0xff
		got := Escape(s, limit)
		if !utf8.ValidString(got) {
			t.Fatalf("Escape(%q) = %q is not UTF-8", s, got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("Escape(%q) = %q holds %U", s, got, r)
			}
		}
		if len(got) > 4*limit+32 {
			t.Fatalf("Escape(%q, %d) is %d bytes long", s, limit, len(got))
		}
		if len(s) <= limit && unescape(t, got) != s {
			t.Fatalf("Escape(%q) = %q does not lead back", s, got)
		}
	})
}

// unescape is the inverse of Escape for what was not cut.
func unescape(t *testing.T, s string) string {
	t.Helper()
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if len(s) < i+4 || s[i+1] != 'x' {
			t.Fatalf("%q has a backslash that begins no escape", s)
		}
		b.WriteByte(byte(strings.IndexByte(digits, s[i+2])<<4 | strings.IndexByte(digits, s[i+3])))
		i += 3
	}
	return b.String()
}
