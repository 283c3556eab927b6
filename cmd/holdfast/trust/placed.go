package trust

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	anchorPrefix   = "holdfast-"
	anchorSuffix   = ".crt"
	nicknamePrefix = "Holdfast local CA "
)

// Placed finds the CAs' certificates that Trust put into the stores and that are still there,
// each once: also those whose own files have been replaced since, or have gone. Their Path is
// empty, and they are for Untrust alone. What has a name of ours and another fingerprint is
// not among them.
func (m *Machine) Placed(ctx context.Context, scope Scope) []Certificate {
	var all []Certificate
	if scope.System && m.OS == "darwin" {
		all = m.placedInKeychain(ctx)
	} else if scope.System {
		all = m.placedAnchors()
	}
	if scope.Browsers {
		all = append(all, m.placedInBrowsers(ctx)...)
	}
	slices.SortFunc(all, func(a, b Certificate) int { return bytes.Compare(a.Raw, b.Raw) })
	return slices.CompactFunc(all, func(a, b Certificate) bool { return bytes.Equal(a.Raw, b.Raw) })
}

func (m *Machine) placedAnchors() (all []Certificate) {
	s, program := m.anchors()
	if program == "" {
		return nil
	}
	entries, _ := os.ReadDir(m.Root + s.dir) // what cannot be read cannot be changed either
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), anchorPrefix) {
			continue
		}
		text, err := readRegular(filepath.Join(m.Root+s.dir, e.Name()))
		if err != nil {
			continue
		}
		if found, err := parse(text); err == nil {
			if c := (Certificate{"", found}); e.Name() == c.anchorName() {
				all = append(all, c)
			}
		}
	}
	return all
}

// placedInKeychain goes by the CA's own name, since a keychain has no other.
func (m *Machine) placedInKeychain(ctx context.Context) (all []Certificate) {
	program := m.find("security")
	if program == "" {
		return nil
	}
	text, err := m.run(ctx, []string{program, "find-certificate", "-a", "-c", strings.TrimSpace(nicknamePrefix), "-p", m.Root + keychain})
	if err != nil {
		return nil
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		found, err := parse(pem.EncodeToMemory(block))
		if err == nil && checkCA(found) == nil && strings.HasPrefix(found.Subject.CommonName, strings.TrimSpace(nicknamePrefix)) {
			all = append(all, Certificate{"", found})
		}
	}
	return all
}

func (m *Machine) placedInBrowsers(ctx context.Context) (all []Certificate) {
	certutil := m.find("certutil")
	if certutil == "" {
		return nil
	}
	for _, dir := range m.databases(false) {
		if owner, ok := ownerOf(dir); ok && owner != m.UID {
			continue
		}
		list, err := m.run(ctx, []string{certutil, "-d", "sql:" + dir, "-L"})
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(list)) {
			if !strings.HasPrefix(line, nicknamePrefix) || len(line) < len(nicknamePrefix)+tagDigits {
				continue
			}
			nickname := line[:len(nicknamePrefix)+tagDigits]
			text, err := m.run(ctx, []string{certutil, "-d", "sql:" + dir, "-L", "-n", nickname, "-a"})
			if err != nil {
				continue
			}
			if found, err := parse(text); err == nil {
				if c := (Certificate{"", found}); c.nickname() == nickname {
					all = append(all, c)
				}
			}
		}
	}
	return all
}
