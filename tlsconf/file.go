package tlsconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// readRegular reads a regular file of at most limitBytes, and tells its permissions. A named
// pipe is refused rather than waited for. what is how an error calls the file.
func readRegular(what, path string, limitBytes int64) (content []byte, mode fs.FileMode, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, readFault(what, path, err)
	}
	defer func() { _ = f.Close() }() // read only: nothing to lose
	info, err := f.Stat()
	if err != nil {
		return nil, 0, readFault(what, path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s %s is no regular file: check the path", what, path)
	}
	content, err = io.ReadAll(io.LimitReader(f, limitBytes+1))
	if err != nil {
		return nil, 0, readFault(what, path, err)
	}
	if int64(len(content)) > limitBytes {
		return nil, 0, fmt.Errorf("%s %s is larger than %d bytes: check the path", what, path, limitBytes)
	}
	return content, info.Mode().Perm(), nil
}

func readFault(what, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s: %w: check the path", what, path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s %s: %w: let the user that runs holdfast read it", what, path, fs.ErrPermission)
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path is named already
	}
	return fmt.Errorf("%s %s cannot be read (%w): check the path", what, path, err)
}
