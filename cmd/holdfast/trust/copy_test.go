//go:build unix

package trust

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// swap makes the CA's file a link to another user's secret, as the server's user can.
func swap(t *testing.T, ca Certificate) (secret string) {
	t.Helper()
	secret = "root:a hash"
	path := filepath.Join(t.TempDir(), "shadow")
	put(t, path, secret, 0o600)
	if err := os.Remove(ca.Path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, ca.Path); err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestFileThatIsSwappedAfterItWasRead(t *testing.T) {
	t.Run("the system's store gets what was read", func(t *testing.T) {
		const dir = "/usr/local/share/ca-certificates"
		m, ca := newMachine(t, []string{dir}, "update-ca-certificates"), newCA(t)
		p := m.Trust(t.Context(), ca, system)
		secret := swap(t, ca)
		do(t, m, p)
		text, err := os.ReadFile(filepath.Join(m.Root, dir, "holdfast-"+ca.tag()+".crt"))
		if err != nil || !ca.isIn(text) || strings.Contains(string(text), secret) {
			t.Errorf("got %q, %v", text, err)
		}
	})
	t.Run("every command gets what was read, in a file that is gone afterwards", func(t *testing.T) {
		for _, c := range []struct {
			os, program string
			scope       Scope
		}{{"linux", "certutil", browsers}, {"darwin", "security", system}} {
			m, ca := newMachine(t, nil, "chromium", c.program), newCA(t)
			m.OS = c.os
			p := m.Trust(t.Context(), ca, c.scope)
			swap(t, ca)
			var given string
			m.Run = func(_ context.Context, command []string) ([]byte, error) {
				last := command[len(command)-1]
				if text, err := os.ReadFile(last); err == nil && ca.isIn(text) {
					given = last
				}
				return nil, nil
			}
			do(t, m, p)
			if given == "" || given == ca.Path {
				t.Errorf("%s was given %q", c.program, given)
			}
			if _, err := os.Stat(filepath.Dir(given)); !os.IsNotExist(err) {
				t.Errorf("%s: the copy's directory: %v", c.program, err)
			}
		}
	})
}

func TestReadWaitsForNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no pipes here: ", err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("got %v", err)
	}
}
