package account

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	for _, c := range []struct{ name, text, key string }{
		{"a name", "ann", "ann"},
		{"case does not count (RFC 8265 §3.3)", "Ann", "ann"},
		{"an accent is one character", "Zoe\u0301", "zo\u00e9"},
		{"a full-width letter is the letter (RFC 8265 §3.3.2)", "\uff21nn", "ann"},
		{"space around it goes", "  ann\t", "ann"},
		{"signs stay", "ann.smith+x@example_1-2", "ann.smith+x@example_1-2"},
		{"other scripts", "\u0410\u043d\u043d\u0430", "\u0430\u043d\u043d\u0430"},
		{"a capital sigma at the end is any sigma", "\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c3"},
		{"and so is a final one", "\u03c3\u03b1\u03c2", "\u03c3\u03b1\u03c3"},
		{"digits and signs go with every alphabet", "\u0410\u043d\u043d\u0430.1", "\u0430\u043d\u043d\u0430.1"},
		{"64 bytes", strings.Repeat("a", 64), strings.Repeat("a", 64)},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := ParseName(c.text)
			if err != nil || n.Key != c.key || n.Shown != strings.TrimSpace(c.text) {
				t.Errorf("%+v, %v", n, err)
			}
		})
	}
	for name, text := range map[string]string{
		"Cyrillic among Latin (RFC 8264 §12.5)": "\u0430nn",
		"Greek among Latin":                     "ann\u03bf",
		"Greek among Cyrillic":                  "\u0430\u03bd",
		"nothing":                               "",
		"space alone":                           " \t",
		"65 bytes":                              strings.Repeat("a", 65),
		"a space within":                        "ann smith",
		"a slash, which parts keys":             "ann/x",
		"a full-width slash, which is it":       "ann\uff0fx",
		"a hyphen before":                       "-rf",
		"a full-width hyphen before":            "\uff0drf",
		"a control character":                   "an\x00n",
		"a line end within":                     "an\nn",
		"no UTF-8":                              "an\xff",
		"a character without width":             "an\u200bn",
		"a change of direction":                 "an\u202en",
		"a symbol (RFC 8264 §4.2.3)":            "ann\u2665",
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			n, err := ParseName(text)
			if invalid, ok := err.(*Invalid); !ok || invalid.Field != "name" || n != (Name{}) {
				t.Errorf("%+v, %v", n, err)
			}
		})
	}
}

// A key is a session's subject and part of a store's key, and a name that is read from it is
// the same.
func FuzzName(f *testing.F) {
	for _, text := range []string{"Ann", "\uff21\uff0f", "\u0130", "\u1e9e", "a\u0301", "-", "\u03a3\u03a3", "\u0345\u03c2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseName(text)
		if err != nil {
			return
		}
		again, err := ParseName(n.Key)
		if err != nil || again.Key != n.Key {
			t.Errorf("%q is %q, which is %q (%v)", text, n.Key, again.Key, err)
		}
		if len(n.Key) > NameMostBytes || strings.ContainsAny(n.Key, "/ \x00\n") || n.Key[0] == '-' {
			t.Errorf("%q", n.Key)
		}
	})
}

func TestEmail(t *testing.T) {
	for _, text := range []string{"", "  ", "ann@example.org", "ann.o'hara+x@example.org", "\u00e4nn@example.org"} {
		t.Run("taken: "+text, func(t *testing.T) {
			if got, err := ParseEmail(text); err != nil || got != strings.TrimSpace(text) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for _, text := range []string{"ann", "ann@", "@example.org", "Ann <ann@example.org>", "<ann@example.org>", "ann@example.org, bob@example.org",
		"ann@example.org\r\nBcc: all@example.org", "ann@exa\x00mple.org", strings.Repeat("a", 250) + "@example.org", "ann@\xff"} {
		t.Run("refused: "+text, func(t *testing.T) {
			got, err := ParseEmail(text)
			if invalid, ok := err.(*Invalid); !ok || invalid.Field != "email" || got != "" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestNewPassword(t *testing.T) {
	ann := Name{Key: "ann.smith", Shown: "Ann.Smith"}
	for _, c := range []struct{ name, password, says string }{
		{"eight bytes do", "kV9#qLw2", ""},
		{"1,024 bytes do", strings.Repeat("kV9#qLw2", 128), ""},
		{"spaces are welcome", "four words no hurry", ""},
		{"other scripts do", "\u043f\u0430\u0440\u043e\u043b\u0438", ""},
		{"seven bytes do not", "kV9#qLw", "at least 8"},
		{"nothing does not", "", "at least 8"},
		{"1,025 bytes do not", strings.Repeat("a", 1025), "at most 1,024"},
		{"control characters do not", "kV9#qLw2\x07", "control"},
		{"no UTF-8 does not", "kV9#qLw2\xff", "control"},
		{"the commonest do not", "password1", "commonest"},
		{"in whatever case", "PassWord1", "commonest"},
		{"nor one character again and again", "zzzzzzzzzzzz", "commonest"},
		{"nor the name", "ann.smith", "the name"},
		{"in whatever case either", "ANN.SMITH", "the name"},
		{"nor the name twice", "ann.smithann.smith", "the name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newPassword(c.password, ann)
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			invalid, ok := err.(*Invalid)
			if !ok || invalid.Field != "password" || !strings.Contains(invalid.Text, c.says) {
				t.Errorf("%v", err)
			}
			if len(c.password) > 0 && strings.Contains(err.Error(), c.password) {
				t.Errorf("the error quotes the password: %v", err)
			}
		})
	}
	t.Run("the list has words that could be passwords, in lower case, each once", func(t *testing.T) {
		words := strings.Fields(commonText)
		if len(words) != len(common()) || len(words) < 100 {
			t.Errorf("%d words, %d of them different", len(words), len(common()))
		}
		for _, w := range words {
			if len(w) < PasswordLeastBytes || strings.ToLower(w) != w {
				t.Errorf("%q", w)
			}
		}
	})
}
