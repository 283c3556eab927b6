package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// asideLimit is how many values are kept aside; the oldest go first.
const asideLimit = 32

// SetAside keeps a copy of a value that was found damaged, for people to look into:
// "aside/cert+/a.org+/TIME" in the directory. At most 32 are kept.
func (d *Dir) SetAside(ctx context.Context, name string, value []byte, now time.Time) error {
	if err := errors.Join(ctx.Err(), CheckValue(name, value)); err != nil {
		return err
	}
	release, err := d.lock(ctx, writersLock, syscall.LOCK_EX)
	if err != nil {
		return d.fault(name, err)
	}
	defer release()
	return d.setAside(name, value, now)
}

// MoveAside does the same to a value of this store, which is missing afterwards, unless
// it was replaced meanwhile.
func (d *Dir) MoveAside(ctx context.Context, name string, value []byte, now time.Time) error {
	if err := errors.Join(ctx.Err(), CheckName(name)); err != nil {
		return err
	}
	release, err := d.lock(ctx, writersLock, syscall.LOCK_EX)
	if err != nil {
		return d.fault(name, err)
	}
	defer release()
	path := d.file(dirOfValues, name)
	if is, err := readRegular(path); err != nil || !bytes.Equal(is, value) {
		return nil // somebody was faster
	}
	if err := d.setAside(name, value, now); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return d.fault(name, err)
	}
	return syncDir(filepath.Dir(path))
}

// setAside is called while nobody writes.
func (d *Dir) setAside(name string, value []byte, now time.Time) error {
	stamp := now.UTC().Format("20060102T150405.000000000Z")
	if err := writeWhole(d.root, d.file(dirOfAside, name+"/"+stamp), value); err != nil {
		return d.fault(name, err)
	}
	return d.trimAside()
}

func (d *Dir) trimAside() error {
	type copied struct {
		path string
		at   time.Time
	}
	var all []copied
	err := filepath.WalkDir(filepath.Join(d.root, dirOfAside), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			all = append(all, copied{path, info.ModTime()})
		}
		return err
	})
	slices.SortFunc(all, func(a, b copied) int { return b.at.Compare(a.at) })
	for _, old := range all[min(asideLimit, len(all)):] {
		err = errors.Join(err, os.Remove(old.path))
	}
	return err
}
