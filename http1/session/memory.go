package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// memoryFeed is how many changes a store in memory tells of.
	memoryFeed = 10_000
	// memorySweep is how many records and counters a call looks at to find expired ones, so
	// that those nobody asks for go too, while no call pays for many.
	memorySweep = 4
)

// NewMemory returns a store that lives in this process and ends with it: for tests, and for
// who needs neither a second process nor a restart.
func NewMemory() Store {
	return &memoryHandle{data: &memory{
		id: rand.Text(), records: make(map[string]Record), counters: make(map[string]counter),
	}}
}

// memoryHandle is one holder's way to a memory.
type memoryHandle struct {
	data   *memory
	closed atomic.Bool
}

// memory is what the handles share.
type memory struct {
	id string // of this memory among others, for cursors

	mu       sync.Mutex
	records  map[string]Record
	keys     []string // of records, in order
	hand     int      // where in keys the sweep goes on
	version  int64
	counters map[string]counter
	feed     []string // the keys that were changed last
	told     int64    // how many were in feed before its first
}

type counter struct {
	used int64
	ends time.Time
}

// ready tells whether a call may go on.
func (h *memoryHandle) ready(ctx context.Context) error {
	if h.closed.Load() {
		return ErrClosed
	}
	return ctx.Err()
}

// Get implements Store.
func (h *memoryHandle) Get(ctx context.Context, key string) (Record, error) {
	if err := h.ready(ctx); err != nil {
		return Record{}, err
	}
	if err := CheckKey(key); err != nil {
		return Record{}, err
	}
	h.data.mu.Lock()
	defer h.data.mu.Unlock()
	r, there := h.data.at(key, time.Now())
	if !there {
		return Record{}, fmt.Errorf("session: %s: %w", key, fs.ErrNotExist)
	}
	return r.clone(), nil
}

// List implements Store.
func (h *memoryHandle) List(ctx context.Context, prefix, after string, limit int) ([]Record, error) {
	if err := h.ready(ctx); err != nil {
		return nil, err
	}
	if err := CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	m, now := h.data, time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	first, _ := slices.BinarySearch(m.keys, max(prefix, after))
	var found []Record
	for _, key := range m.keys[first:] {
		if len(found) == limit || !strings.HasPrefix(key, prefix) {
			break
		}
		if r, there := m.at(key, now); there && key > after {
			found = append(found, r.clone())
		}
	}
	return found, nil
}

// Apply implements Store.
func (h *memoryHandle) Apply(ctx context.Context, changes ...Change) error {
	if err := h.ready(ctx); err != nil {
		return err
	}
	if err := CheckChanges(changes); err != nil {
		return err
	}
	m, now := h.data, time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		version, checked := c.If.Expects()
		// An absent record's version is 0, and so is the expected one's.
		if r, _ := m.at(c.Key, now); checked && r.Version != version {
			return ErrConflict
		}
	}
	for _, c := range changes {
		m.change(c)
	}
	m.sweep(now)
	return nil
}

// Take implements Store.
func (h *memoryHandle) Take(ctx context.Context, key string, n, limit int64, window time.Duration) (Count, error) {
	if err := h.ready(ctx); err != nil {
		return Count{}, err
	}
	if err := CheckTake(key, n, limit, window); err != nil {
		return Count{}, err
	}
	m, now := h.data, time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counters[key]
	if !now.Before(c.ends) {
		c = counter{ends: now.Add(window)}
	}
	taken := n > 0 && n <= limit-c.used
	if taken {
		c.used += n
		m.counters[key] = c
		m.sweepCounters(now)
	}
	if c.used == 0 {
		return Count{}, nil
	}
	return Count{Taken: taken, Used: c.used, Resets: c.ends.Sub(now)}, nil
}

// Changes implements Store.
func (h *memoryHandle) Changes(ctx context.Context, since Cursor) (Changes, error) {
	if err := h.ready(ctx); err != nil {
		return Changes{}, err
	}
	m := h.data
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.told + int64(len(m.feed))
	changes := Changes{Next: Cursor(m.id + ":" + strconv.FormatInt(last, 10))}
	if since == "" {
		return changes, nil
	}
	id, number, _ := strings.Cut(string(since), ":")
	from, err := strconv.ParseInt(number, 10, 64)
	if err != nil || id != m.id || from < m.told || from > last {
		changes.Lost = true
		return changes, nil
	}
	keys := slices.Sorted(slices.Values(m.feed[from-m.told:]))
	changes.Keys = slices.Compact(keys)
	return changes, nil
}

// String implements Store.
func (h *memoryHandle) String() string { return "memory" }

// Close implements Store.
func (h *memoryHandle) Close() error {
	h.closed.Store(true)
	return nil
}

// clone is the record with a value that the caller owns.
func (r Record) clone() Record {
	r.Value = append([]byte{}, r.Value...)
	return r
}

// at is the record under key, unless it has expired.
func (m *memory) at(key string, now time.Time) (Record, bool) {
	r, there := m.records[key]
	if !there || !r.Expires.IsZero() && !now.Before(r.Expires) {
		return Record{}, false
	}
	return r, true
}

// change makes one change and tells of it.
func (m *memory) change(c Change) {
	m.version++
	if c.Value == nil {
		m.remove(c.Key)
	} else {
		if _, there := m.records[c.Key]; !there {
			i, _ := slices.BinarySearch(m.keys, c.Key)
			m.keys = slices.Insert(m.keys, i, c.Key)
		}
		r := Record{Key: c.Key, Value: c.Value, Version: m.version}.clone()
		if !c.Expires.IsZero() {
			r.Expires = time.UnixMilli(c.Expires.UnixMilli())
		}
		m.records[c.Key] = r
	}
	if c.Quiet {
		return
	}
	m.feed = append(m.feed, c.Key)
	if extra := len(m.feed) - memoryFeed; extra >= memoryFeed { // seldom, as it copies
		m.feed = append(m.feed[:0], m.feed[extra:]...)
		m.told += int64(extra)
	}
}

// remove forgets the record.
func (m *memory) remove(key string) {
	if i, there := slices.BinarySearch(m.keys, key); there {
		m.keys = slices.Delete(m.keys, i, i+1)
		delete(m.records, key)
	}
}

// sweep removes expired ones among a few records.
func (m *memory) sweep(now time.Time) {
	for range min(memorySweep, len(m.keys)) {
		if m.hand >= len(m.keys) {
			m.hand = 0
		}
		key := m.keys[m.hand]
		if _, there := m.at(key, now); there {
			m.hand++
		} else {
			m.remove(key)
		}
	}
}

// sweepCounters does so among the counters. A map gives them in no order.
func (m *memory) sweepCounters(now time.Time) {
	looked := 0
	for key, c := range m.counters {
		if !now.Before(c.ends) {
			delete(m.counters, key)
		}
		if looked++; looked == memorySweep {
			return
		}
	}
}
