package tlsconf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestParseSecret(t *testing.T) {
	secret := secretOf(0xc0)
	raw, digits := string(secret[:]), hex.EncodeToString(secret[:])
	blank := secretOf(0)
	copy(blank[28:], "\n\r\n ")
	for _, c := range []struct {
		name, content string
		want          Secret
		fault         string // "" for none
	}{
		{"32 bytes", raw, secret, ""},
		{"32 bytes that end with blanks", string(blank[:]), blank, ""},
		{"64 digits", digits, secret, ""},
		{"64 digits with a line's end", digits + "\n", secret, ""},
		{"64 digits with blanks around", " " + digits + "\r\n", secret, ""},
		{"64 digits in upper case", strings.ToUpper(digits), secret, ""},
		{"nothing", "", Secret{}, "it has 0 bytes, where 32 bytes or 64 hexadecimal digits belong: make one with: openssl rand -hex 32"},
		{"one byte too few", raw[1:], Secret{}, "it has 31 bytes"},
		{"one byte too many", raw + "x", Secret{}, "it has 33 bytes"},
		{"a digit too few", digits[1:], Secret{}, "it has 63 bytes"},
		{"a digit too many", digits + "0", Secret{}, "it has 65 bytes"},
		{"64 characters that are no digits", strings.Repeat("g", 64), Secret{}, "its 64 characters are not all hexadecimal digits"},
		{"base64", "wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t8=\n", Secret{}, "it has 45 bytes"},
		{"32 digits, which are 16 bytes", digits[:32], Secret{}, "its 32 hexadecimal digits are 16 bytes only"},
		{"zeroes", string(make([]byte, 32)), Secret{}, "it is one byte again and again"},
		{"digits of zeroes", strings.Repeat("0", 64), Secret{}, "it is one byte again and again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseSecret([]byte(c.content))
			if c.fault == "" && (err != nil || got != c.want) {
				t.Fatalf("wrong secret, or %v", err)
			}
			if c.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), c.fault)) {
				t.Fatalf("got %v, want %s", err, c.fault)
			}
			if err != nil && len(c.content) > 8 && strings.Contains(err.Error(), c.content[:8]) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestSecretNeverPrints(t *testing.T) {
	secret := Secret([]byte("do not tell this to anyone else!"))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "secret", secret, "pointer", &secret)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "secret", secret, "in", struct{ S Secret }{secret})
	inJSON, err := json.Marshal(map[string]any{"s": secret})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(inJSON) + errors.Join(fmt.Errorf("%v", secret)).Error()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "% x", "%08b"} {
		printed += fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, struct{ S Secret }{secret}) + fmt.Sprintf(verb, []Secret{secret})
	}
	printed += fmt.Sprintf("%+v", &TicketKeys{secret: &secret})
	for _, part := range []string{"do not", "646f206e", "646F206E", "64 6f", "100 111 32", "0x64", `\x64`} {
		if strings.Contains(printed, part) {
			t.Errorf("a part of the secret, %q, is printed:\n%s", part, printed)
		}
	}
}

func TestReadSecret(t *testing.T) {
	secret := secretOf(1)
	good := file(t, "secret", hex.EncodeToString(secret[:])+"\n")
	t.Run("a file that only its owner reads", func(t *testing.T) {
		if got, warnings, err := ReadSecret(good); got != secret || len(warnings) > 0 || err != nil {
			t.Errorf("warnings %q, error %v", warnings, err)
		}
	})
	t.Run("one that every user reads is taken, with a warning", func(t *testing.T) {
		open := file(t, "secret", string(secret[:]))
		if err := os.Chmod(open, 0o644); err != nil {
			t.Fatal(err)
		}
		got, warnings, err := ReadSecret(open)
		want := "cluster secret file " + open + " can be read by every user (mode 0644): chmod 600 it"
		if got != secret || err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], want) {
			t.Errorf("warnings %q, error %v", warnings, err)
		}
	})
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"none there", good + "x", "cluster secret file " + good + "x: file does not exist: check the path"},
		{"a directory", filepath.Dir(good), "is no regular file: check the path"},
		{"a pipe, which is not waited for", fifo, "is no regular file: check the path"},
		{"a device without an end", "/dev/zero", "is no regular file: check the path"},
		{"too large", file(t, "large", strings.Repeat("a", 5000)), "is larger than 4096 bytes: check the path"},
		{"too short", file(t, "short", "hunter2"), "is no secret: it has 7 bytes, where"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := ReadSecret(c.path)
			if got != (Secret{}) || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	t.Run("none there is fs.ErrNotExist", func(t *testing.T) {
		if _, _, err := ReadSecret(good + "x"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

func FuzzParseSecret(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde0\n"))
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := ParseSecret(content)
		if (err == nil) == (s == Secret{}) && err == nil {
			t.Fatal("zeroes are no secret")
		}
		if err == nil && len(content) < SecretBytes {
			t.Fatalf("%d bytes made a secret", len(content))
		}
	})
}
