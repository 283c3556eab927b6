package files

import (
	"errors"
	"io/fs"
	"math"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// checkEvery is how long what is in memory is believed without a look at the disk.
	checkEvery = time.Second

	// staleFor is how long it is believed while there is no descriptor for a look.
	staleFor = 30 * time.Second

	// cachedFileBytes is how large a file in a cache may be: above it sendfile costs less
	// than the memory.
	cachedFileBytes = 128 << 10

	// entryBytes is about what an entry takes beside its name and its content.
	entryBytes = 512
)

// A Cache keeps small files in memory, up to a number of bytes, for one handler or
// several. A file that was not asked for since the last round goes first. What is kept is
// compared with the disk by whoever asks for it more than a second after the last look: the
// file is opened by its name again, so that one that was replaced, rewritten, removed or
// made unreadable is served for at most a second more; for half a minute while the system has no
// descriptors left to look.
type Cache struct {
	limitBytes int64

	mu      sync.RWMutex
	entries map[cacheKey]*entry
	ring    []*entry // in no order, for the hand to go round
	hand    int
	bytes   int64
}

// NewCache is a cache of at most limitBytes.
func NewCache(limitBytes int64) *Cache {
	return &Cache{limitBytes: limitBytes, entries: make(map[cacheKey]*entry)}
}

// A cacheKey is a name below a handler's root.
type cacheKey struct {
	of   *keeper
	name string
}

// An entry is a file in memory, or the knowledge that there is none. What it holds never
// changes: a file that did gets another entry.
type entry struct {
	key     cacheKey
	file    *file // nil when there is none
	place   int   // in the ring; -1 once it has left. Guarded by the cache's lock
	bytes   int64 // likewise
	checked atomic.Int64
	used    atomic.Bool // since the hand came by
}

func (e *entry) fresh(now time.Time) bool { return e.age(now) < checkEvery }

// age is how long ago the disk was asked. A clock that was set back proves nothing: long ago.
func (e *entry) age(now time.Time) time.Duration {
	if age := now.UnixNano() - e.checked.Load(); age >= 0 {
		return time.Duration(age)
	}
	return math.MaxInt64
}

// exhausted tells the system's want of descriptors or memory from what the disk says of a file.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// get is the entry for that key, nil without one.
func (c *Cache) get(key cacheKey) *entry {
	c.mu.RLock()
	e := c.entries[key]
	c.mu.RUnlock()
	if e != nil && !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// put takes an entry in, in place of an older one with its key, and drops others until
// all fit.
func (c *Cache) put(e *entry) {
	e.bytes = entryBytes + int64(len(e.key.name))
	if e.file != nil {
		e.bytes += int64(len(e.file.memory))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.entries[e.key])
	if e.place = -1; e.bytes > c.limitBytes {
		return
	}
	c.entries[e.key] = e
	e.place = len(c.ring)
	c.ring = append(c.ring, e)
	c.charge(e.bytes)
}

// grew books what was made of the file of an entry, beside its content.
func (c *Cache) grew(e *entry, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.place >= 0 {
		e.bytes += int64(bytes)
		c.charge(int64(bytes))
	}
}

// charge adds to what all take, and makes room. The caller holds c.mu.
func (c *Cache) charge(more int64) {
	for c.bytes += more; c.bytes > c.limitBytes; {
		c.evict()
	}
}

// evict drops the next entry that was not used since the hand came by. The caller holds
// c.mu.
func (c *Cache) evict() {
	for {
		c.hand %= len(c.ring)
		e := c.ring[c.hand]
		if !e.used.Swap(false) {
			c.drop(e)
			return
		}
		c.hand++
	}
}

// forget drops the entry for that key.
func (c *Cache) forget(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.entries[key])
}

// forgetAll drops all entries of a keeper.
func (c *Cache) forgetAll(of *keeper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.entries {
		if key.of == of {
			c.drop(e)
		}
	}
}

// drop takes an entry out, if it is in. The caller holds c.mu.
func (c *Cache) drop(e *entry) {
	if e == nil || e.place < 0 {
		return
	}
	delete(c.entries, e.key)
	last := c.ring[len(c.ring)-1]
	c.ring[e.place], last.place = last, e.place
	c.ring[len(c.ring)-1] = nil
	c.ring = c.ring[:len(c.ring)-1]
	c.bytes -= e.bytes
	e.place = -1
}

// A keeper opens files by a cache.
type keeper struct {
	opener
	cache   *Cache
	now     func() time.Time
	prepare func(name string, f *file, now time.Time) // completes a file that will be kept
}

// open is a file in memory that nobody has to close, or one on the disk.
func (k *keeper) open(name string) (*file, error) { return k.find(name, false) }

// openUsuallyAbsent is open for a name that is asked for again and again though nothing
// is there: the absence is kept as well. Clients must not choose such names.
func (k *keeper) openUsuallyAbsent(name string) (*file, error) { return k.find(name, true) }

func (k *keeper) find(name string, absence bool) (*file, error) {
	now := k.now() // before the look: what is found was there then or later
	key := cacheKey{k, name}
	e := k.cache.get(key)
	if e != nil && e.fresh(now) {
		if e.file == nil {
			return nil, fs.ErrNotExist
		}
		return e.file, nil
	}
	f, err := k.opener.open(name)
	switch {
	case err != nil && absence && errors.Is(err, fs.ErrNotExist):
		k.keep(key, nil, now)
		return nil, err
	case err != nil && e != nil && e.file != nil && exhausted(err) && e.age(now) < staleFor:
		return e.file, nil
	case err != nil:
		if e != nil && !exhausted(err) {
			k.cache.forget(key)
		}
		return nil, err
	case e != nil && e.file != nil && e.file.stamp.same(f.stamp):
		_ = f.Close()
		e.checked.Store(now.UnixNano())
		return e.file, nil
	case f.size > cachedFileBytes || !f.stamp.telling(now):
		if e != nil {
			k.cache.forget(key)
		}
		return f, nil
	}
	return k.load(key, f, now)
}

// load reads a file into memory, as one state of it. It closes f.
func (k *keeper) load(key cacheKey, f *file, now time.Time) (*file, error) {
	defer f.Close()
	kept, err := f.whole()
	if err != nil {
		return nil, err
	}
	k.prepare(key.name, kept, now)
	k.keep(key, kept, now)
	return kept, nil
}

func (k *keeper) keep(key cacheKey, f *file, now time.Time) {
	e := &entry{key: key, file: f}
	e.checked.Store(now.UnixNano())
	if f != nil {
		f.entry = e
	}
	k.cache.put(e)
}
