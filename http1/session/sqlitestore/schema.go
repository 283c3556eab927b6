package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// applicationID tells our files from those of other programs: "Hold" in ASCII.
const applicationID = 0x486f6c64

// migrations bring a file from the version of their index to the next. They are never changed
// once they have been released: a file remembers how many it has had (PRAGMA user_version).
var migrations = []string{
	// Records and counters. Keys compare by their bytes, which is SQLite's default.
	`CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
	CREATE TABLE record (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires INTEGER) STRICT;
	CREATE INDEX record_expires ON record (expires) WHERE expires IS NOT NULL;
	CREATE TABLE count (key TEXT NOT NULL PRIMARY KEY, used INTEGER NOT NULL, ends INTEGER NOT NULL) STRICT;
	CREATE INDEX count_ends ON count (ends);`,
	// The feed of changes. AUTOINCREMENT: no number comes again after its row was trimmed.
	`CREATE TABLE feed (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL) STRICT;`,
}

// A foreignFile is one that is left as it is.
type foreignFile struct{ why string }

func (e *foreignFile) Error() string { return e.why }

// prepareSchema makes the file a store of this version. Several processes may do so at once.
func prepareSchema(ctx context.Context, db *sql.DB) error {
	// Two who switch an empty file to write-ahead mode at once get in each other's way, and
	// SQLite does not wait then.
	return patiently(ctx, func() error { return migrate(ctx, db) })
}

// patiently does what another process may keep busy, until it does not.
func patiently(ctx context.Context, do func() error) error {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for {
		err := do()
		if code(err) != codeBusy {
			return err
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return err
		}
	}
}

func migrate(ctx context.Context, db *sql.DB) error {
	version, err := readVersion(ctx, db)
	if err != nil {
		return err
	}
	var mode string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return errors.New("the file system cannot share memory between processes: name a place on a local disk for the store")
	}
	if version == len(migrations) {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := migrateIn(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// migrateIn does all that is missing in one transaction. Another process may have done it
// meanwhile.
func migrateIn(ctx context.Context, tx *sql.Tx) error {
	from, err := readVersion(ctx, tx)
	if err != nil {
		return err
	}
	for _, m := range migrations[from:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return err
		}
	}
	if from == 0 {
		if _, err := tx.ExecContext(ctx, `INSERT INTO store VALUES (1, ?, 0)`, rand.Text()); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, len(migrations)))
	return err
}

// asker is a connection or a transaction.
type asker interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readVersion is how many migrations a file has had. It changes nothing.
func readVersion(ctx context.Context, db asker) (int, error) {
	var application, version, tables int
	err := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&application, &version, &tables)
	switch {
	case err != nil:
		return 0, err
	case application != applicationID && (tables > 0 || version != 0):
		return 0, &foreignFile{"this is another program's SQLite database: name another place for the store"}
	case version > len(migrations):
		return 0, &foreignFile{fmt.Sprintf("a newer holdfast made this store (version %d; this one knows %d): start that one, or export the members with it and import them here into another file",
			version, len(migrations))}
	}
	return version, nil
}
