package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// tally is a counter as it is now. Its zero is one whose window has not begun.
type tally struct{ used, ends, now int64 }

// count is what a caller is told.
func (t tally) count(taken bool) session.Count {
	if t.used == 0 {
		return session.Count{}
	}
	return session.Count{Taken: taken, Used: t.used, Resets: time.Duration(t.ends-t.now) * time.Millisecond}
}

// Take implements session.Store. What is refused or only looked at writes nothing: a flood of
// those costs the disk nothing and waits for no writer.
func (s *Store) Take(ctx context.Context, key string, n, limit int64, window time.Duration) (session.Count, error) {
	if err := session.CheckTake(key, n, limit, window); err != nil {
		return session.Count{}, err
	}
	t, err := call(ctx, s, s.reading, "take", func(ctx context.Context) (tally, error) {
		return s.look(ctx, s.do.look, key)
	})
	if err != nil || n == 0 || n > limit-t.used {
		return t.count(false), err
	}
	return call(ctx, s, s.writing, "take", func(ctx context.Context) (count session.Count, err error) {
		err = s.within(ctx, s.lax, func(ctx context.Context, tx *sql.Tx) error {
			count, err = s.take(ctx, tx, key, n, limit, window)
			return err
		})
		return count, err
	})
}

// look reads a counter.
func (s *Store) look(ctx context.Context, look *sql.Stmt, key string) (tally, error) {
	t := tally{now: s.now().UnixMilli()}
	err := look.QueryRowContext(ctx, key, t.now).Scan(&t.used, &t.ends)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return t, err
}

// take looks again, now that nobody else can write, and counts.
func (s *Store) take(ctx context.Context, tx *sql.Tx, key string, n, limit int64, window time.Duration) (session.Count, error) {
	do := &s.do.lax
	t, err := s.look(ctx, tx.StmtContext(ctx, do.look), key)
	if err != nil || n > limit-t.used {
		return t.count(false), err
	}
	if t.used == 0 {
		t.ends = t.now + window.Milliseconds()
	}
	t.used += n
	if _, err := tx.StmtContext(ctx, do.count).ExecContext(ctx, key, t.used, t.ends); err != nil {
		return session.Count{}, err
	}
	_, err = tx.StmtContext(ctx, do.purgeCounts).ExecContext(ctx, t.now)
	return t.count(true), err
}
