package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/holdfast-server/holdfast/http1/session"
)

const (
	// callLimit bounds a call whose context has no earlier end.
	callLimit = 500 * time.Millisecond
	// connectionsLimit is how many connections there are, and calls under way.
	connectionsLimit = 16
)

// Options are what Open can do without.
type Options struct {
	// Log is told, once, of settings of the Redis by which it may lose what is kept there.
	// Nil is nobody.
	Log *slog.Logger
}

// Store is a session.Store in Redis.
type Store struct {
	client *redis.Client
	gate   *gate
	name   string
	secret secret
	keys   keys
	turns  chan struct{} // one for each connection

	life context.Context // until Close
	end  context.CancelFunc
	mu   sync.Mutex // guards work against calls that begin while Close waits
	work sync.WaitGroup

	log      *slog.Logger
	examines atomic.Bool   // once Redis answers
	examined chan struct{} // closed once the settings were looked at; nil if nobody is told
}

// Open takes redis://[USER][:PASSWORD@]HOST[:PORT][/DB][?prefix=TEXT], or the same with
// rediss:// for TLS 1.2 and newer, where ca=FILE names the PEM roots to trust in place of the
// system's. It does not wait for Redis: one that is down at the start is one that comes later.
func Open(address string, options Options) (*Store, error) {
	c, err := parse(address)
	if err != nil {
		return nil, err
	}
	// The library prints what it also returns, addresses of connections included.
	logging.Disable()
	gate := newGate(c.tls)
	s := &Store{
		gate: gate, secret: newSecret(c), name: c.String(), keys: keys{c.prefix}, turns: make(chan struct{}, connectionsLimit),
		client: redis.NewClient(&redis.Options{
			Addr: c.addr, Username: c.user, Password: c.password, DB: c.db, Dialer: gate.dial,
			DialTimeout: callLimit, ReadTimeout: callLimit, WriteTimeout: callLimit, PoolTimeout: callLimit,
			ContextTimeoutEnabled: true,
			PoolSize:              connectionsLimit, MaxActiveConns: connectionsLimit,
			MaxRetries: -1, DialerRetries: 1,
			DisableIdentity: true, Protocol: 2,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
	}
	s.life, s.end = context.WithCancel(context.Background())
	if options.Log != nil {
		s.log, s.examined = options.Log, make(chan struct{})
		s.work.Go(s.examine)
	}
	return s, nil
}

// Close ends what is under way and the connections.
func (s *Store) Close() error {
	s.mu.Lock()
	first := s.life.Err() == nil
	s.end()
	s.mu.Unlock()
	s.work.Wait()
	if !first {
		return nil
	}
	return s.client.Close()
}

// String implements session.Store. There is no password in it.
func (s *Store) String() string { return s.name }

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

// call does work in a turn. The work has a goroutine of its own: the library heeds a context's
// deadline while it reads, and not that it is cancelled. It ends within callLimit then.
func call[T any](ctx context.Context, s *Store, what string, work func(context.Context) (T, error)) (T, error) {
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
	select {
	case s.turns <- struct{}{}:
	case <-bounded.Done():
		s.work.Done()
		return none, s.ended(ctx, what)
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	began, then := time.Now(), s.gate.connections.current.Load()
	go func() {
		defer s.work.Done()
		value, err := work(bounded)
		<-s.turns
		if late(bounded, err) && time.Since(began) >= retireAfter {
			s.gate.connections.retire(then)
		}
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil && bounded.Err() != nil {
			return none, s.ended(ctx, what)
		}
		s.answered(a.err)
		return a.value, s.fault(what, a.err)
	case <-bounded.Done():
		if late(bounded, bounded.Err()) && time.Since(began) >= retireAfter {
			s.gate.connections.retire(then)
		}
		return none, s.ended(ctx, what)
	}
}

// late tells whether a call ended because no answer came in time.
func late(ctx context.Context, err error) bool {
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return false
	}
	timeout := net.Error(nil)
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// ended is why a call ended before its work did.
func (s *Store) ended(ctx context.Context, what string) error {
	switch {
	case ctx.Err() != nil:
		return s.fault(what, ctx.Err())
	case s.life.Err() != nil:
		return session.ErrClosed
	default:
		return s.fault(what, context.DeadlineExceeded)
	}
}
