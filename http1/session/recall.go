package session

import (
	"context"
	"sync"
)

const (
	// shardCount is how many locks share what is remembered.
	shardCount = 64
	// absentShare is which part of the room is for keys that the store does not have. An
	// attacker makes up as many as there are requests: they must not push out members.
	absentShare = 16
)

// recall remembers what a store has under keys, up to limits, and lets one caller at a time
// ask for a key. It does not know whether what it remembers is still so.
type recall[K comparable, V any] struct {
	place  func(K) uint // which shard a key is in
	shards [shardCount]shard[K, V]
}

// shard is a part of the keys. What is remembered is dropped at random when it is too much:
// maps are iterated so.
type shard[K comparable, V any] struct {
	mu       sync.Mutex
	present  map[K]sized[V]
	absent   map[K]struct{}
	flights  map[K]*flight[V]
	bytes    int
	maxCount int
	maxBytes int
}

type sized[V any] struct {
	value V
	bytes int
}

// answer is what a store says of a key.
type answer[V any] struct {
	value V
	bytes int // of memory
	found bool
}

// flight is a question to the store that several wait for.
type flight[V any] struct {
	done  chan struct{}
	keep  bool // what comes of it may be remembered
	reply answer[V]
	err   error
}

func newRecall[K comparable, V any](maxCount, maxBytes int, place func(K) uint) *recall[K, V] {
	r := &recall[K, V]{place: place}
	for i := range r.shards {
		r.shards[i] = shard[K, V]{
			present: map[K]sized[V]{}, absent: map[K]struct{}{}, flights: map[K]*flight[V]{},
			maxCount: max(1, maxCount/shardCount), maxBytes: maxBytes / shardCount,
		}
	}
	return r
}

func (r *recall[K, V]) shard(key K) *shard[K, V] { return &r.shards[r.place(key)%shardCount] }

// get is what is remembered of the key: known tells whether anything is.
func (r *recall[K, V]) get(key K) (value V, found, known bool) {
	s := r.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.present[key]; ok {
		return e.value, true, true
	}
	_, known = s.absent[key]
	return value, false, known
}

// load asks for the key, or waits for another who does: shared tells of an answer that may be
// from before the call. keep tells whether the answer may be remembered; it is not, if the key is
// forgotten meanwhile.
func (r *recall[K, V]) load(ctx context.Context, key K, keep bool, ask func() (answer[V], error)) (a answer[V], shared bool, err error) {
	s := r.shard(key)
	s.mu.Lock()
	f, waits := s.flights[key]
	if !waits {
		f = &flight[V]{done: make(chan struct{}), keep: keep, err: &Unavailable{RetryAfter: retryAfter}}
		s.flights[key] = f
	}
	s.mu.Unlock()
	if waits {
		select {
		case <-f.done:
			return f.reply, true, f.err
		case <-ctx.Done():
			return answer[V]{}, true, &Unavailable{RetryAfter: retryAfter}
		}
	}
	defer s.land(key, f) // also if ask panics
	f.reply, f.err = ask()
	return f.reply, false, f.err
}

// land ends a flight and remembers what it brought.
func (s *shard[K, V]) land(key K, f *flight[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(f.done)
	if s.flights[key] == f {
		delete(s.flights, key)
	}
	if !f.keep || f.err != nil {
		return
	}
	s.drop(key)
	if f.reply.found {
		s.remember(key, f.reply)
		return
	}
	s.rememberAbsent(key)
}

// rememberAbsent keeps that there is nothing under the key.
func (s *shard[K, V]) rememberAbsent(key K) {
	for other := range s.absent {
		if len(s.absent) < max(1, s.maxCount/absentShare) {
			break
		}
		delete(s.absent, other)
	}
	s.absent[key] = struct{}{}
}

// remember keeps an answer, in the room of others if need be.
func (s *shard[K, V]) remember(key K, a answer[V]) {
	if a.bytes > s.maxBytes {
		return
	}
	for other := range s.present {
		if len(s.present) < s.maxCount && s.bytes+a.bytes <= s.maxBytes {
			break
		}
		s.drop(other)
	}
	s.present[key] = sized[V]{a.value, a.bytes}
	s.bytes += a.bytes
}

// drop forgets what is remembered of the key.
func (s *shard[K, V]) drop(key K) {
	if e, ok := s.present[key]; ok {
		s.bytes -= e.bytes
		delete(s.present, key)
	}
	delete(s.absent, key)
}

// forget drops the key, and what is on its way: whoever asks from now on asks the store.
func (r *recall[K, V]) forget(key K) {
	s := r.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key)
	if f := s.flights[key]; f != nil {
		f.keep = false
		delete(s.flights, key)
	}
}

// over remembers that there is nothing under a key that will never have anything again.
func (r *recall[K, V]) over(key K) {
	s := r.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key)
	s.rememberAbsent(key)
}

// forgetAll is forget for every key.
func (r *recall[K, V]) forgetAll() {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		clear(s.present)
		clear(s.absent)
		s.bytes = 0
		for _, f := range s.flights {
			f.keep = false
		}
		clear(s.flights)
		s.mu.Unlock()
	}
}

// count is how many keys are remembered.
func (r *recall[K, V]) count() (n int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		n += len(s.present)
		s.mu.Unlock()
	}
	return n
}
