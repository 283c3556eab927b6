package account

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// Sizes of what is made here (RFC 9106 §3.1, §4).
const (
	saltBytes = 16
	sumBytes  = 32
)

// Bounds of the queue before the hashes.
const (
	// queueMost is how many wait for each hash under way. With some 40 ms for a hash the
	// last of them waits a second and a half.
	queueMost = 32
	// queueWait is how long one waits at most, also where the machine is slower.
	queueWait = 5 * time.Second
)

// ErrBusy tells that too many passwords wait to be hashed. Nothing was done; a second later
// there may be room.
var ErrBusy = errors.New("account: too many passwords wait to be hashed")

// A Hasher hashes passwords and compares them, a fixed number at once: each takes its cost in
// memory while it runs, so that this number times the largest cost is what a flood of sign-ins
// can hold. What the last ones held is garbage until the collector has run: with the usual
// GOGC as much again. Others queue, at most 32 for each that runs and for 5 seconds; beyond
// that there is [ErrBusy]. It may be used from several goroutines.
type Hasher struct {
	cost  Cost
	slots chan struct{} // one in it for each hash under way
	queue chan struct{} // likewise for each under way or waiting
	dummy func() digest

	// sum is argon2.IDKey, but where a test counts what runs at once.
	sum func(password, salt []byte, c Cost, n uint32) []byte
}

// NewHasher is a Hasher for new passwords of that cost that runs atOnce hashes at the same
// time; 0 is half of GOMAXPROCS and at least one, which leaves processors for everybody else.
func NewHasher(cost Cost, atOnce int) (*Hasher, error) {
	cost = cost.orDefault()
	if err := cost.check(); err != nil {
		return nil, err
	}
	if atOnce <= 0 {
		atOnce = max(1, runtime.GOMAXPROCS(0)/2)
	}
	h := &Hasher{cost: cost, slots: make(chan struct{}, atOnce), queue: make(chan struct{}, atOnce*(1+queueMost)), sum: idKey}
	h.dummy = sync.OnceValue(func() digest { return digest{cost, randomBytes(saltBytes), randomBytes(sumBytes)} })
	return h, nil
}

func idKey(password, salt []byte, c Cost, n uint32) []byte {
	return argon2.IDKey(password, salt, c.Passes, c.MemoryKiB, c.Lanes, n)
}

// randomBytes are from the system's source, which does not fail (crypto/rand.Read).
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// Hash checks a new password and hashes it. The text has the parameters in it and is what a
// member's record keeps. The error is an [*Invalid], [ErrBusy] or ctx's.
func (h *Hasher) Hash(ctx context.Context, name Name, password string) (string, error) {
	p, err := newPassword(password, name)
	if err != nil {
		return "", err
	}
	place, err := h.reserve()
	if err != nil {
		return "", err
	}
	defer place.leave()
	return place.hash(ctx, p)
}

// make hashes under a slot that the caller holds.
func (h *Hasher) make(password string) string {
	d := digest{cost: h.cost, salt: randomBytes(saltBytes)}
	d.sum = h.sum([]byte(password), d.salt, d.cost, sumBytes)
	return d.String()
}

// verify is place.verify by a place of its own.
func (h *Hasher) verify(ctx context.Context, stored, password string) (right bool, renewed string, err error) {
	place, err := h.reserve()
	if err != nil {
		return false, "", err
	}
	defer place.leave()
	return place.verify(ctx, stored, password)
}

// quantumPerKiB is a part of quantum: ten times what a pass over a KiB takes.
const quantumPerKiB = 10 * time.Microsecond

// quantum is the time that a wrong password takes, whosever it is: that of a hash of the
// present cost and of every other that is imported, with room for a slow machine. What takes
// longer takes twice of it, or three times.
func (h *Hasher) quantum() time.Duration { return time.Duration(h.cost.work()) * quantumPerKiB }
