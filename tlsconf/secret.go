package tlsconf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// SecretBytes is the length of a cluster's secret.
const SecretBytes = 32

// Secret is what the replicas of a cluster know and nobody else: their keys for session
// tickets come from it. Whoever has it can read the tickets of the sessions that were made
// under it, and with them those sessions of TLS 1.2. They can write tickets as well: where
// clients show certificates ([ServerForClients]), they resume as a client whose certificate
// they know, without its key.
//
// It prints as a word, so that no log and no error has it by mistake.
type Secret [SecretBytes]byte

// concealed is how a Secret prints.
const concealed = "[secret]"

// Format implements [fmt.Formatter].
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, concealed) }

// MarshalText implements [encoding.TextMarshaler]: it is not for keeping the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(concealed), nil }

// makeSecret is how errors say that one is made.
const makeSecret = "make one with: openssl rand -hex 32"

// ParseSecret returns the secret that a file holds: its 32 bytes as they are, or their 64
// hexadecimal digits, around which there may be blanks. No error holds a part of it.
func ParseSecret(content []byte) (Secret, error) {
	if text := bytes.TrimSpace(content); len(text) == hex.EncodedLen(SecretBytes) {
		var s Secret
		if _, err := hex.Decode(s[:], text); err != nil {
			return Secret{}, errors.New("its 64 characters are not all hexadecimal digits: " + makeSecret)
		}
		return s, checkSecret(s)
	}
	if len(content) != SecretBytes {
		return Secret{}, fmt.Errorf("it has %d bytes, where 32 bytes or 64 hexadecimal digits belong: %s", len(content), makeSecret)
	}
	if len(bytes.Trim(content, "0123456789abcdefABCDEF")) == 0 {
		return Secret{}, errors.New("its 32 hexadecimal digits are 16 bytes only: " + makeSecret)
	}
	s := Secret(content)
	return s, checkSecret(s)
}

// checkSecret refuses what is no secret by its looks, such as what /dev/zero gives.
func checkSecret(s Secret) error {
	if bytes.Count(s[:], s[:1]) == SecretBytes {
		return errors.New("it is one byte again and again: " + makeSecret)
	}
	return nil
}

// secretFileLimitBytes is more than any form of a secret takes.
const secretFileLimitBytes = 4 << 10

// ReadSecret reads the secret that a file holds. warnings are what is wrong with the file and
// does not prevent its use. Each error says what is wrong and how to mend it.
func ReadSecret(path string) (s Secret, warnings []string, err error) {
	const what = "cluster secret file"
	content, mode, err := readRegular(what, path, secretFileLimitBytes)
	if err != nil {
		return Secret{}, nil, err
	}
	if s, err = ParseSecret(content); err != nil {
		return Secret{}, nil, fmt.Errorf("%s %s is no secret: %w", what, path, err)
	}
	if mode&0o004 != 0 {
		warnings = append(warnings, fmt.Sprintf("%s %s can be read by every user (mode %04o): chmod 600 it (in Kubernetes: defaultMode 0400)", what, path, mode))
	}
	return s, warnings, nil
}
