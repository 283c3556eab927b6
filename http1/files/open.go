package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// openFlags keep an open from waiting for the writer of a FIFO, and a terminal in the
// root from becoming ours.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// Why a name is not served.
var (
	errDirectory = errors.New("files: a directory")
	errIrregular = errors.New("files: neither a regular file nor a directory")
	errOutside   = errors.New("files: a link is absolute or leads out of the root")
	errChanged   = errors.New("files: the file changed while it was read")
	errGone      = errors.New("files: nobody waits for the answer")
)

// An opener finds files by slash-separated names below its root.
type opener interface {
	// open returns a regular file, which the caller closes, or an error: one of those
	// above, or what the disk said.
	open(name string) (*file, error)
}

// content is an open file: an *os.File, so that sendfile can take it, except in tests.
type content interface {
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Closer
	Stat() (fs.FileInfo, error)
}

// A file is a regular file and what its descriptor said of it when it was opened: with that
// descriptor, or in memory and without.
type file struct {
	content // nil in memory
	stamp

	memory []byte // all of it, never written to; nil on the disk
	kept
}

// Close closes the descriptor, where there is one.
func (f *file) Close() error {
	if f.content == nil {
		return nil
	}
	return f.content.Close()
}

// whole is the file in memory. It fails with errChanged unless all is of one state.
func (f *file) whole() (*file, error) {
	b := make([]byte, f.size)
	n, err := f.ReadAt(b, 0)
	if n < len(b) && err != nil && err != io.EOF {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if n < len(b) || !f.stamp.same(stampOf(info)) {
		return nil, errChanged
	}
	return &file{stamp: f.stamp, memory: b}, nil
}

// tree opens the files below a root.
type tree struct{ root *os.Root }

func (t tree) open(name string) (*file, error) {
	f, err := t.root.OpenFile(name, openFlags, 0)
	if err != nil {
		return nil, t.explain(err)
	}
	opened, err := regular(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return opened, nil
}

// regular describes f by its descriptor, since the name may lead elsewhere by now.
func regular(f content) (*file, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errDirectory
	case !info.Mode().IsRegular():
		return nil, errIrregular
	}
	return &file{content: f, stamp: stampOf(info)}, nil
}

// explain tells a link out of the root from what the disk says.
func (t tree) explain(err error) error {
	if !errors.Is(err, os.ErrClosed) && cause(err) == t.escape() {
		return errOutside
	}
	return err
}

// escape is the error, unnamed in package os, of a path that leaves the root. Asking for
// the root's parent yields it without touching the disk.
func (t tree) escape() error {
	_, err := t.root.Lstat("..")
	return cause(err)
}

// cause is what a path error wraps.
func cause(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// statusOf is the status that answers an error of opening or reading. Which names exist
// outside, or as something else than files, is nobody's business: 404 for all of those.
func statusOf(err error) int {
	for _, row := range statuses {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	return 500
}

var statuses = []struct {
	err    error
	status int
}{
	{fs.ErrNotExist, 404},
	{errDirectory, 404},
	{errIrregular, 404},
	{errOutside, 404},
	{syscall.ENOTDIR, 404},
	{syscall.ELOOP, 404},
	{syscall.ENAMETOOLONG, 404},
	{syscall.EINVAL, 404}, // a name that the filesystem cannot hold
	{syscall.ENXIO, 404},  // a socket, or a device that is not there
	{syscall.ENODEV, 404},
	{fs.ErrPermission, 403},
	{errChanged, 503},
	{errGone, 503},
	{errBusy, 503},
	{errUnacceptable, 406},
	{syscall.EMFILE, 503},
	{syscall.ENFILE, 503},
	{syscall.ENOMEM, 503},
	{syscall.EAGAIN, 503}, // a lease on the file is being broken
}
