package sqlitestore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// Changes implements session.Store. A cursor is the store's id and the number of the last change
// that was told, "ID:NUMBER".
func (s *Store) Changes(ctx context.Context, since session.Cursor) (session.Changes, error) {
	if err := s.identity.check(time.Now()); err != nil {
		return session.Changes{}, s.fault("changes", err)
	}
	return call(ctx, s, s.reading, "changes", func(ctx context.Context) (session.Changes, error) {
		id, text, _ := strings.Cut(string(since), ":")
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id != s.id || number < 0 {
			return s.start(ctx, since != "")
		}
		return s.since(ctx, number)
	})
}

// cursor is the place after a change.
func (s *Store) cursor(number int64) session.Cursor {
	return session.Cursor(s.id + ":" + strconv.FormatInt(number, 10))
}

// start is where to go on for who knows nothing.
func (s *Store) start(ctx context.Context, lost bool) (session.Changes, error) {
	var last int64
	err := s.do.last.QueryRowContext(ctx).Scan(&last)
	return session.Changes{Lost: lost, Next: s.cursor(last)}, err
}

// since reads on from a change, which must itself still be there: nothing between was trimmed
// then. One statement sees all of it as it was at one moment.
func (s *Store) since(ctx context.Context, number int64) (session.Changes, error) {
	rows, err := s.do.since.QueryContext(ctx, number)
	if err != nil {
		return session.Changes{}, err
	}
	defer func() { _ = rows.Close() }() // Err has told
	last, first := number, true
	var changes session.Changes
	seen := make(map[string]bool)
	for rows.Next() {
		var key string
		if err := rows.Scan(&last, &key); err != nil {
			return session.Changes{}, err
		}
		if first && last != max(number, 1) { // numbers begin at 1
			return s.startOver(ctx, rows.Close)
		}
		first = false
		if last > number && !seen[key] {
			seen[key] = true
			changes.Keys = append(changes.Keys, key)
		}
	}
	if err := rows.Err(); err != nil {
		return session.Changes{}, err
	}
	if first && number > 0 {
		return s.start(ctx, true)
	}
	changes.Next = s.cursor(last)
	return changes, nil
}

// startOver gives the rows up first: their connection may be the only one.
func (s *Store) startOver(ctx context.Context, closeRows func() error) (session.Changes, error) {
	if err := closeRows(); err != nil {
		return session.Changes{}, err
	}
	return s.start(ctx, true)
}
