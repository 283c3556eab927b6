package sqlitestore

import (
	"context"
	"database/sql"
)

// purgeLimit is how many expired records or counters one write removes: more than it adds
// most often, and few enough that nobody waits for them.
const purgeLimit = "8"

// live is the condition for a record that has not expired; its parameter is the time.
const live = `(expires IS NULL OR expires > ?)`

// statements are compiled once for each connection.
type statements struct {
	get, list, look, since, last *sql.Stmt // for readers
	durable, lax                 writes
}

// writes are the statements of a connection that writes.
type writes struct {
	version, next, put, remove, tell, trim, purge, look, count, purgeCounts *sql.Stmt
}

func (d *statements) prepare(ctx context.Context, s *Store) error {
	reads := []preparation{
		{&d.get, `SELECT value, version, expires FROM record WHERE key = ? AND ` + live},
		{&d.list, `SELECT key, value, version, expires FROM record WHERE key >= ? AND key < ? AND key > ? AND ` + live + ` ORDER BY key LIMIT ?`},
		{&d.look, lookSQL},
		{&d.since, `SELECT number, key FROM feed WHERE number >= ? ORDER BY number`},
		{&d.last, `SELECT coalesce(max(number), 0) FROM feed`},
	}
	if err := prepareAll(ctx, s.readers, reads); err != nil {
		return err
	}
	if err := prepareAll(ctx, s.durable, d.durable.texts()); err != nil {
		return err
	}
	return prepareAll(ctx, s.lax, d.lax.texts())
}

// lookSQL is a counter in its window.
const lookSQL = `SELECT used, ends FROM count WHERE key = ? AND ends > ?`

// preparation is where a statement goes, and its text.
type preparation struct {
	to   **sql.Stmt
	text string
}

func (w *writes) texts() []preparation {
	return []preparation{
		{&w.version, `SELECT version FROM record WHERE key = ? AND ` + live},
		{&w.next, `UPDATE store SET version = version + ? RETURNING version`},
		{&w.put, `INSERT INTO record (key, value, version, expires) VALUES (?, ?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, expires = excluded.expires`},
		{&w.remove, `DELETE FROM record WHERE key = ?`},
		{&w.tell, `INSERT INTO feed (key) VALUES (?)`},
		{&w.trim, `DELETE FROM feed WHERE number <= (SELECT max(number) FROM feed) - ?`},
		{&w.purge, `DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE expires <= ? LIMIT ` + purgeLimit + `)`},
		{&w.look, lookSQL},
		{&w.count, `INSERT INTO count (key, used, ends) VALUES (?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET used = excluded.used, ends = excluded.ends`},
		{&w.purgeCounts, `DELETE FROM count WHERE rowid IN (SELECT rowid FROM count WHERE ends <= ? LIMIT ` + purgeLimit + `)`},
	}
}

func prepareAll(ctx context.Context, db *sql.DB, all []preparation) (err error) {
	for _, p := range all {
		if *p.to, err = db.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}
