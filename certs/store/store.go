package store

import (
	"context"
	"errors"
	"time"
)

// MaxValueBytes bounds a value. A key with a long chain is about 10 KiB.
const MaxValueBytes = 64 << 10

var (
	// ErrHeld is what Acquire returns while another holder has the lease.
	ErrHeld = errors.New("another holder has the lease")
	// ErrLost is what a Lease returns that ran out or was taken over, and what a write
	// under its fence returns: the work was, or may be, done by another.
	ErrLost = errors.New("the lease was lost")
)

// Store keeps values and leases. It may be used from several goroutines. Every call ends
// soon after its context does. What is missing is fs.ErrNotExist; any other error is the
// store's, and says nothing about the value.
type Store interface {
	// Get returns the value under name, which the caller owns.
	Get(ctx context.Context, name string) ([]byte, error)
	// Put replaces the value under name. With a lease, it writes only while no newer
	// holder of that lease has come: ErrLost otherwise. A nil lease writes always. An
	// error other than ErrLost may leave the old value or the new one.
	Put(ctx context.Context, name string, value []byte, under Lease) error
	// Delete removes the value under name; that it was not there is no error.
	Delete(ctx context.Context, name string, under Lease) error
	// List returns the names that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
	// Acquire takes the lease called name for a time to live, on behalf of holder (for
	// people to read: a host and process). ErrHeld while another has it. The lease runs
	// out ttl after Acquire or the last Renew began, unless it is renewed.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Lease, error)
	// String names the store for people, without its secrets: "redis://host:6379/0".
	String() string
}

// Lease is a right that one holder has at a time. Whoever holds one works under it, and
// stops once it cannot be renewed.
type Lease interface {
	// Fence is greater than that of every earlier holder of the same lease: what is
	// written under an older one is refused.
	Fence() uint64
	// Name is the lease's.
	Name() string
	// Renew begins the time to live anew: ErrLost when another took the lease.
	Renew(ctx context.Context) error
	// Release gives the lease up, so that another need not wait for its end.
	Release(ctx context.Context) error
}
