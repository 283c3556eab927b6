package account

import (
	"context"
	"crypto/subtle"
	"time"
)

// A place is one in the queue before the hashes. Whoever has it will be at a hash before long,
// unless the machine is too slow: so it is taken before anything is counted.
type place struct {
	h     *Hasher
	left  bool
	began time.Time // of the last hash, 0 before it
}

// reserve takes a place, which leave gives back; or [ErrBusy].
func (h *Hasher) reserve() (*place, error) {
	select {
	case h.queue <- struct{}{}:
		return &place{h: h}, nil
	default:
		return nil, ErrBusy
	}
}

// leave gives the place back, once.
func (p *place) leave() {
	if !p.left {
		p.left = true
		<-p.h.queue
	}
}

// slot waits for a slot, which release gives back. The error is [ErrBusy] or ctx's.
func (p *place) slot(ctx context.Context) (release func(), err error) {
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	select {
	case p.h.slots <- struct{}{}:
		p.began = time.Now()
		return func() { <-p.h.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, ErrBusy
	}
}

// hash hashes a password that newPassword has prepared.
func (p *place) hash(ctx context.Context, prepared string) (string, error) {
	release, err := p.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return p.h.make(prepared), nil
}

// verify compares a password with a stored hash, in time that does not tell how alike they
// are. An empty stored is of a name that nobody has: the work is the same as for a hash of the
// present cost, and no password is right; for hashes of other costs there is pause. renewed is
// a hash of the same password where the stored one has another cost, else empty. The error is
// [ErrBusy], ctx's or errHash.
func (p *place) verify(ctx context.Context, stored, password string) (right bool, renewed string, err error) {
	h := p.h
	d := h.dummy()
	if stored != "" {
		if d, err = parseDigest(stored); err != nil {
			return false, "", err
		}
	}
	text, admitted := presented(password)
	release, err := p.slot(ctx)
	if err != nil {
		return false, "", err
	}
	defer release()
	sum := h.sum([]byte(text), d.salt, d.cost, uint32(len(d.sum)))
	right = subtle.ConstantTimeCompare(sum, d.sum) == 1 && stored != "" && admitted
	if right && (d.cost != h.cost || len(d.salt) != saltBytes || len(d.sum) != sumBytes) {
		renewed = h.make(text)
	}
	return right, renewed, nil
}

// pause waits for the end of the hasher's quantum, counted from when the hash began: a member
// whose hash has another cost is not told from a name that nobody has by a clock. The place is
// given back before.
func (p *place) pause(ctx context.Context) {
	p.leave()
	q := p.h.quantum()
	timer := time.NewTimer(q - time.Since(p.began)%q)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
