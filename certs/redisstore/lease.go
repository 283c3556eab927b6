package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-server/holdfast/certs/store"
)

// The keys of a lease: what it says now, which Redis removes in time, and who had it. The
// colon is in no name.
func (s *Store) leaseKey(name string) string { return s.prefix + "lease:" + name }
func (s *Store) fenceKey(name string) string { return s.prefix + "fence:" + name }

// Redis does a script as one step. Each looks at "token", which is the newest holder's:
// it is missing when Redis lost its memory, and then nobody newer is known to have come.
var (
	// KEYS lease, fence; ARGV lease's value, milliseconds, token. Returns the fence, or 0
	// and the holder. The fence comes first: a count too many does no harm.
	acquireScript = redis.NewScript(`
		local held = redis.call('GET', KEYS[1])
		if held then return {0, held} end
		local n = redis.call('HINCRBY', KEYS[2], 'n', 1)
		redis.call('HSET', KEYS[2], 'token', ARGV[3])
		redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
		return {n, ''}`)

	// KEYS value, fence; ARGV token, SET or DEL, value. Returns 1 if it was done.
	writeScript = redis.NewScript(`
		local newest = redis.call('HGET', KEYS[2], 'token')
		if newest and newest ~= ARGV[1] then return 0 end
		if ARGV[2] == 'DEL' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[3]) end
		return 1`)

	// KEYS lease, fence; ARGV lease's value, milliseconds, token, fence. Returns 1 if it was
	// done. A lease that ran out is begun anew if nobody came.
	renewScript = redis.NewScript(`
		local held = redis.call('GET', KEYS[1])
		local newest = redis.call('HGET', KEYS[2], 'token')
		if held and held ~= ARGV[1] then return 0 end
		if newest and newest ~= ARGV[3] then return 0 end
		if not newest then redis.call('HSET', KEYS[2], 'n', ARGV[4], 'token', ARGV[3]) end
		redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
		return 1`)

	// KEYS lease, fence; ARGV lease's value, token. Returns 1 if it was the caller's.
	releaseScript = redis.NewScript(`
		local held = redis.call('GET', KEYS[1])
		if held == ARGV[1] then redis.call('DEL', KEYS[1]) return 1 end
		if not held and redis.call('HGET', KEYS[2], 'token') == ARGV[2] then return 1 end
		return 0`)
)

// Acquire implements store.Store.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := errors.Join(ctx.Err(), store.CheckName(name)); err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	l := &lease{s: s, name: name, token: rand.Text(), ttl: max(ttl, time.Millisecond)}
	l.value = l.token + " " + holder
	answer, err := acquireScript.Eval(ctx, s.client, []string{s.leaseKey(name), s.fenceKey(name)},
		l.value, l.ttl.Milliseconds(), l.token).Slice()
	if err != nil {
		return nil, s.fault(ctx, name, err)
	}
	if len(answer) != 2 {
		return nil, fmt.Errorf("%s: %s: an answer of %d parts", s, name, len(answer))
	}
	fence, _ := answer[0].(int64)
	if fence <= 0 {
		return nil, fmt.Errorf("%s: %w: %s", name, store.ErrHeld, holderOf(answer[1]))
	}
	l.fence = uint64(fence)
	return l, nil
}

// holderOf is what a lease's value says behind its token.
func holderOf(value any) string {
	text, _ := value.(string)
	if n := len(rand.Text()); len(text) > n {
		return text[n+1:]
	}
	return "unknown"
}

type lease struct {
	s        *Store
	name     string
	token    string // the holder's alone
	value    string
	ttl      time.Duration
	fence    uint64
	released atomic.Bool
}

// Fence implements store.Lease.
func (l *lease) Fence() uint64 { return l.fence }

// Name implements store.Lease.
func (l *lease) Name() string { return l.name }

// Renew implements store.Lease.
func (l *lease) Renew(ctx context.Context) error {
	return l.run(ctx, renewScript, l.value, l.ttl.Milliseconds(), l.token, l.fence)
}

// Release implements store.Lease.
func (l *lease) Release(ctx context.Context) error {
	err := l.run(ctx, releaseScript, l.value, l.token)
	if err == nil {
		l.released.Store(true)
	}
	return err
}

func (l *lease) run(ctx context.Context, script *redis.Script, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.released.Load() {
		return fmt.Errorf("%s: %w", l.name, store.ErrLost)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	done, err := script.Eval(ctx, l.s.client, []string{l.s.leaseKey(l.name), l.s.fenceKey(l.name)}, args...).Int()
	return l.s.outcome(ctx, l.name, l.name, done, err)
}

// writeUnder writes while no newer holder of the lease has come.
func (s *Store) writeUnder(ctx context.Context, name string, under store.Lease, verb string, value []byte) error {
	l, ok := under.(*lease)
	if !ok || l.s.name != s.name {
		return fmt.Errorf("%s: %s: the lease is of another store", s, name)
	}
	done, err := writeScript.Eval(ctx, s.client, []string{s.prefix + name, s.fenceKey(l.name)}, l.token, verb, value).Int()
	return s.outcome(ctx, name, l.name, done, err)
}

// outcome is what a script's answer means: 1 for done, 0 for a lease that was lost.
func (s *Store) outcome(ctx context.Context, what, lease string, done int, err error) error {
	if err != nil {
		return s.fault(ctx, what, err)
	}
	if done != 1 {
		return fmt.Errorf("%s: %w", lease, store.ErrLost)
	}
	return nil
}
