package sqlitestore

import (
	"errors"
	"os"
	"sync"
	"time"
)

// identityPause is the least time between two looks at the path.
const identityPause = time.Second

// errReplaced is what a store gets whose file is no longer the one at its path: what is written
// to it is seen by nobody who opens the path, and gone when the process ends.
var errReplaced = errors.New("the file was replaced or removed while it was in use: stop every holdfast that uses it and start again")

// identity knows the file that was opened.
type identity struct {
	path string
	file os.FileInfo

	mu     sync.Mutex
	looked time.Time
	err    error
}

// note takes the file at path for the one that is opened.
func (i *identity) note(path string) (err error) {
	i.path = path
	i.file, err = os.Stat(path)
	return err
}

// check tells whether the file is still at its path, by its device and inode.
func (i *identity) check(now time.Time) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now.Sub(i.looked) < identityPause {
		return i.err
	}
	i.looked, i.err = now, nil
	if found, err := os.Stat(i.path); err != nil || !os.SameFile(i.file, found) {
		i.err = errReplaced
	}
	return i.err
}
