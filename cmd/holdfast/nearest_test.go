package main

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	among := []string{"https", "http", "drain-delay", "drain-timeout", "idle-timeout", "max-connections", "max-connections-per-ip"}
	for word, want := range map[string][]string{
		"htps":            {"https"},
		"HTTPS":           {"https"},
		"drain-timout":    {"drain-timeout"},
		"drian-timeout":   {"drain-timeout"},
		"max-con":         {"max-connections", "max-connections-per-ip"},
		"max-connections": {"max-connections"},
		"zzz":             nil,
		"":                nil,
	} {
		got := nearest(word, among)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("nearest to %q are %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1}, {"abc", "bc", 1},
		{"kitten", "sitting", 3}, {strings.Repeat("a", 1000), strings.Repeat("a", 64), 0},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%.10q, %.10q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("distance(%.10q, %.10q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
