package session

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of one call to a store. They bound how long it holds up the others.
const (
	// MaxChanges bounds an Apply.
	MaxChanges = 1000
	// MaxListRecords bounds the limit of a List.
	MaxListRecords = 1000
	// MaxCount bounds what Take counts: a store may keep it in a float64.
	MaxCount = 1 << 53
)

// CheckKey tells why key cannot be one: it is empty, longer than MaxKeyBytes, no UTF-8 or has
// control characters. Stores call it, and the three below, before they do anything.
func CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("session: a key is empty")
	case len(key) > MaxKeyBytes:
		return fmt.Errorf("session: a key has %d bytes, more than %d", len(key), MaxKeyBytes)
	}
	return checkText(key)
}

func checkText(key string) error {
	if !utf8.ValidString(key) {
		return fmt.Errorf("session: the key %q is not UTF-8", key)
	}
	for _, c := range key {
		if unicode.IsControl(c) {
			return fmt.Errorf("session: the key %q has a control character", key)
		}
	}
	return nil
}

// CheckList tells why List cannot be asked this. A prefix may be empty or end within a
// character.
func CheckList(prefix, after string, limit int) error {
	switch {
	case len(prefix) > MaxKeyBytes || len(after) > MaxKeyBytes:
		return fmt.Errorf("session: a prefix or the key to go on after has more than %d bytes", MaxKeyBytes)
	case limit < 1 || limit > MaxListRecords:
		return fmt.Errorf("session: a list of %d records: ask for 1 to %d at a time", limit, MaxListRecords)
	}
	return nil
}

// CheckChanges tells why Apply cannot make the changes: a key is none or is there twice, a
// value is longer than MaxValueBytes, or there are more than MaxChanges.
func CheckChanges(changes []Change) error {
	if len(changes) > MaxChanges {
		return fmt.Errorf("session: %d changes at once, more than %d", len(changes), MaxChanges)
	}
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		if err := CheckKey(c.Key); err != nil {
			return err
		}
		if len(c.Value) > MaxValueBytes {
			return fmt.Errorf("session: the value for %s has %d bytes, more than %d", c.Key, len(c.Value), MaxValueBytes)
		}
		if seen[c.Key] {
			return fmt.Errorf("session: %s is to be changed twice at once", c.Key)
		}
		seen[c.Key] = true
	}
	return nil
}

// CheckTake tells why Take cannot count this: windows begin at a millisecond, and counts are
// neither negative nor above MaxCount.
func CheckTake(key string, n, limit int64, window time.Duration) error {
	switch err := CheckKey(key); {
	case err != nil:
		return err
	case n < 0 || n > MaxCount || limit < 0 || limit > MaxCount:
		return fmt.Errorf("session: %s cannot count %d of %d: from 0 to %d", key, n, limit, int64(MaxCount))
	case window < time.Millisecond:
		return fmt.Errorf("session: %s cannot count for %v: a window has a millisecond at least", key, window)
	}
	return nil
}
