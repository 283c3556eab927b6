package main

import (
	"strings"
	"testing"
)

func TestForwardedFieldMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"xff":       `forwarded-field "xff" is none of auto, forwarded, x-forwarded-for`,
		"forwarde":  `did you mean forwarded?`,
		"Forwarded": `is none of auto, forwarded, x-forwarded-for`,
		"":          `is none of`,
	} {
		r := holdfast(t, testEnvironment(t), "serve", t.TempDir(), "--https", "127.0.0.1:0", "--forwarded-field="+text)
		if r.exit != exitUsage || !strings.Contains(r.err, want) || len(lines(r.err)) != 1 {
			t.Errorf("%q: exit %d, %q, want one line with %q", text, r.exit, r.err, want)
		}
	}
}
