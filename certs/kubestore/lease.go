package kubestore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// microTime is how the API writes MicroTime.
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// afterthoughtLimit is how long an Acquire that failed may take, past its context, to give
// up the lease: long enough for two requests to an API that works.
const afterthoughtLimit = time.Second

// leaseObject is a Lease of coordination.k8s.io/v1.
type leaseObject struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       leaseSpec      `json:"spec"`
}

type leaseSpec struct {
	HolderIdentity       string `json:"holderIdentity"` // "" when it was given up
	LeaseDurationSeconds int    `json:"leaseDurationSeconds,omitempty"`
	AcquireTime          string `json:"acquireTime,omitempty"`
	RenewTime            string `json:"renewTime,omitempty"`
	LeaseTransitions     int    `json:"leaseTransitions"`
}

// version is the object's resourceVersion.
func (o *leaseObject) version() string {
	v, _ := o.Metadata["resourceVersion"].(string)
	return v
}

// sighting is when a lease's object was first seen as it is, by our own clock.
type sighting struct {
	version string
	at      time.Time
}

// objectOf is what the object of a lease is called.
func (s *Store) objectOf(lease string) string {
	sum := sha256.Sum256([]byte(lease))
	return s.name + "-" + hex.EncodeToString(sum[:8])
}

// Acquire implements store.Store. A time to live is rounded up to seconds.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := errors.Join(ctx.Err(), store.CheckName(name)); err != nil {
		return nil, err
	}
	l := &lease{s: s, name: name, holder: holder + " " + rand.Text(), seconds: max(1, int((ttl+time.Second-1)/time.Second))}
	if err := l.take(ctx); err != nil {
		if errors.Is(err, errConflict) {
			err = fmt.Errorf("%s: %w: it was taken a moment ago", name, store.ErrHeld)
		}
		return nil, err
	}
	// From now on nobody else writes under the lease, and once this is noted, no earlier holder.
	err := s.update(ctx, func(x *secret) error {
		if x.fence(name) > l.fence {
			return fmt.Errorf("%s: %w", name, store.ErrLost)
		}
		x.setFence(name, l.fence)
		return nil
	})
	if err != nil {
		// Given up if it can be; else it runs out.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterthoughtLimit)
		defer cancel()
		return nil, errors.Join(err, ignoreLost(l.Release(ctx)))
	}
	return l, nil
}

func ignoreLost(err error) error {
	if errors.Is(err, store.ErrLost) {
		return nil
	}
	return err
}

// take makes the caller the holder in the lease's object, whose fence is above that of the
// object and that of the Secret: either may have been deleted and made anew.
func (l *lease) take(ctx context.Context) error {
	object, err := l.read(ctx)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if !missing && l.s.held(l.name, object, time.Now()) {
		return fmt.Errorf("%s: %w: %s", l.name, store.ErrHeld, holderOf(object.Spec.HolderIdentity))
	}
	x, err := l.s.read(ctx)
	if err != nil {
		return err
	}
	if x != nil {
		l.fence = x.fence(l.name)
	}
	now := time.Now().UTC().Format(microTime)
	if missing {
		object = &leaseObject{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Metadata: map[string]any{"name": l.s.objectOf(l.name)}}
	}
	l.fence = max(l.fence, counted(uint64(max(0, object.Spec.LeaseTransitions)))) + 1
	object.Spec = leaseSpec{HolderIdentity: l.holder, LeaseDurationSeconds: l.seconds, AcquireTime: now, RenewTime: now, LeaseTransitions: int(l.fence)}
	if missing {
		err = l.s.call(ctx, "create", "leases", "", object, nil)
	} else {
		err = l.s.call(ctx, "update", "leases", l.s.objectOf(l.name), object, nil)
	}
	if err == nil {
		l.s.mu.Lock()
		defer l.s.mu.Unlock()
		delete(l.s.seen, l.name)
	}
	return err
}

// held tells whether a lease is still its holder's: until its object was seen unchanged
// for as long as it lives. Times in the object are another clock's.
func (s *Store) held(name string, object *leaseObject, now time.Time) bool {
	if object.Spec.HolderIdentity == "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen[name]
	if seen.version != object.version() {
		seen = sighting{version: object.version(), at: now}
		s.seen[name] = seen
	}
	return now.Sub(seen.at) <= time.Duration(object.Spec.LeaseDurationSeconds)*time.Second
}

type lease struct {
	s        *Store
	name     string
	holder   string // with a word of its own, so that no two are the same
	seconds  int
	fence    uint64
	released atomic.Bool
}

// Fence implements store.Lease.
func (l *lease) Fence() uint64 { return l.fence }

// Name implements store.Lease.
func (l *lease) Name() string { return l.name }

// Renew implements store.Lease.
func (l *lease) Renew(ctx context.Context) error {
	return l.change(ctx, func(spec *leaseSpec) { spec.RenewTime = time.Now().UTC().Format(microTime) })
}

// Release implements store.Lease.
func (l *lease) Release(ctx context.Context) error {
	err := l.change(ctx, func(spec *leaseSpec) { spec.HolderIdentity, spec.LeaseDurationSeconds = "", 1 })
	if err == nil {
		l.released.Store(true)
	}
	return err
}

func (l *lease) read(ctx context.Context) (*leaseObject, error) {
	object := new(leaseObject)
	err := l.s.call(ctx, "get", "leases", l.s.objectOf(l.name), nil, object)
	return object, err
}

// change writes the lease's object while the caller is its holder.
func (l *lease) change(ctx context.Context, do func(spec *leaseSpec)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.released.Load() {
		return fmt.Errorf("%s: %w", l.name, store.ErrLost)
	}
	var err error
	for range conflictsLimit {
		// A write that came in between may be a label that somebody put on the object.
		if err = l.changeOnce(ctx, do); !errors.Is(err, errConflict) {
			return err
		}
	}
	return err
}

func (l *lease) changeOnce(ctx context.Context, do func(spec *leaseSpec)) error {
	object, err := l.read(ctx)
	if errors.Is(err, fs.ErrNotExist) || err == nil && object.Spec.HolderIdentity != l.holder {
		return fmt.Errorf("%s: %w", l.name, store.ErrLost)
	}
	if err != nil {
		return err
	}
	do(&object.Spec)
	return l.s.call(ctx, "update", "leases", l.s.objectOf(l.name), object, nil)
}

// holderOf is what an identity says before the word that is its own.
func holderOf(identity string) string {
	if i := strings.LastIndexByte(identity, ' '); i > 0 {
		return identity[:i]
	}
	return identity
}
