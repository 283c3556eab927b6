package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A pidFile is a file that has the number of the process that serves. Nil is none.
type pidFile struct{ path, content string }

// pidFileBytes is more than a number needs.
const pidFileBytes = 32

// preparePIDFile makes sure that the file can be written, so that what is in the way is a
// fault of the start. A path of "" is none.
func preparePIDFile(path string) (*pidFile, *fault) {
	if path == "" {
		return nil, nil
	}
	f := &fault{What: "cannot write the pid file " + quote(path), Where: "--pid-file"}
	if why := notPIDFile(path); why != "" {
		f.Why, f.Mend = why, "choose another path"
		return nil, f
	}
	p := &pidFile{path: path, content: strconv.Itoa(os.Getpid()) + "\n"}
	temporary, err := p.write()
	if err != nil {
		f.Why, f.Mend = reason(err), "make its directory, and let the user that runs holdfast write there"
		return nil, f
	}
	_ = os.Remove(temporary)
	return p, nil
}

// write writes the content to a new file beside the path.
func (p *pidFile) write() (temporary string, err error) {
	file, err := os.CreateTemp(filepath.Dir(p.path), "."+filepath.Base(p.path)+".*")
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(p.content)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		_ = os.Remove(file.Name())
	}
	return file.Name(), err
}

// notPIDFile says what keeps a file from being replaced: it is none that we could have
// written.
func notPIDFile(path string) (why string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return reason(err)
	case !info.Mode().IsRegular():
		return "there is something else than a file"
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return reason(err)
	}
	text := strings.TrimSpace(string(content))
	if _, err := strconv.ParseUint(text, 10, 32); text != "" && (err != nil || len(content) > pidFileBytes) {
		return "what is there is no process number, and is left as it is"
	}
	return ""
}

// publish names this process as the one that serves, in place of any other, in one step.
func (p *pidFile) publish() error {
	if p == nil {
		return nil
	}
	temporary, err := p.write()
	if err != nil {
		return err
	}
	unlock := p.lock()
	defer unlock()
	if err := os.Rename(temporary, p.path); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return nil
}

// remove removes the file, unless it names another process by now.
func (p *pidFile) remove() {
	if p == nil {
		return
	}
	unlock := p.lock()
	defer unlock()
	if content, err := os.ReadFile(p.path); err == nil && string(content) == p.content {
		_ = os.Remove(p.path)
	}
}

// How long another process may hold the lock, between looks: it renames a file, or reads and
// removes one. A stranger who holds it for ever must not keep us from stopping.
const (
	pidLockPatience = 250 * time.Millisecond
	pidLockPause    = time.Millisecond
)

// lock keeps other processes from replacing the file between our look at it and its removal.
// What is locked is its directory, so that no second file stays behind. A file system that has
// no locks is used without.
func (p *pidFile) lock() (unlock func()) {
	dir, err := os.Open(filepath.Dir(p.path))
	if err != nil {
		return func() {}
	}
	for begun := time.Now(); ; time.Sleep(pidLockPause) {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Since(begun) > pidLockPatience {
			return func() { _ = dir.Close() } // and the lock ends
		}
	}
}
