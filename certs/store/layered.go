package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// defaultWait is how long a layer below memory is waited for in a read.
	defaultWait = time.Second
	// patientWaits is how many waits a write or a lease may take: only actors do these.
	patientWaits = 5
	// defaultFresh is how long a value that was read counts as the newest. What another
	// replica wrote is seen within it; the aim is five seconds, polling included.
	defaultFresh = time.Second

	// callsLimit is how many calls into one layer are under way. Each name has at most one
	// read and one write, so it is reached when a layer hangs.
	callsLimit = 16
	// memoryLimitNames is how many names memory keeps that no layer lacks.
	memoryLimitNames = 4096
)

var (
	// ErrUnsynced is what a write returns that memory took and another layer did not: the
	// value is served, and Run tries again. The layer's error is in the chain too.
	ErrUnsynced = errors.New("kept in memory, to be tried again")

	errSlow   = errors.New("no answer in time")
	errClosed = errors.New("the store is closed")
)

// Layers are what a Layered store is made of.
type Layers struct {
	// Local is this machine's, a Dir or nil. Without Remote it is the truth; with it, it is a
	// copy to start from when Remote does not answer.
	Local Store
	// Remote is shared by replicas; nil without any.
	Remote Store
	// Check returns why a value cannot be what belongs under name; nil takes anything.
	Check func(name string, value []byte) error
	// Newer tells whether value a is surely newer than b; nil never does. A local copy that is
	// newer than what is in Remote was not brought there by an earlier process, and is now.
	Newer func(name string, a, b []byte) bool
	// Passing are the prefixes of names that mean something for minutes. With a Remote they
	// are not kept locally, and what is gone there is gone.
	Passing []string
	Log     *slog.Logger
	// Wait bounds how long a read waits for a layer, one second when zero. Writes and leases
	// wait five times as long.
	Wait time.Duration
	// Fresh is how old a value in memory may be that is returned without a look below, one
	// second when zero.
	Fresh time.Duration
}

// Layered is a Store of memory before a local one before a remote one.
//
// Reads come from memory while it is fresh, else from Remote, and where that does not
// answer within Wait, from Local, and then from memory however old it is. No read takes
// longer than twice Wait, whatever the layers do, and a name that is slow holds up no other.
// Acquire makes everything stale: whoever holds a lease reads what the holder before wrote.
//
// Writes go to memory and Local at once, then to Remote. What a layer did not take is served from
// memory and tried again by Run, under the same lease; the write returns ErrUnsynced then.
//
// A value that Check refuses with another error than ErrOutdated counts as missing. Local moves it aside, of Remote's a copy
// is kept aside. Names that are missing in Remote and here in a copy are put back, since a
// cache that lost its memory must not cost certificates; hence names that are not Passing
// should be deleted only while no other replica has a copy.
//
// Leases are Remote's where there is one, else Local's.
type Layered struct {
	local, remote *layer // nil without
	base          *layer // the lowest, which gives leases
	check         func(name string, value []byte) error
	newer         func(name string, a, b []byte) bool
	passing       []string
	log           *slog.Logger
	wait, fresh   time.Duration
	patience      time.Duration // for writes and leases, which take a store several steps

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup
	kick chan struct{} // one is enough: Run looks at everything

	mu      sync.Mutex
	closed  bool
	epoch   uint64 // how many leases were acquired: what was read in an earlier one is stale
	entries map[string]*entry
	bad     map[[32]byte]bool // values that were put aside already
	aside   uint64
}

// entry is what memory knows of a name.
type entry struct {
	value  []byte // nil while nothing is known
	at     time.Time
	epoch  uint64
	gen    uint64 // counts writes of this process
	owed   *debt
	flight *flight
	write  chan struct{} // of one: whoever is in it writes to the layers
	users  int           // who counts on the entry staying in the map
}

// debt is what the layers lack of what memory has.
type debt struct {
	local, remote bool
	gone          bool // it is a deletion that they lack
	// doubtful: it was found here and not written by this process, so that a value in
	// Remote may be better.
	doubtful bool
	under    Lease
	since    time.Time
	tried    time.Time
}

// flight is a read of the layers that is under way.
type flight struct {
	done       chan struct{}
	epoch, gen uint64
	value      []byte
	err        error
}

// NewLayered puts the layers together. Close ends it.
func NewLayered(from Layers) *Layered {
	l := &Layered{
		check: from.Check, newer: from.Newer, passing: from.Passing, log: from.Log, wait: from.Wait, fresh: from.Fresh,
		kick: make(chan struct{}, 1), entries: make(map[string]*entry), bad: make(map[[32]byte]bool),
	}
	if l.wait == 0 {
		l.wait = defaultWait
	}
	if l.fresh == 0 {
		l.fresh = defaultFresh
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.patience = patientWaits * l.wait
	l.ctx, l.stop = context.WithCancel(context.Background())
	if from.Local == nil && from.Remote == nil {
		from.Local = new(Memory)
	}
	if from.Local != nil {
		l.local = newLayer(l, "local", from.Local)
		l.base = l.local
	}
	if from.Remote != nil {
		l.remote = newLayer(l, "remote", from.Remote)
		l.base = l.remote
	}
	return l
}

// Close ends what is under way, waits for it, and closes the layers that can be.
func (l *Layered) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.stop()
	l.work.Wait()
	var err error
	for _, layer := range []*layer{l.local, l.remote} {
		if layer == nil {
			continue
		}
		if c, ok := layer.store.(io.Closer); ok {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// String implements Store.
func (l *Layered) String() string { return l.base.store.String() }

// Acquire implements Store.
func (l *Layered) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Lease, error) {
	lease, err := ask(ctx, l.base, l.patience, func(ctx context.Context) (Lease, error) {
		return l.base.store.Acquire(ctx, name, holder, ttl)
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	return lease, nil
}

// List implements Store. Names come from the layers that answered; it is an error when
// none did.
func (l *Layered) List(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	var errs []error
	answered := false
	for _, layer := range []*layer{l.local, l.remote} {
		if layer == nil {
			continue
		}
		list, err := ask(ctx, layer, l.wait, func(ctx context.Context) ([]string, error) { return layer.store.List(ctx, prefix) })
		answered = answered || err == nil
		errs = append(errs, err)
		for _, name := range list {
			if layer == l.base || l.keptLocally(name) {
				names = append(names, name)
			}
		}
	}
	if !answered {
		return nil, errors.Join(errs...)
	}
	names = slices.DeleteFunc(append(names, l.owedNames(prefix)...), l.hidden)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// owedNames are those that only memory may have.
func (l *Layered) owedNames(prefix string) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, e := range l.entries {
		if e.owed != nil && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

// hidden is what is deleted here and not everywhere.
func (l *Layered) hidden(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[name]
	return e != nil && e.owed != nil && e.owed.gone
}

// keptLocally tells whether Local has a copy of a name.
func (l *Layered) keptLocally(name string) bool {
	return l.local != nil && (l.remote == nil || !l.passes(name))
}

func (l *Layered) passes(name string) bool {
	return slices.ContainsFunc(l.passing, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// hold returns the entry of name, which stays until it is let go.
func (l *Layered) hold(name string) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holding(name)
}

// holding is hold for those who have the lock.
func (l *Layered) holding(name string) *entry {
	e := l.entries[name]
	if e == nil {
		l.makeRoom()
		e = &entry{write: make(chan struct{}, 1)}
		l.entries[name] = e
	}
	e.users++
	return e
}

// letGo forgets a name of which nothing is known. The lock is held.
func (l *Layered) letGo(name string, e *entry) {
	e.users--
	if e.users == 0 && e.value == nil && e.owed == nil {
		delete(l.entries, name)
	}
}

// makeRoom forgets what the layers have. The lock is held.
func (l *Layered) makeRoom() {
	if len(l.entries) < memoryLimitNames {
		return
	}
	for name, e := range l.entries {
		if e.users == 0 && e.owed == nil {
			delete(l.entries, name)
		}
	}
}

// isMissing tells an answer from a failure.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
