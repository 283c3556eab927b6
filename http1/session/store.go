package session

import (
	"context"
	"errors"
	"time"
)

// Limits of what a store keeps.
const (
	// MaxKeyBytes bounds a key, which is valid UTF-8 without control characters.
	MaxKeyBytes = 512
	// MaxValueBytes bounds a value.
	MaxValueBytes = 64 << 10
)

var (
	// ErrConflict is what Apply returns when a record was not as a change expects it.
	// Nothing was changed.
	ErrConflict = errors.New("session: another has changed the record")
	// ErrBusy is in the error of a store that is well, and where others' changes took the
	// caller's time. Nothing was changed.
	ErrBusy = errors.New("session: the store is busy with others' changes")
	// ErrClosed is what a store returns that was closed.
	ErrClosed = errors.New("session: the store is closed")
)

// Store keeps small records for several processes at once: sessions, and whatever belongs to
// the members behind them. It may be used from several goroutines, and every call ends soon
// after its context does. What is missing or has expired is fs.ErrNotExist. Any error but that
// and ErrConflict is the store's, and says nothing about the record; a change may then have
// been made or not.
type Store interface {
	// Get returns the record under key, whose value the caller owns.
	Get(ctx context.Context, key string) (Record, error)
	// List returns the records whose keys begin with prefix and come after the key after, in
	// the order of their bytes, at most limit of them.
	List(ctx context.Context, prefix, after string, limit int) ([]Record, error)
	// Apply makes all changes or none of them, each key once. Once it returns nil they
	// outlive this process, however that ends.
	Apply(ctx context.Context, changes ...Change) error
	// Take counts n more under key, unless that makes more than limit in the window that
	// began with the key's first count: then nothing is counted. It is exact between all who
	// share the store. Counters are no records, and a crash of the machine may forget the
	// last of them. An n of 0 only looks, and is not taken.
	Take(ctx context.Context, key string, n, limit int64, window time.Duration) (Count, error)
	// Changes tells what others and this one changed since a cursor, which came from an
	// earlier call; the zero Cursor is now, and tells nothing but where to go on.
	Changes(ctx context.Context, since Cursor) (Changes, error)
	// String names the store for people, without its secrets: "redis://host:6379/0".
	String() string
	// Close releases what the store holds. Calls under way return.
	Close() error
}

// Record is a value under a key.
type Record struct {
	Key   string
	Value []byte
	// Version is another after each change of the record, also of one that was removed
	// and made again, and never 0.
	Version int64
	// Expires is when the record ends by itself, zero for never. Stores keep it to the
	// millisecond.
	Expires time.Time
}

// Change writes or removes one record.
type Change struct {
	Key string
	// Value is what to write; nil removes the record.
	Value   []byte
	Expires time.Time
	// If says what the record must be like for the change to be made.
	If Condition
	// Quiet changes are not told by Changes: nobody who remembers the record errs by what
	// it was.
	Quiet bool
}

// Condition is what a change expects of a record. The zero Condition expects nothing.
type Condition struct {
	checked bool
	version int64 // 0: there is none
}

// Absent expects that there is no record.
func Absent() Condition { return Condition{checked: true} }

// Unchanged expects the record to be there in the version that r has.
func Unchanged(r Record) Condition { return Condition{checked: true, version: r.Version} }

// Expects tells what a store must check: whether anything, and the version, 0 for none.
func (c Condition) Expects() (version int64, checked bool) { return c.version, c.checked }

// Count is what Take found.
type Count struct {
	// Taken tells whether it was counted.
	Taken bool
	// Used is how much has been, this included.
	Used int64
	// Resets is how long the window goes on, 0 when none has begun.
	Resets time.Duration
}

// Cursor is a place in a store's changes. It means nothing to another store.
type Cursor string

// Changes is what has happened to the records of a store.
type Changes struct {
	// Keys are those of the records that were changed or removed, each once. A record that
	// expired is not told.
	Keys []string
	// Lost tells that there may be others: the cursor was too old, or the store is not the
	// one it was. Whoever remembers records forgets them all.
	Lost bool
	// Next is where to go on.
	Next Cursor
}
