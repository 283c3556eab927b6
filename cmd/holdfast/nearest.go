package main

import (
	"cmp"
	"slices"
	"strings"
)

// maxSuggestions is how many near matches a fault names.
const maxSuggestions = 3

// nearest returns the words closest to the mistyped one, best first: those that a few
// edits turn it into, or that begin as it does.
func nearest(word string, among []string) []string {
	type match struct {
		word string
		far  int
	}
	var matches []match
	word = strings.ToLower(word)
	for _, candidate := range among {
		far := distance(word, strings.ToLower(candidate))
		switch {
		case far <= max(1, len(word)/3):
		case len(word) >= 3 && strings.HasPrefix(candidate, word):
		default:
			continue
		}
		matches = append(matches, match{candidate, far})
	}
	slices.SortStableFunc(matches, func(a, b match) int { return cmp.Compare(a.far, b.far) })
	var words []string
	for _, m := range matches[:min(len(matches), maxSuggestions)] {
		if m.far <= 2*matches[0].far { // none that is far worse than the best
			words = append(words, m.word)
		}
	}
	return words
}

// suggest is a question that names the nearest words, or otherwise when there are none.
func suggest(word string, among []string, prefix, otherwise string) string {
	words := nearest(word, among)
	if len(words) == 0 {
		return otherwise
	}
	return "did you mean " + prefix + strings.Join(words, " or "+prefix) + "?"
}

// distanceLimitBytes bounds the words compared, since the time grows with the square.
const distanceLimitBytes = 64

// distance counts the insertions, removals, replacements and swaps of neighbours that
// turn a into b (optimal string alignment).
func distance(a, b string) int {
	a, b = a[:min(len(a), distanceLimitBytes)], b[:min(len(b), distanceLimitBytes)]
	var older []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+unequal(a[i], b[j]))
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], older[j-1]+1)
			}
		}
		older, last = last, row
	}
	return last[len(b)]
}

func unequal(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
