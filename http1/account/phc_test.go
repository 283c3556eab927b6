package account

import (
	"errors"
	"strings"
	"testing"
)

// example was made by the reference implementation's parameters: 16 bytes of salt, 32 of sum.
const example = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func TestDigest(t *testing.T) {
	t.Run("what was written is read", func(t *testing.T) {
		d, err := parseDigest(example)
		if err != nil || d.cost != (Cost{64, 1, 1}) || string(d.salt) != "saltsaltsaltsalt" || len(d.sum) != 32 || d.sum[31] != 31 {
			t.Fatalf("%+v, %v", d, err)
		}
		if d.String() != example {
			t.Errorf("%s", d)
		}
	})
	for name, text := range map[string]string{
		"nothing":                              "",
		"another function":                     strings.Replace(example, "argon2id", "argon2i", 1),
		"another version":                      strings.Replace(example, "v=19", "v=16", 1),
		"no version":                           strings.Replace(example, "v=19$", "", 1),
		"more memory than this process gives":  strings.Replace(example, "m=64", "m=65537", 1),
		"memory beyond a uint32":               strings.Replace(example, "m=64", "m=4294967360", 1),
		"less memory than a lane needs":        strings.Replace(example, "m=64", "m=7", 1),
		"no memory":                            strings.Replace(example, "m=64", "m=0", 1),
		"more passes than this process gives":  strings.Replace(example, "t=1", "t=17", 1),
		"no passes, on which argon2 panics":    strings.Replace(example, "t=1", "t=0", 1),
		"no lanes, on which argon2 panics":     strings.Replace(example, "p=1", "p=0", 1),
		"lanes that would overflow a byte":     strings.Replace(example, "p=1", "p=257", 1),
		"a sign before a figure":               strings.Replace(example, "t=1", "t=+1", 1),
		"a zero before a figure":               strings.Replace(example, "t=1", "t=01", 1),
		"parameters in another order":          strings.Replace(example, "m=64,t=1", "t=1,m=64", 1),
		"a parameter missing":                  strings.Replace(example, ",p=1", "", 1),
		"one more part":                        example + "$",
		"a short salt":                         strings.Replace(example, "c2FsdHNhbHRzYWx0c2FsdA", "c2FsdA", 1),
		"an empty sum, which all are equal to": example[:strings.LastIndex(example, "$")+1],
		"base64 with padding":                  example + "=",
		"base64 with a line's end in it":       example[:len(example)-4] + "\r\n" + example[len(example)-4:],
		"a line's end behind it":               example + "\n",
		"more than a hash can be":              example + strings.Repeat("A", 300),
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			if d, err := parseDigest(text); !errors.Is(err, errHash) {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

func FuzzDigest(f *testing.F) {
	f.Add(example)
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDigest(text)
		if err != nil {
			return
		}
		if d.String() != text {
			t.Errorf("%q is read and written as %q: a hash has one spelling", text, d)
		}
		if err := d.cost.check(); err != nil {
			t.Error(err)
		}
	})
}
