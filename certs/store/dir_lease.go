package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// holding is what the file of a lease says: who took it last, and until when. The file
// stays when the lease is given up, for its fence.
type holding struct {
	Fence uint64 `json:"fence"`
	// Token names this one holding. The holder has a lock on the file called after it.
	Token  string `json:"token"`
	Holder string `json:"holder"`
	// Boot is the holder's kernel since its start, which alone can tell of its lock; ""
	// where there is no name for that.
	Boot     string        `json:"boot,omitempty"`
	Until    time.Time     `json:"until"`
	TTL      time.Duration `json:"ttl_ns"`
	Released bool          `json:"released,omitempty"`
}

// sighting is when a lease's file was first seen as it is, by our own clock.
type sighting struct {
	token string
	until time.Time
	at    time.Time
}

// readHolding returns what is known of a lease's holders, zero if it never had one. A
// damaged file counts as a lease that nobody holds, with a fence above any count.
func (d *Dir) readHolding(name string) (holding, error) {
	data, err := readRegular(d.file(dirOfLeases, name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return holding{Released: true}, nil
	}
	if err != nil {
		return holding{}, err
	}
	var h holding
	if json.Unmarshal(data, &h) != nil {
		return holding{Released: true, Fence: uint64(time.Now().UnixMilli())}, nil
	}
	return h, nil
}

// holds tells whether the lease is still its holder's. The time that the file names is
// believed, and also what our own clock says of how long nothing was heard: one clock
// alone may be set back by a year.
func (d *Dir) holds(name string, h holding, now time.Time) bool {
	if h.Released || now.After(h.Until) || d.holderDied(h) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.seen[name]
	if s.token != h.Token || !s.until.Equal(h.Until) {
		s = sighting{token: h.Token, until: h.Until, at: now}
		d.seen[name] = s
	}
	return now.Sub(s.at) <= h.TTL
}

// holderDied is true when the holder's process has surely ended: it ran on this kernel,
// and its lock is gone.
func (d *Dir) holderDied(h holding) bool {
	if h.Boot == "" || h.Boot != bootID() {
		return false
	}
	f, err := os.OpenFile(d.lockOf(h.Token), os.O_RDWR, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer func() { _ = f.Close() }() // unlocks it again
	return flock(f, syscall.LOCK_SH|syscall.LOCK_NB) == nil
}

// lockOf is the file that a living holder has locked. No name begins with a dot.
func (d *Dir) lockOf(token string) string {
	return filepath.Join(d.root, dirOfLeases, ".held-"+filepath.Base(token))
}

// take makes the caller the holder. The lock of all leases is held.
func (d *Dir) take(name, holder string, ttl time.Duration, before holding) (*dirLease, error) {
	l := &dirLease{d: d, name: name, h: holding{
		Fence: before.Fence + 1, Token: rand.Text(), Holder: holder, Boot: bootID(), TTL: ttl,
	}}
	held, err := tryLock(d.lockOf(l.h.Token), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	l.held = held
	if err := l.write(time.Now().Add(ttl)); err != nil {
		return nil, errors.Join(err, l.unlock())
	}
	if before.Token != "" {
		_ = os.Remove(d.lockOf(before.Token)) // it means nothing any more; a stuck holder may have it open
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, name)
	d.mine[name] = l
	return l, nil
}

// checkFence is called with the lock of all leases.
func (d *Dir) checkFence(under Lease) error {
	l, ok := under.(*dirLease)
	if !ok || l.d.root != d.root {
		return errForeign
	}
	now, err := d.readHolding(l.name)
	if err != nil {
		return d.fault(l.name, err)
	}
	if now.Token != l.h.Token {
		return fmt.Errorf("%s: %w", l.name, ErrLost)
	}
	return nil
}

// dirLease is used by one goroutine at a time, but for the fence.
type dirLease struct {
	d    *Dir
	name string
	h    holding // as it was taken
	held *os.File
}

func (l *dirLease) Fence() uint64 { return l.h.Fence }
func (l *dirLease) Name() string  { return l.name }

// Renew implements Lease.
func (l *dirLease) Renew(ctx context.Context) error {
	return l.update(ctx, func() error { return l.write(time.Now().Add(l.h.TTL)) })
}

// Release implements Lease. Even when it cannot be written, other processes of this host
// know.
func (l *dirLease) Release(ctx context.Context) error {
	err := l.update(ctx, func() error {
		gone := l.h
		gone.Released = true
		return l.d.writeHolding(l.name, gone)
	})
	return errors.Join(err, l.unlock())
}

func (l *dirLease) update(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	release, err := l.d.lock(ctx, leasesLock, syscall.LOCK_EX)
	if err != nil {
		return l.d.fault(l.name, err)
	}
	defer release()
	now, err := l.d.readHolding(l.name)
	if err == nil && (now.Token != l.h.Token || now.Released) {
		return fmt.Errorf("%s: %w", l.name, ErrLost)
	}
	if err == nil {
		err = do()
	}
	if err != nil {
		return l.d.fault(l.name, err)
	}
	return nil
}

func (l *dirLease) write(until time.Time) error {
	h := l.h
	h.Until = until.Round(0).UTC()
	return l.d.writeHolding(l.name, h)
}

// unlock gives up the mark of a living holder.
func (l *dirLease) unlock() error {
	if l.held == nil {
		return nil
	}
	err := errors.Join(os.Remove(l.held.Name()), l.held.Close())
	l.held = nil
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if l.d.mine[l.name] == l {
		delete(l.d.mine, l.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // whoever took over has removed it
	}
	return err
}

func (d *Dir) writeHolding(name string, h holding) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return writeWhole(d.root, d.file(dirOfLeases, name), append(data, '\n'))
}

// bootID names this kernel since its start, for all containers on it.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
