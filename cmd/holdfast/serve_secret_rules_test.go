package main

import (
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/tlsconf"
)

// A secret that the store's rules let pass and that cannot be read is never put aside, and
// never made anew: no replica would have tickets.
func TestStoredSecretRules(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		sound bool
	}{
		"as it is made":             {strings.Repeat("0f1e", 16), true},
		"with a line's end":         {strings.Repeat("0f1e", 16) + "\n", true},
		"in upper case":             {strings.Repeat("0F1E", 16), true},
		"between blanks":            {"  " + strings.Repeat("0f1e", 16) + "\r\n", true},
		"zeros":                     {strings.Repeat("00", 32), false},
		"one byte again and again":  {strings.Repeat("a7", 32), false},
		"too short":                 {strings.Repeat("0f1e", 15), false},
		"too long":                  {strings.Repeat("0f1e", 17), false},
		"no hexadecimal":            {strings.Repeat("0g1e", 16), false},
		"nothing":                   {"", false},
		"half of it in hexadecimal": {strings.Repeat("0f1e", 8), false},
	} {
		t.Run(name, func(t *testing.T) {
			rule := store.Rules{}.Check(ticketSecret, []byte(c.value))
			_, err := tlsconf.ParseSecret([]byte(c.value))
			if (rule == nil) != c.sound || (err == nil) != c.sound {
				t.Errorf("the rules say %v, the reader says %v", rule, err)
			}
		})
	}
}
