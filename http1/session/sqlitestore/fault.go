package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"

	"modernc.org/sqlite"

	"github.com/holdfast-server/holdfast/http1/session"
)

// The result codes of SQLite that somebody can do something about (sqlite.org/rescode.html).
const (
	codeBusy     = 5
	codeReadOnly = 8
	codeIO       = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

var remedies = map[int]string{
	codeBusy:     "another process holds the store",
	codeReadOnly: "the file or its directory cannot be written: give this user write access to both",
	codeIO:       "the disk fails",
	codeCorrupt:  "the file is damaged: stop every holdfast that uses it first, remove the -wal and -shm beside it, and put a backup in its place",
	codeFull:     "the disk is full: free some space",
	codeCantOpen: "the file, or one beside it, cannot be opened: give this user write access to the directory",
	codeNotADB:   "this is no SQLite database, and is left as it is: name another place for the store, or move the file away",
}

// code is SQLite's primary result code in err, or 0.
func code(err error) int {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// fault says in which store what failed, and what to do where that is known. There are no
// values in it.
func (s *Store) fault(what string, err error) error {
	switch {
	case err == nil, errors.Is(err, session.ErrConflict), errors.Is(err, fs.ErrNotExist) && what != "open":
		return err
	case remedies[code(err)] != "":
		return fmt.Errorf("%s: %s: %s (%w)", s, what, remedies[code(err)], err)
	}
	return fmt.Errorf("%s: %s: %w", s, what, err)
}
