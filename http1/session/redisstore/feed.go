package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/holdfast-server/holdfast/http1/session"
)

// feedLimit is how many changes are told before they are trimmed: more than a busy site makes in
// the time a process is expected to ask.
const feedLimit = 10_000

// newID is a store's id, if Redis has none yet: it has lost it with all the rest, or never had it.
func newID() string { return rand.Text() }

// Changes implements session.Store. A cursor is the store's id and the number of the last change
// that was told, "ID:NUMBER".
func (s *Store) Changes(ctx context.Context, since session.Cursor) (session.Changes, error) {
	id, number, _ := strings.Cut(string(since), ":")
	if !isNumber(number) {
		id, number = "", "0" // of no store
	}
	return call(ctx, s, "changes", func(ctx context.Context) (session.Changes, error) {
		found, err := changesScript.Run(ctx, s.client, []string{s.keys.state(), s.keys.feed()}, newID(), feedLimit, id, number).StringSlice()
		if err != nil {
			return session.Changes{}, err
		}
		if len(found) < 3 {
			return session.Changes{}, errors.New("the feed is none of ours")
		}
		changes := session.Changes{Next: session.Cursor(found[0] + ":" + found[1]), Lost: found[2] == "lost" && since != ""}
		seen := make(map[string]bool, len(found)-3)
		for _, entry := range found[3:] {
			_, key, _ := strings.Cut(entry, ":")
			if !seen[key] {
				seen[key] = true
				changes.Keys = append(changes.Keys, key)
			}
		}
		return changes, nil
	})
}

// isNumber tells whether text is one that a script gave: digits that a float64 holds.
func isNumber(text string) bool {
	return text != "" && len(text) <= 16 && strings.Trim(text, "0123456789") == ""
}
