package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// Defaults of a Config.
const (
	DefaultCookieName   = "session"
	DefaultIdleTimeout  = 14 * 24 * time.Hour
	DefaultLifetime     = 90 * 24 * time.Hour
	DefaultStoreTimeout = 100 * time.Millisecond
	DefaultWriteTimeout = 2 * time.Second
	DefaultRemembered   = 100_000
)

const (
	// maxStoreTimeout is what the time for which a process trusts its memory leaves of the
	// second in which a sign-out holds.
	maxStoreTimeout = time.Second - trust
	// rememberedBytes is how much memory what is remembered may take, as JSON: what it
	// takes besides is within a small factor.
	rememberedBytes = 128 << 20
	// lookupsAtOnce is how many requests may ask the store at a time: a flood of made-up
	// cookies shares them with everybody else and takes no more.
	lookupsAtOnce = 64
)

// Config is what a Manager is made of. Store is all it needs.
type Config struct {
	// Store keeps the sessions. It is its opener's to close, after Run has returned.
	Store Store
	// CookieName is sent behind "__Host-"; DefaultCookieName if empty.
	CookieName string
	// IdleTimeout ends a session that was not seen for so long, and Lifetime one that began
	// so long ago, whatever happens. The shortest of both is a second.
	IdleTimeout, Lifetime time.Duration
	// StoreTimeout is the most that a question to the store adds to a request, at most 250 ms for
	// a Manager that is to Run. WriteTimeout is that of a change, which waits for a disk and for
	// others' changes.
	StoreTimeout, WriteTimeout time.Duration
	// Remembered is how many sessions are kept in memory.
	Remembered int
	// Log gets a line when the store fails and when it is back; nil discards.
	Log *slog.Logger
	// Now is the clock that sessions expire by; time.Now if nil. It is believed as it is: one
	// that goes wrong and is mended signs nobody out for longer than it was wrong, and a
	// session that ended by the wrong time alone goes on. So a clock that is set back lets
	// one live again that has expired, unless the store dropped it by a clock of its own; one
	// that was signed out never. What a clock says that is behind a session's last visit
	// counts as that visit's time; one that is behind the store's by more than the idle time
	// begins sessions that the store drops. Log gets a line about jumps of more than a minute.
	Now func() time.Time
}

// Manager knows the sessions of a Store. Its methods may be called by several goroutines.
// Without Run it works, and asks the store for every request.
type Manager struct {
	config Config
	cookie string // its whole name
	clock  clock
	store  *bounded

	sessions *recall[id, *remembered]
	subjects *recall[string, string] // the epochs
	feed     feed
	touched  touched
	slots    chan struct{} // one for each question under way

	fromMemory, fromStore, refused, begun, ended atomic.Uint64
}

// remembered is a session as it is kept in memory.
type remembered struct {
	*record
	version int64
	seen    atomic.Int64 // Unix time in ns
	due     atomic.Int64 // when that has to be written
}

// New makes a Manager. Its error tells what is wrong with the Config.
func New(c Config) (*Manager, error) {
	if c.CookieName == "" {
		c.CookieName = DefaultCookieName
	}
	for d, usual := range map[*time.Duration]time.Duration{&c.IdleTimeout: DefaultIdleTimeout, &c.Lifetime: DefaultLifetime, &c.StoreTimeout: DefaultStoreTimeout} {
		if *d == 0 {
			*d = usual
		}
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = max(DefaultWriteTimeout, c.StoreTimeout)
	}
	if c.Remembered == 0 {
		c.Remembered = DefaultRemembered
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	seed := maphash.MakeSeed()
	m := &Manager{
		config: c, cookie: "__Host-" + c.CookieName, clock: clock{now: c.Now, log: c.Log, start: time.Now()},
		store:    &bounded{store: c.Store, readLimit: c.StoreTimeout, writeLimit: c.WriteTimeout, log: c.Log},
		sessions: newRecall[id, *remembered](c.Remembered, rememberedBytes, func(i id) uint { return uint(i[0]) }),
		subjects: newRecall[string, string](c.Remembered, rememberedBytes, func(s string) uint { return uint(maphash.String(seed, s)) }),
		slots:    make(chan struct{}, lookupsAtOnce),
	}
	m.feed.start = time.Now()
	m.store.changed = func(changes []Change) {
		for i := range changes {
			m.forget(changes[i].Key)
		}
	}
	return m, nil
}

func (c *Config) check() error {
	switch {
	case c.Store == nil:
		return errors.New("session: Config.Store is nil")
	case CheckCookieName(c.CookieName) != nil:
		return CheckCookieName(c.CookieName)
	case c.IdleTimeout < time.Second || c.Lifetime < time.Second:
		return errors.New("session: Config.IdleTimeout and Config.Lifetime must be a second at least")
	case c.StoreTimeout < 0 || c.WriteTimeout < 0 || c.Remembered < 0:
		return errors.New("session: Config.StoreTimeout, WriteTimeout and Remembered cannot be negative")
	}
	return nil
}

// CheckCookieName tells whether Config.CookieName may be the name.
func CheckCookieName(name string) error {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || name == "" || len(name) > 64 {
		return fmt.Errorf("session: Config.CookieName %q is not 1 to 64 letters, digits, '-' and '_'", name)
	}
	return nil
}

// Store is the Manager's view of its store, for records of others that belong to the sessions:
// its calls are bounded by the Config's timeouts, its failures are *Unavailable, and at once
// while the store is known to be away. What its Apply changes holds on this process when it
// returns. Its Close does nothing.
func (m *Manager) Store() Store { return m.store }

// StoreTimeout is the Config's.
func (m *Manager) StoreTimeout() time.Duration { return m.config.StoreTimeout }

// Attach lets the handlers behind it ask From(r). It asks the store nothing by itself.
func (m *Manager) Attach(next http1.Handler) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		a := &attached{Context: r.Context()}
		a.current = Current{m: m, w: w, r: r}
		r.SetContext(a)
		defer a.current.detach()
		next.Serve(w, r)
	})
}

// attached is a request's context with a Current in it.
type attached struct {
	context.Context
	current Current
}

type currentKey struct{}

func (a *attached) Value(key any) any {
	if _, ok := key.(currentKey); ok {
		return &a.current
	}
	return a.Context.Value(key)
}

// From is the request's handle on its session, nil where no Manager is attached.
func From(r *http1.Request) *Current {
	c, _ := r.Context().Value(currentKey{}).(*Current)
	return c
}

// forget drops what is remembered under a key of the store.
func (m *Manager) forget(key string) {
	if hash, ok := strings.CutPrefix(key, sessionPrefix); ok {
		if i, ok := parseID(hash); ok {
			m.sessions.forget(i)
		}
	} else if subject, ok := strings.CutPrefix(key, subjectPrefix); ok {
		m.subjects.forget(subject)
	}
}

// find is the session of i, nil if there is none that is valid.
func (m *Manager) find(i id) (*remembered, error) {
	if m.feed.trusted() { // before what is remembered is looked at: what the feed told is dropped by now
		if s, known := m.recalled(i); known {
			m.fromMemory.Add(1)
			return s, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.config.StoreTimeout)
	defer cancel()
	s, err := m.ask(ctx, i)
	if err != nil {
		m.refused.Add(1)
		return nil, err
	}
	m.fromStore.Add(1)
	return s, nil
}

// recalled is find by memory alone: known tells whether that is enough.
func (m *Manager) recalled(i id) (s *remembered, known bool) {
	s, found, known := m.sessions.get(i)
	if !known || !found {
		return nil, known
	}
	if s.Subject != "" {
		if epoch, _, _ := m.subjects.get(s.Subject); epoch != s.Epoch || epoch == "" {
			// What is remembered of the two may be of two moments: the store has to say.
			m.subjects.forget(s.Subject)
			return nil, false
		}
	}
	now := m.clock.read()
	if !m.alive(s, now) {
		return nil, false // it may have been seen elsewhere
	}
	m.touch(i, s, now)
	return s, true
}

// ask is find by the store.
func (m *Manager) ask(ctx context.Context, i id) (*remembered, error) {
	a, _, err := m.sessions.load(ctx, i, m.feed.following(), func() (answer[*remembered], error) { return m.fetch(ctx, i) })
	if err != nil || !a.found {
		return nil, err
	}
	s := a.value
	if s.Subject != "" {
		valid, err := m.inEpoch(ctx, s)
		if err != nil {
			return nil, err
		}
		if !valid {
			m.sessions.over(i) // an epoch never comes again
			return nil, nil
		}
	}
	now := m.clock.read()
	if !m.alive(s, now) {
		// The store drops it at its end. It is not ours to remove: this clock may be wrong.
		m.sessions.forget(i)
		return nil, nil
	}
	m.touch(i, s, now)
	return s, nil
}

// inEpoch tells whether s began under its subject's epoch. An answer that another was waiting
// for may be older than s: one that disagrees is asked for again.
func (m *Manager) inEpoch(ctx context.Context, s *remembered) (bool, error) {
	epoch, shared, err := m.epoch(ctx, s.Subject)
	if err == nil && epoch != s.Epoch && shared {
		m.subjects.forget(s.Subject)
		epoch, _, err = m.epoch(ctx, s.Subject)
	}
	return epoch == s.Epoch && epoch != "", err
}

// epoch is that of the subject, as the store has it; "" without one.
func (m *Manager) epoch(ctx context.Context, subject string) (epoch string, shared bool, err error) {
	a, shared, err := m.subjects.load(ctx, subject, m.feed.following(), func() (answer[string], error) {
		rec, err := m.question(ctx, subjectKey(subject))
		if err != nil {
			return answer[string]{}, missing(err)
		}
		epoch, err := parseEpoch(rec.Value)
		return answer[string]{epoch, len(subject) + len(epoch), epoch != ""}, err
	})
	return a.value, shared, err
}

// fetch reads a session from the store.
func (m *Manager) fetch(ctx context.Context, i id) (answer[*remembered], error) {
	rec, err := m.question(ctx, sessionKey(i))
	if err != nil {
		return answer[*remembered]{}, missing(err)
	}
	s, err := m.parse(rec)
	if err != nil {
		// None, so that the member can sign in anew: an error would keep them out for good.
		m.config.Log.Warn("a session's record is broken", "store", m.store.String())
		return answer[*remembered]{}, nil
	}
	return answer[*remembered]{s, len(rec.Value), true}, nil
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// question is Get, of which only so many are under way.
func (m *Manager) question(ctx context.Context, key string) (Record, error) {
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return Record{}, &Unavailable{RetryAfter: retryAfter}
	}
	defer func() { <-m.slots }()
	return m.store.Get(ctx, key)
}

// parse reads a session's record.
func (m *Manager) parse(rec Record) (*remembered, error) {
	s := &remembered{record: new(record), version: rec.Version}
	if err := json.Unmarshal(rec.Value, s.record); err != nil {
		return nil, fmt.Errorf("session: a record in %s is broken", m.store)
	}
	s.seen.Store(s.Seen.UnixNano())
	s.due.Store(s.Seen.Add(m.touchPause()).UnixNano())
	return s, nil
}

func parseEpoch(value []byte) (string, error) {
	var s subjectRecord
	if err := json.Unmarshal(value, &s); err != nil {
		return "", errors.New("session: a subject's record is broken")
	}
	return s.Epoch, nil
}

// alive tells whether s has not expired.
func (m *Manager) alive(s *remembered, now time.Time) bool {
	seen := s.seen.Load()
	if now.UnixNano() < seen {
		now = time.Unix(0, seen)
	}
	return now.Before(s.Ends) && now.Before(s.Began.Add(m.config.Lifetime)) && now.UnixNano()-seen < int64(m.config.IdleTimeout)
}
