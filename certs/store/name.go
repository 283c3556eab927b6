package store

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// segmentLimitBytes is what a file system grants a file name, less the two bytes
	// that Dir adds; the longest host name (253) fits.
	segmentLimitBytes = 253
	// nameLimitBytes has room for a challenge: two words, a host, a hash in hex.
	nameLimitBytes = 512
)

var errName = errors.New("a name in the store is segments of a-z, 0-9, '.', '_' and '-', none beginning with '.', joined by '/'")

// CheckName tells whether name can be a value's or a lease's. No segment begins with a
// dot, so that none is "..", and stores have hidden files to themselves.
func CheckName(name string) error {
	if len(name) > nameLimitBytes {
		return fmt.Errorf("a name of %d bytes is over the store's %d", len(name), nameLimitBytes)
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment[0] == '.' || len(segment) > segmentLimitBytes || strings.ContainsFunc(segment, notInName) {
			return fmt.Errorf("%q: %w", name, errName)
		}
	}
	return nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// CheckValue tells whether a store would take value under name.
func CheckValue(name string, value []byte) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if len(value) > MaxValueBytes {
		return fmt.Errorf("%s: a value of %d bytes is over the store's %d", name, len(value), MaxValueBytes)
	}
	return nil
}
