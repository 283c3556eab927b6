package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

const (
	dirOfValues = "values"
	dirOfLeases = "leases"
	dirOfAside  = "aside"
	// below marks a directory, so that "a" and "a/b" can both be names: it is in no name.
	below = "+"
)

// Dir is a Store in a directory, a file for each name. Several processes of one host may
// use it at the same time; values are replaced by a rename, so that after a crash at any
// moment a name has its old value or its new one.
//
// A lease ends at once when its holder's process does, which the kernel tells by the
// lock that it held (flock(2)), or when its time to live has passed. On a file system that
// hosts share (NFS), a dead holder is noticed by the time alone, which needs clocks that
// agree to well within it; and where locks are not passed on to the server
// (nolock, local_lock), two hosts may hold one lease. Share a Redis or a Secret there.
//
// A call into a disk that does not answer cannot be ended: it outlives its context.
type Dir struct {
	root string

	mu   sync.Mutex
	seen map[string]sighting // leases of others, by name
	// mine are the leases taken here, by name. A lease that its holder has dropped must not
	// be collected, for that would drop its lock too.
	mine map[string]*dirLease
}

// OpenDir uses the directory at path, and makes it with mode 0700 where it is missing. It
// is subject to what certs.OpenState asks of a directory. One that holds values and
// cannot be written any more, full or read-only, is opened all the same: what is there can be read,
// and each write says what is in its way.
func OpenDir(path string) (*Dir, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store directory %s: %w", path, err)
	}
	d := &Dir{root: root, seen: make(map[string]sighting), mine: make(map[string]*dirLease)}
	if _, err := certs.OpenState(root); err != nil {
		if d.readable() {
			return d, nil
		}
		return nil, err
	}
	for _, name := range []string{dirOfValues, dirOfLeases, dirOfAside} {
		if err := makeDirs(d.root, name); err != nil && !d.readable() {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
	}
	if err := d.sweep(); err != nil && !d.readable() {
		return nil, fmt.Errorf("%s: %w", d, err)
	}
	return d, nil
}

// readable tells of a store that is there and closed to others.
func (d *Dir) readable() bool {
	info, err := os.Stat(d.root)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		return false
	}
	values, err := os.Stat(filepath.Join(d.root, dirOfValues))
	return err == nil && values.IsDir()
}

// String implements Store.
func (d *Dir) String() string { return "dir:" + d.root }

// Path returns the directory's absolute path.
func (d *Dir) Path() string { return d.root }

// fault says in which store and with what something failed. The path is in the error.
func (d *Dir) fault(name string, err error) error {
	return fmt.Errorf("%s: %s: %w", d, name, err)
}

// file is where name is kept below one of the directories: "cert/a.org" in "cert+/a.org".
func (d *Dir) file(kind, name string) string {
	return filepath.Join(d.root, kind, strings.ReplaceAll(name, "/", below+"/"))
}

// Get implements Store.
func (d *Dir) Get(ctx context.Context, name string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), CheckName(name)); err != nil {
		return nil, err
	}
	value, err := readRegular(d.file(dirOfValues, name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		// A volume that is not mounted has no values either, and says nothing about them.
		if _, gone := os.Stat(filepath.Join(d.root, dirOfValues)); gone == nil {
			return nil, missing(name)
		}
		return nil, fmt.Errorf("%s: %s: the directory is gone", d, name)
	}
	if err != nil {
		return nil, d.fault(name, err)
	}
	return value, nil
}

// readRegular reads no more than a value can be.
func readRegular(path string) ([]byte, error) { return certs.ReadRegular(path, MaxValueBytes) }

// Put implements Store.
func (d *Dir) Put(ctx context.Context, name string, value []byte, under Lease) error {
	if err := CheckValue(name, value); err != nil {
		return err
	}
	return d.change(ctx, name, under, func() error {
		return writeWhole(d.root, d.file(dirOfValues, name), value)
	})
}

// Delete implements Store.
func (d *Dir) Delete(ctx context.Context, name string, under Lease) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return d.change(ctx, name, under, func() error {
		path := d.file(dirOfValues, name)
		if err := os.Remove(path); err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				return nil
			}
			return err
		}
		return syncDir(filepath.Dir(path))
	})
}

// change does something to the values, under the fence of a lease if there is one.
func (d *Dir) change(ctx context.Context, name string, under Lease, do func() error) error {
	// Shared: writers exclude only the sweep, and whoever puts a value aside.
	release, err := d.lock(ctx, writersLock, syscall.LOCK_SH)
	if err != nil {
		return d.fault(name, err)
	}
	defer release()
	if under != nil {
		// Shared too: what it excludes until the write is done is a new holder.
		release, err := d.lock(ctx, leasesLock, syscall.LOCK_SH)
		if err != nil {
			return d.fault(name, err)
		}
		defer release()
		if err := d.checkFence(under); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return d.fault(name, err)
	}
	return nil
}

// List implements Store.
func (d *Dir) List(ctx context.Context, prefix string) (names []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root := filepath.Join(d.root, dirOfValues)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it went while we looked
		case err != nil:
			return err
		case !entry.Type().IsRegular():
			return ctx.Err()
		}
		name := strings.ReplaceAll(strings.TrimPrefix(path, root+"/"), below+"/", "/")
		if CheckName(name) == nil && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, d.fault(prefix, err)
	}
	slices.Sort(names)
	return names, nil
}

// Acquire implements Store.
func (d *Dir) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Lease, error) {
	if err := errors.Join(ctx.Err(), CheckName(name)); err != nil {
		return nil, err
	}
	release, err := d.lock(ctx, leasesLock, syscall.LOCK_EX)
	if err != nil {
		return nil, d.fault(name, err)
	}
	defer release()
	before, err := d.readHolding(name)
	if err != nil {
		return nil, d.fault(name, err)
	}
	if d.holds(name, before, time.Now()) {
		return nil, fmt.Errorf("%s: %w: %s", name, ErrHeld, before.Holder)
	}
	lease, err := d.take(name, holder, ttl, before)
	if err != nil {
		return nil, d.fault(name, err)
	}
	return lease, nil
}
