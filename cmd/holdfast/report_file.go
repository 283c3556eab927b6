package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// reportPatience is how long the end of the process waits for the disk that takes the
// report: one that hangs must not hold up the exit.
const reportPatience = 500 * time.Millisecond

// writeFile writes the report to a file, whole or not at all.
func (r *drainReport) writeFile(path string) error {
	text, err := json.MarshalIndent(r.json(), "", "  ")
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- replaceFile(path, append(text, '\n')) }()
	select {
	case err := <-written:
		return err
	case <-time.After(reportPatience):
		return errors.New("the disk takes too long") // the writer is left behind: the process ends
	}
}

// replaceFile puts content in the place of the file at path, readable for its owner alone.
// Whoever reads meanwhile gets the old one or the new one, whole.
func replaceFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}

// checkReportPath looks, at the start, for what would make the report fail at the end, when
// nobody can mend it any more. The directory is not written to.
func checkReportPath(path string) *fault {
	f := &fault{What: "cannot write the drain report to " + quote(path)}
	info, err := os.Stat(filepath.Dir(path))
	switch {
	case err != nil:
		f.Why, f.Mend = fmt.Sprintf("its directory: %s", reason(err)), "make the directory, or name another"
		return f
	case !info.IsDir():
		f.Why, f.Mend = "its directory is a file", "name a file in a directory"
		return f
	}
	if info, err = os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		f.Why, f.Mend = "there is something that is no file", "name a file, which is replaced"
		return f
	}
	return nil
}
