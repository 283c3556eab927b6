package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

const (
	// callLimit bounds a call whose context has no earlier end.
	callLimit = 5 * time.Second
	// openLimit bounds Open, which may wait for another process's migration.
	openLimit = 10 * time.Second
	// pollLimit is how long SQLite itself waits for another process's lock. Its pauses grow up to
	// 100 ms, and who pauses for longest never meets a moment between two others: we ask anew
	// instead, so that all pause for 2 ms at most.
	pollLimit = 5 * time.Millisecond
	// readersLimit is how many read at once. Two cores have no use for more.
	readersLimit = 4
	// logLimitBytes is what a write-ahead log is cut to once it was longer.
	logLimitBytes = 16 << 20
)

// errLocked is work's that ended while it waited for another process's lock.
var errLocked = errors.New("another process holds the lock for writing")

// Options are what Open can do without.
type Options struct {
	// Now is the clock by which records expire and windows end, time.Now if nil. All who
	// share a store need the same one.
	Now func() time.Time
}

// Store is a session.Store in a file.
type Store struct {
	path string
	id   string // of this store among others, for cursors
	now  func() time.Time

	identity identity

	durable *sql.DB // one connection, which syncs at each commit
	lax     *sql.DB // one connection, which syncs at checkpoints
	readers *sql.DB
	do      statements

	// Who works on a connection has a turn. Both that write have one between them, so that
	// they never poll for each other's lock.
	writing, reading chan struct{}
	polling          atomic.Bool  // who has the turn to write met another process's lock and waits for it
	finished         atomic.Int64 // turns that ended well

	life context.Context // until Close
	end  context.CancelFunc
	mu   sync.Mutex // guards work against calls that begin while Close waits
	work sync.WaitGroup
}

// Open opens the store in the file at path, and makes both the file and its directory where
// they are missing. A store of an older version is brought to this one. Errors say what is to be
// done: the file is no store, a newer version made it, or it cannot be read or written.
func Open(path string, options Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, now: options.Now, writing: make(chan struct{}, 1), reading: make(chan struct{}, readersLimit)}
	if s.now == nil {
		s.now = time.Now
	}
	s.life, s.end = context.WithCancel(context.Background())
	if err := s.open(); err != nil {
		return nil, errors.Join(s.fault("open", err), s.Close())
	}
	return s, nil
}

func (s *Store) open() (err error) {
	ctx, cancel := context.WithTimeout(s.life, openLimit)
	defer cancel()
	if err := makeFile(s.path); err != nil {
		return err
	}
	if err := s.identity.note(s.path); err != nil {
		return err
	}
	if s.durable, err = connect(s.path, 1, pollLimit, "synchronous(FULL)"); err != nil {
		return err
	}
	if err := prepareSchema(ctx, s.durable); err != nil {
		return err
	}
	if s.lax, err = connect(s.path, 1, pollLimit, "synchronous(NORMAL)"); err != nil {
		return err
	}
	if s.readers, err = connect(s.path, readersLimit, callLimit, "query_only(1)"); err != nil {
		return err
	}
	if err := patiently(ctx, func() error { return s.do.prepare(ctx, s) }); err != nil {
		return err
	}
	if err := s.readers.QueryRowContext(ctx, `SELECT id FROM store`).Scan(&s.id); err != nil {
		return err
	}
	return closeToOthers(s.path)
}

// connect opens connections, which are made when they are needed.
func connect(path string, limit int, busy time.Duration, pragma string) (*sql.DB, error) {
	q := url.Values{
		"mode":    {"rw"}, // never creates: the file's mode is ours
		"_txlock": {"immediate"},
		"_dqs":    {"0"},
		"_pragma": {
			"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")", "trusted_schema(0)",
			"journal_size_limit(" + strconv.Itoa(logLimitBytes) + ")", "temp_store(MEMORY)", pragma,
		},
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(limit)
	db.SetMaxIdleConns(limit)
	return db, nil
}

// Close ends what is under way and closes the file. It waits for a disk that hangs.
func (s *Store) Close() error {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.work.Wait()
	var faults []error
	for _, db := range []*sql.DB{s.readers, s.lax, s.durable} {
		if db != nil {
			faults = append(faults, db.Close())
		}
	}
	return errors.Join(faults...)
}

// String implements session.Store.
func (s *Store) String() string { return "sqlite:" + s.path }

// begin counts one more piece of work, which calls s.work.Done, unless the store is closed.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return session.ErrClosed
	}
	s.work.Add(1)
	return nil
}

// call does work in its turn. The work has a goroutine of its own, since no context ends a write to a
// disk that hangs: the caller goes, and the turn stays taken.
func call[T any](ctx context.Context, s *Store, turns chan struct{}, what string, work func(context.Context) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if err := s.begin(); err != nil {
		return none, err
	}
	bounded, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	before := s.finished.Load()
	select {
	case turns <- struct{}{}:
	case <-bounded.Done():
		s.work.Done()
		return none, s.ended(ctx, what, turns == s.writing && s.polling.Load() || s.finished.Load() != before)
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		defer s.work.Done()
		value, err := work(bounded)
		if err == nil {
			s.finished.Add(1)
		}
		answers <- answer{value, err}
		if turns == s.writing {
			s.polling.Store(false) // once the answer says it
		}
		<-turns
	}()
	select {
	case a := <-answers:
		if a.err != nil && bounded.Err() != nil {
			return none, s.ended(ctx, what, errors.Is(a.err, errLocked))
		}
		return a.value, s.fault(what, a.err)
	case <-bounded.Done():
		// Polling is this call's own work as long as that has not answered.
		polling := turns == s.writing && s.polling.Load()
		select {
		case a := <-answers:
			polling = errors.Is(a.err, errLocked)
		default:
		}
		return none, s.ended(ctx, what, polling)
	}
}

// ended is why a call ended before its work did: busy, if others had the turns and the lock, and
// went on with them.
func (s *Store) ended(ctx context.Context, what string, busy bool) error {
	switch {
	case busy && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return s.fault(what, fmt.Errorf("%w: %w", session.ErrBusy, ctx.Err()))
	case ctx.Err() != nil:
		return s.fault(what, ctx.Err())
	case s.life.Err() != nil:
		return session.ErrClosed
	default:
		return s.fault(what, context.DeadlineExceeded)
	}
}
