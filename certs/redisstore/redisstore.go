package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/holdfast-server/holdfast/certs/store"
)

const (
	callLimit        = 2 * time.Second
	connectionsLimit = 8
	// scanBatch is how many keys Redis looks at in one step of a List, half a millisecond: it
	// serves others in between.
	scanBatch = 5000
	// namesLimit bounds a List. A replica has a handful of names for each host.
	namesLimit = 20_000
)

// Store is a certs/store.Store in Redis.
type Store struct {
	client *redis.Client
	prefix string
	name   string
}

// Open takes the URL that Parse reads. Nothing is dialled yet: a Redis that is down at the
// start is one that comes later. Close ends it.
func Open(address string) (*Store, error) {
	c, err := Parse(address)
	if err != nil {
		return nil, err
	}
	// The library prints what it also returns, addresses of connections included.
	logging.Disable()
	return &Store{prefix: c.Prefix, name: c.String(), client: redis.NewClient(&redis.Options{
		Addr: c.Addr, Username: c.User, Password: c.Password, DB: c.DB, TLSConfig: c.TLS,
		DialTimeout: callLimit, ReadTimeout: callLimit, WriteTimeout: callLimit, PoolTimeout: callLimit,
		ContextTimeoutEnabled: true,
		PoolSize:              connectionsLimit, MaxActiveConns: connectionsLimit,
		MaxRetries: -1, DialerRetries: 1, // no storm of our making on a server in trouble
		DisableIdentity: true, Protocol: 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}, nil
}

// Close ends the connections. What is under way fails.
func (s *Store) Close() error { return s.client.Close() }

// String implements store.Store. There is no password in it.
func (s *Store) String() string { return s.name }

// bounded is a context for one call.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callLimit)
}

// getScript returns the beginning of a value: KEYS value; ARGV how many bytes. GETRANGE
// alone does not tell a missing value from an empty one, and GET would let whoever writes
// 512 MB under a name have every replica read them.
var getScript = redis.NewScript(`
	if redis.call('EXISTS', KEYS[1]) == 0 then return false end
	return redis.call('GETRANGE', KEYS[1], 0, ARGV[1] - 1)`)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), store.CheckName(name)); err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	value, err := getScript.Eval(ctx, s.client, []string{s.prefix + name}, store.MaxValueBytes+1).Text()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case err != nil:
		return nil, s.fault(ctx, name, err)
	case len(value) > store.MaxValueBytes:
		return nil, fmt.Errorf("%s: %s: over %d bytes", s, name, store.MaxValueBytes)
	}
	return []byte(value), nil
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, value []byte, under store.Lease) error {
	if err := errors.Join(ctx.Err(), store.CheckValue(name, value)); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if under != nil {
		return s.writeUnder(ctx, name, under, "SET", value)
	}
	if err := s.client.Set(ctx, s.prefix+name, value, 0).Err(); err != nil {
		return s.fault(ctx, name, err)
	}
	return nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string, under store.Lease) error {
	if err := errors.Join(ctx.Err(), store.CheckName(name)); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if under != nil {
		return s.writeUnder(ctx, name, under, "DEL", nil)
	}
	if err := s.client.Del(ctx, s.prefix+name).Err(); err != nil {
		return s.fault(ctx, name, err)
	}
	return nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix string) (names []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for cursor, steps := uint64(0), 0; ; steps++ {
		keys, next, err := s.scan(ctx, cursor, prefix)
		if late := net.Error(nil); errors.As(err, &late) && late.Timeout() && steps > 0 {
			return nil, fmt.Errorf("%s: list %s: after %d steps of %d keys: give the store a database of its own in the URL, as in /1: %w", s, prefix, steps, scanBatch, err)
		}
		if err != nil {
			return nil, s.fault(ctx, "list "+prefix, err)
		}
		for _, key := range keys {
			// What has a colon behind the prefix is a lease, or another's with a longer prefix.
			if name := strings.TrimPrefix(key, s.prefix); store.CheckName(name) == nil {
				names = append(names, name)
			}
		}
		if len(names) > namesLimit {
			return nil, fmt.Errorf("%s: more than %d names begin with %q: give the store a prefix of its own", s, namesLimit, prefix)
		}
		if cursor = next; cursor == 0 {
			slices.Sort(names)
			return slices.Compact(names), nil // a scan may see a key twice
		}
	}
}

// scan is one step of a List. Each has its own limit, since Redis looks at all keys of the
// database, which are others' too.
func (s *Store) scan(ctx context.Context, cursor uint64, prefix string) (keys []string, next uint64, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return s.client.Scan(ctx, cursor, escapeGlob(s.prefix+prefix)+"*", scanBatch).Result()
}

// escapeGlob takes the meaning from the characters that Redis's MATCH knows.
func escapeGlob(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}

// noCluster is said where a lease and what is written under it would be on two nodes.
const noCluster = "this is a node of a Redis Cluster, which cannot keep leases: name a Redis without cluster mode in the URL"

// refusals are Redis's answers that somebody can do something about.
var refusals = []struct{ code, mend string }{
	{"WRONGPASS", "the user or the password was refused: check both in the URL"},
	{"NOAUTH", "a password is needed: write it into the URL, redis://:PASSWORD@HOST"},
	{"NOPERM", "the user may not do this: allow it GET, GETRANGE, EXISTS, SET, DEL, SCAN, EVAL and the hash commands on keys that begin with the prefix"},
	{"LOADING", "Redis is still loading its data: it answers once it has"},
	{"READONLY", "this is a replica, which takes no writes: name the primary in the URL"},
	{"MISCONF", "Redis cannot save to its disk, and refuses writes until it can"},
	{"CROSSSLOT", noCluster},
	{"MOVED", noCluster},
	{"CLUSTERDOWN", noCluster},
	{"OOM", "Redis is at its memory limit: raise maxmemory, or let it evict others' keys"},
}

// fault says in which store what failed, and what to do where that is known. What the
// server says holds no secrets; a URL is never in it.
func (s *Store) fault(ctx context.Context, what string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s: %s: %w", s, what, context.Canceled)
	}
	for _, r := range refusals {
		if strings.HasPrefix(err.Error(), r.code) {
			return fmt.Errorf("%s: %s: %s (%w)", s, what, r.mend, err)
		}
	}
	return fmt.Errorf("%s: %s: %w", s, what, err)
}
