package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A lasting says how long what a file system holds will last.
type lasting uint8

const (
	lasts   lasting = iota // over a restart of the machine, as far as it shows
	memory                 // until the machine is restarted
	overlay                // until the container is removed, where it is one
)

// examineStore looks whether certificates could be kept, and for how long.
func (d *Doctor) examineStore() []Finding {
	c := chart{check: "store"}
	if d.StoreDir == "" {
		c.note("", "the store is no directory, and was not looked at")
		return c.findings
	}
	dir, err := nearestDirectory(d.StoreDir)
	if err == nil {
		err = tryWrite(dir, dir == filepath.Clean(d.StoreDir))
	}
	if err != nil {
		c.fault("give it to the user that runs holdfast, or name another with --state", "%s cannot be written: %v", d.StoreDir, bare(err))
		return c.findings
	}
	const everyStart = "each start would order anew, until the CA's limits are reached"
	switch kind, name := lastingOf(dir); kind {
	case memory:
		c.fault("name a directory on a disk with --state", "%s is on %s, in memory: %s", d.StoreDir, name, everyStart)
	case overlay:
		c.warning("mount a volume there, if this is a container", "%s is on %s, which goes with its container: %s", d.StoreDir, name, everyStart)
	default:
		c.ok("%s can be written, and lasts", d.StoreDir)
	}
	return c.findings
}

// Vanishes tells whether what is written to dir, which need not be there yet, may go with a restart
// of the machine or with its container, and on what kind of file system that is.
func Vanishes(dir string) (on string, yes bool) {
	dir, err := nearestDirectory(dir)
	if err != nil {
		return "", false // whoever writes there will hear what is wrong
	}
	kind, name := lastingOf(dir)
	return name, kind != lasts
}

// nearestDirectory is the directory itself, or the one above it in which it would be made.
func nearestDirectory(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	for err == nil {
		var info fs.FileInfo
		info, err = os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return dir, errors.New("it is a file")
		case err == nil || !errors.Is(err, fs.ErrNotExist):
			return dir, err
		}
		dir, err = filepath.Dir(dir), nil
	}
	return dir, err
}

// tryWrite writes a file for real and removes it, since mode bits know nothing of read-only
// mounts, full disks and security modules. In a directory that is not the store's own yet
// it makes a directory instead, as the server would.
func tryWrite(dir string, own bool) error {
	const pattern = ".holdfast-doctor-*"
	if !own {
		made, err := os.MkdirTemp(dir, pattern)
		if err != nil {
			return err
		}
		return os.Remove(made)
	}
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096)) // a full disk takes the name and not the block
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// bare is an error without the path that the sentence has already.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
