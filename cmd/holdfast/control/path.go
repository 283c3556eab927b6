package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

const (
	// Name is the socket's in the state directory.
	Name = "control.sock"
	// directPathBytes is how long a path in the state directory may be. The kernel takes
	// 107 bytes; the rest is for whoever mounts the directory a little deeper.
	directPathBytes = 100
)

// Path is where a server with this state directory listens: in the directory itself, or, where
// that path is longer than a unix socket's can be, by a hashed name in the first runtime
// directory that is or can be made this user's alone.
func Path(stateDir string, getenv func(string) string) (string, error) {
	direct, hashed := names(stateDir)
	if hashed == "" {
		return direct, nil
	}
	dir, err := firstPrivate(runtimeDirs(os.Geteuid(), getenv))
	if err != nil {
		return "", fmt.Errorf("%s is longer than %d bytes, and no runtime directory can be used: %w", direct, directPathBytes, err)
	}
	return filepath.Join(dir, hashed), nil
}

// firstPrivate is the first of the directories that is this user's alone. One that is missing
// is made.
func firstPrivate(dirs []string) (string, error) {
	var faults []error
	for _, dir := range dirs {
		err := os.Mkdir(dir, 0o700)
		if err == nil || errors.Is(err, fs.ErrExist) {
			err = private(dir, os.Geteuid())
		}
		if err == nil {
			return dir, nil
		}
		faults = append(faults, err)
	}
	return "", errors.Join(faults...)
}

// A Place is where a client looks for a server, and whose that server has to be: its peer's
// credentials say so, and anybody else but root is not believed.
type Place struct {
	Path  string
	Owner int // uid of the state directory's owner
}

// Find is where a client looks for the server with this state directory. The server may have
// been started with another environment, so all of the places are looked at; where none has a
// socket, it is the first. A directory that is not the owner's alone, nor root's, is passed
// over, for anybody may have put a socket there; without any other the error says what is wrong
// with each.
func Find(stateDir string, getenv func(string) string) (Place, error) {
	direct, hashed := names(stateDir)
	p := Place{Path: direct, Owner: os.Geteuid()}
	if info, err := os.Stat(stateDir); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			p.Owner = int(stat.Uid) // root looks for another user's server
		}
	}
	if hashed == "" {
		return p, nil
	}
	p.Path = ""
	var faults []error
	for _, dir := range runtimeDirs(p.Owner, getenv) {
		if err := private(dir, p.Owner, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
			continue
		}
		path := filepath.Join(dir, hashed)
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			p.Path = path
			return p, nil
		}
		if p.Path == "" {
			p.Path = path
		}
	}
	if p.Path == "" {
		return p, errors.Join(faults...)
	}
	return p, nil
}

// names are the socket's path in the state directory and, where that is too long, its name
// elsewhere. Both ends work it out, whatever way the directory was named to them.
func names(stateDir string) (direct, hashed string) {
	dir, err := filepath.Abs(stateDir)
	if err != nil {
		dir = filepath.Clean(stateDir)
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	if direct = filepath.Join(dir, Name); len(direct) <= directPathBytes {
		return direct, ""
	}
	sum := sha256.Sum256([]byte(dir))
	return direct, "control-" + hex.EncodeToString(sum[:8]) + ".sock"
}

// runtimeDirs are the directories for a user's sockets, the best first.
func runtimeDirs(uid int, getenv func(string) string) (dirs []string) {
	if dir := getenv("XDG_RUNTIME_DIR"); isShort(dir) {
		dirs = append(dirs, filepath.Join(dir, "holdfast"))
	}
	temporary := "/tmp"
	if dir := getenv("TMPDIR"); isShort(dir) {
		temporary = dir
	}
	return append(dirs, "/run/holdfast", filepath.Join(temporary, "holdfast-"+strconv.Itoa(uid)))
}

// isShort tells whether a directory can be used and leaves room for a name.
func isShort(dir string) bool { return filepath.IsAbs(dir) && len(dir) <= directPathBytes/2 }

// private tells what keeps a directory from being one of these users' alone. In one that others
// may write to anybody could put a socket of his own.
func private(dir string, uids ...int) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", dir)
	case !ok || !slices.Contains(uids, int(stat.Uid)):
		return fmt.Errorf("%s is another user's", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to other users (mode %04o)", dir, info.Mode().Perm())
	}
	return nil
}
