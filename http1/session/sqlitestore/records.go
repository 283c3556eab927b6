package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// feedLimit is how many changes are told before they are trimmed: more than a busy site makes in
// the time a process is expected to ask.
const feedLimit = 10_000

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, key string) (session.Record, error) {
	if err := session.CheckKey(key); err != nil {
		return session.Record{}, err
	}
	return call(ctx, s, s.reading, "get", func(ctx context.Context) (session.Record, error) {
		r := session.Record{Key: key}
		var expires sql.NullInt64
		err := s.do.get.QueryRowContext(ctx, key, s.now().UnixMilli()).Scan(&r.Value, &r.Version, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return r, fmt.Errorf("%s: %s: %w", s, key, fs.ErrNotExist)
		}
		return finish(r, expires), err
	})
}

// finish completes a record as it is read.
func finish(r session.Record, expires sql.NullInt64) session.Record {
	if expires.Valid {
		r.Expires = time.UnixMilli(expires.Int64)
	}
	if r.Value == nil {
		r.Value = []byte{} // nil would remove it, written back
	}
	return r
}

// List implements session.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]session.Record, error) {
	if err := session.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	return call(ctx, s, s.reading, "list", func(ctx context.Context) ([]session.Record, error) {
		// No UTF-8 has a byte of 0xff: it ends all that begins with the prefix.
		rows, err := s.do.list.QueryContext(ctx, prefix, prefix+"\xff", after, s.now().UnixMilli(), limit)
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }() // Err has told
		var found []session.Record
		for rows.Next() {
			var r session.Record
			var expires sql.NullInt64
			if err := rows.Scan(&r.Key, &r.Value, &r.Version, &expires); err != nil {
				return nil, err
			}
			found = append(found, finish(r, expires))
		}
		return found, rows.Err()
	})
}

// Apply implements session.Store.
func (s *Store) Apply(ctx context.Context, changes ...session.Change) error {
	if err := session.CheckChanges(changes); err != nil {
		return err
	}
	db, do := s.lax, &s.do.lax
	for _, c := range changes {
		if !c.Quiet {
			db, do = s.durable, &s.do.durable
		}
	}
	_, err := call(ctx, s, s.writing, "apply", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.within(ctx, db, func(ctx context.Context, tx *sql.Tx) error {
			return do.apply(ctx, tx, changes, s.now().UnixMilli())
		})
	})
	return err
}

// within does work in a transaction that holds the file's only lock for writing. It waits, as long
// as its context lasts, before the work and not within: a watch over each of its
// statements would cost more than they do.
func (s *Store) within(ctx context.Context, db *sql.DB, work func(context.Context, *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	for code(err) == codeBusy && ctx.Err() == nil {
		s.polling.Store(true)
		tx, err = db.BeginTx(ctx, nil)
	}
	switch {
	case err != nil && s.polling.Load() && ctx.Err() != nil:
		return errLocked // whatever the last look said: its context may have ended before it or in it
	case err != nil:
		return err
	}
	s.polling.Store(false)
	if err := work(context.WithoutCancel(ctx), tx); err != nil {
		_ = tx.Rollback() // the first error is the one that matters
		return err
	}
	return tx.Commit()
}

func (w *writes) apply(ctx context.Context, tx *sql.Tx, changes []session.Change, now int64) error {
	for _, c := range changes {
		if err := w.check(ctx, tx, c, now); err != nil {
			return err
		}
	}
	var version int64
	if err := tx.StmtContext(ctx, w.next).QueryRowContext(ctx, len(changes)).Scan(&version); err != nil {
		return err
	}
	for i, c := range changes {
		if err := w.change(ctx, tx, c, version-int64(i)); err != nil {
			return err
		}
	}
	if _, err := tx.StmtContext(ctx, w.trim).ExecContext(ctx, feedLimit); err != nil {
		return err
	}
	_, err := tx.StmtContext(ctx, w.purge).ExecContext(ctx, now)
	return err
}

// check holds a record to what the change expects.
func (w *writes) check(ctx context.Context, tx *sql.Tx, c session.Change, now int64) error {
	want, checked := c.If.Expects()
	if !checked {
		return nil
	}
	var version int64 // stays 0 where there is none, as is expected then
	err := tx.StmtContext(ctx, w.version).QueryRowContext(ctx, c.Key, now).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if version != want {
		return session.ErrConflict
	}
	return nil
}

func (w *writes) change(ctx context.Context, tx *sql.Tx, c session.Change, version int64) (err error) {
	if c.Value == nil {
		_, err = tx.StmtContext(ctx, w.remove).ExecContext(ctx, c.Key)
	} else {
		expires := sql.NullInt64{Int64: c.Expires.UnixMilli(), Valid: !c.Expires.IsZero()}
		_, err = tx.StmtContext(ctx, w.put).ExecContext(ctx, c.Key, c.Value, version, expires)
	}
	if err == nil && !c.Quiet {
		_, err = tx.StmtContext(ctx, w.tell).ExecContext(ctx, c.Key)
	}
	return err
}
