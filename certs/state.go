package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// lockName is both the lock of the directory's temporary files and the mark that
	// the directory was taken over by us, which allows us to change its mode later.
	lockName = ".holdfast.lock"

	tempPattern = ".holdfast-*.tmp"

	othersAny   fs.FileMode = 0o077
	othersWrite fs.FileMode = 0o022
)

// State is a directory that keeps keys and certificates over restarts. Its mode is
// 0700. Several processes may use one directory at the same time.
type State struct {
	dir string
}

// DefaultStateDir names the directory to use when none was asked for: the first of
// systemd's $STATE_DIRECTORY, then $XDG_STATE_HOME/holdfast, then
// ~/.local/state/holdfast. A relative $XDG_STATE_HOME is ignored, as the XDG base
// directory specification demands. It creates nothing.
func DefaultStateDir(getenv func(string) string) (string, error) {
	first, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":")
	if first != "" {
		return first, nil
	}
	if base := getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "holdfast"), nil
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "holdfast"), nil
	}
	return "", errors.New("no state directory: STATE_DIRECTORY, XDG_STATE_HOME and HOME are all unset: name one with --state")
}

// OpenState makes dir and its missing parents with mode 0700, or takes an existing
// one, and proves by a write that files can be kept there. Temporary files that a
// crash left behind are removed.
//
// A directory that other users may look into is closed to them when it is empty or
// was ours before (systemd hands out 0755). Any other is an error that says how to
// mend it: a mistaken --state /etc must not become a chmod of /etc. One that others
// may write to is taken only when empty, since they may have put a CA of theirs there.
func OpenState(dir string) (*State, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("state directory %s cannot be made (%w): name another with --state", abs, bare(err))
	}
	if err := closeToOthers(abs); err != nil {
		return nil, err
	}
	s := &State{dir: abs}
	if err := s.probe(); err != nil {
		return nil, fmt.Errorf("state directory %s cannot be written (%w): give it to the user that runs holdfast, or name another with --state", abs, bare(err))
	}
	return s, nil
}

// Dir returns the directory's absolute path.
func (s *State) Dir() string { return s.dir }

// CAPath returns where the local CA's certificate is kept, for clients to trust. The
// file exists once LoadOrCreateCA has succeeded.
func (s *State) CAPath() string { return filepath.Join(s.dir, caCertName) }

// ReadFile returns the content of the file called name. A missing one is fs.ErrNotExist.
func (s *State) ReadFile(name string) ([]byte, error) {
	if err := checkFileName(name); err != nil {
		return nil, err
	}
	return readRegular(filepath.Join(s.dir, name))
}

// WriteFile puts data under name, replacing what was there. After a crash at any
// moment the file holds the old content or the new one, whole: the data is written to
// a temporary file beside it, synced, renamed over it, and the directory is synced.
func (s *State) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if err := checkFileName(name); err != nil {
		return err
	}
	// Shared: writers do not exclude each other, only the removal of stale files.
	release, err := s.lock(lockName, syscall.LOCK_SH)
	if err != nil {
		return err
	}
	defer release()
	temp, err := s.writeTemp(data, perm)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(s.dir, name)); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(s.dir)
}

func (s *State) writeTemp(data []byte, perm fs.FileMode) (name string, err error) {
	f, err := os.CreateTemp(s.dir, tempPattern) // 0600 until all of it is there
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// probe writes a byte for real, since mode bits know nothing of read-only mounts, full
// disks and security modules, and then clears away what crashes have left.
func (s *State) probe() error {
	release, err := s.lock(lockName, syscall.LOCK_SH)
	if err != nil {
		return err
	}
	temp, err := s.writeTemp([]byte{'\n'}, 0o600)
	if err == nil {
		err = os.Remove(temp)
	}
	release()
	if err != nil {
		return err
	}
	return s.removeStale()
}

// removeStale removes temporary files that no writer is working on. Writers hold the
// lock shared; while one does, the clearing waits for the next open.
func (s *State) removeStale() error {
	release, err := s.tryLock(lockName, syscall.LOCK_EX)
	if errors.Is(err, errLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	stale, err := filepath.Glob(filepath.Join(escapeGlob(s.dir), tempPattern))
	for _, name := range stale {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func closeToOthers(dir string) error {
	// The list comes before the mode: a process that starts beside us changes the mode
	// before it puts anything there.
	entries, listErr := os.ReadDir(dir)
	info, err := os.Stat(dir)
	if err := errors.Join(err, listErr); err != nil {
		return fmt.Errorf("state directory %s cannot be listed (%w): give it to the user that runs holdfast, or name another with --state", dir, bare(err))
	}
	mode := info.Mode().Perm()
	if mode&othersAny == 0 {
		return nil
	}
	ours := mayTakeOver(entries, mode)
	if ours {
		err = os.Chmod(dir, 0o700)
	}
	if !ours || err != nil {
		return fmt.Errorf("state directory %s is open to other users (mode %04o): chmod 700 it if it is holdfast's alone, or name one of its own: --state %s",
			dir, mode, filepath.Join(dir, "holdfast"))
	}
	return nil
}

func mayTakeOver(entries []fs.DirEntry, mode fs.FileMode) bool {
	empty, marked := true, false
	for _, e := range entries {
		marked = marked || e.Name() == lockName
		empty = empty && e.Name() == "lost+found" // a fresh ext4 volume
	}
	return empty || marked && mode&othersWrite == 0
}

// checkFileName keeps callers inside the directory and away from our own dotfiles.
func checkFileName(name string) error {
	if name == "" || name[0] == '.' || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%q cannot name a file in the state directory", name)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // some network file systems cannot sync a directory, and need not
	}
	return errors.Join(err, d.Close())
}

// bare strips the operation and path, which our own sentence already has.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
