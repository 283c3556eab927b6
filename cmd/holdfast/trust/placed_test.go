package trust

import (
	"context"
	"encoding/pem"
	"errors"
	"path/filepath"
	"slices"
	"testing"
)

// fingerprints are in the order of text.
func fingerprints(all ...Certificate) (list []string) {
	for _, c := range all {
		list = append(list, c.Fingerprint())
	}
	slices.Sort(list)
	return list
}

func text(c Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func TestCAsThatWereReplacedAreFound(t *testing.T) {
	const dir = "/usr/local/share/ca-certificates"
	m, old, now, foreign := newMachine(t, []string{dir}, "update-ca-certificates"), newCA(t), newCA(t), newCA(t)
	for _, c := range []Certificate{old, now} {
		do(t, m, m.Trust(t.Context(), c, system))
	}
	for name, text := range map[string]string{"other.crt": text(foreign), "holdfast-0123456789abcdef.crt": text(foreign), "holdfast-.crt": "no certificate"} {
		put(t, filepath.Join(m.Root, dir, name), text, 0o644)
	}
	found := m.Placed(t.Context(), Scope{System: true, Browsers: true})
	if got, want := fingerprints(found...), fingerprints(old, now); !slices.Equal(got, want) {
		t.Fatalf("found %q, want %q", got, want)
	}
	for _, c := range found {
		do(t, m, m.Untrust(t.Context(), c, system))
	}
	if left := m.Placed(t.Context(), system); len(left) > 0 {
		t.Errorf("left %q", fingerprints(left...))
	}
	if left, err := filepath.Glob(m.Root + dir + "/*"); err != nil || len(left) != 3 {
		t.Errorf("what is not ours: %q, %v", left, err)
	}
}

func TestPlacedInBrowsers(t *testing.T) {
	m, old, foreign := newMachine(t, nil, "certutil"), newCA(t), newCA(t)
	put(t, filepath.Join(m.Home, ".pki/nssdb", databaseFile), "", 0o600)
	m.Run = func(_ context.Context, command []string) ([]byte, error) {
		if len(command) == 4 {
			return []byte("\nCertificate Nickname     Trust Attributes\n\n" + old.nickname() + "     C,,  \n" + nicknamePrefix + "0123456789abcdef   C,,\n" + nicknamePrefix + "\nanother   ,,\n"), nil
		}
		switch command[5] {
		case old.nickname():
			return []byte(text(old)), nil
		case nicknamePrefix + "0123456789abcdef":
			return []byte(text(foreign)), nil
		}
		return nil, errors.New("no certificate of this name")
	}
	if got := fingerprints(m.Placed(t.Context(), browsers)...); !slices.Equal(got, fingerprints(old)) {
		t.Errorf("found %q", got)
	}
	m.UID++
	if got := m.Placed(t.Context(), browsers); len(got) > 0 {
		t.Errorf("another user's: found %q", fingerprints(got...))
	}
}

func TestPlacedInTheKeychain(t *testing.T) {
	m, old, now := newMachine(t, nil, "security"), newCA(t), newCA(t)
	m.OS = "darwin"
	m.Run = func(context.Context, []string) ([]byte, error) { return []byte(text(old) + text(now) + text(old)), nil }
	if got := fingerprints(m.Placed(t.Context(), system)...); !slices.Equal(got, fingerprints(old, now)) {
		t.Errorf("found %q", got)
	}
}
