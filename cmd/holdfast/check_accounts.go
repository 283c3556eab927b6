package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/holdfast-server/holdfast/http1/account"
)

// entriesLimit is how many files and directories are looked at for what a glob is for. A warning
// is not worth more.
const entriesLimit = 20_000

// memberObstacles are what a start with [accounts] would meet, and what keeps members out of a
// server that starts. The store is not opened: that would make it, or bring an old one up to date.
func (s *settings) memberObstacles() (warnings, faults []fault) {
	a := s.Accounts
	if a == nil {
		return nil, nil
	}
	if s.HTTPS == "" && len(s.TrustedProxies.Prefixes) == 0 && !s.TrustedProxies.Unix {
		warnings = append(warnings, fault{What: "no member can sign in", Where: a.From,
			Why: "sessions are for HTTPS alone, and nothing here speaks it", Mend: "leave out --https off, or name the proxy that does with --trusted-proxy"})
	}
	if a.Store.inClear {
		warnings = append(warnings, fault{What: "members' password hashes and sessions go to Redis in the clear", Where: a.From,
			Mend: "write rediss:// for TLS, unless the network is yours alone"})
	}
	if f := a.Store.obstacle(); f != nil {
		faults = append(faults, *f)
	}
	for _, glob := range a.Protect {
		if !s.coversSomething(glob) {
			warnings = append(warnings, fault{What: "protect " + quote(glob) + " is for no file or directory that is there", Where: a.ProtectFrom,
				Mend: "check how it is written: paths begin at the root, as /members/**"})
		}
	}
	return warnings, faults
}

// obstacle tells whether the file could be had.
func (m memberStore) obstacle() *fault {
	if m.path == "" {
		return nil // a Redis that is down at the start is one that comes later
	}
	const writeAndEnter = 3 // access(2): W_OK|X_OK
	dir, err := nearestDirectory(filepath.Dir(m.path))
	if err == nil {
		err = syscall.Access(dir, writeAndEnter)
	}
	if info, statErr := os.Stat(m.path); err == nil && statErr == nil && !info.Mode().IsRegular() {
		err = errors.New("there is something else in its place")
	}
	if err == nil {
		return nil
	}
	return &fault{What: "cannot keep members in " + quote(m.path), Where: "[accounts]", Why: plain(dir) + ": " + reason(err), Mend: m.mend()}
}

// coversSomething tells whether a glob of protect is for anything that is there. What a
// single-page application shows has no files, so that nothing can be said of it.
func (s *settings) coversSomething(glob string) bool {
	covers, left, found := account.Covering(glob), entriesLimit, false
	for i, path := range s.roots() {
		if s.pagesOf(i).SPA != "" {
			return true
		}
		root, err := os.OpenRoot(path)
		if err != nil {
			return true // which has been told
		}
		_ = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
			left--
			if name = "/" + name; name == "/." {
				name = "/"
			}
			switch {
			case covers(name), entry != nil && entry.IsDir() && covers(name+"/"):
				found = true
				return fs.SkipAll
			case left <= 0:
				return fs.SkipAll
			}
			return nil
		})
		_ = root.Close()
	}
	return found || left <= 0
}

// describeMembers prints what is for members alone.
func (s *settings) describeMembers(w io.Writer) {
	a := s.Accounts
	if a == nil {
		return
	}
	var globs []string
	for _, glob := range a.Protect {
		globs = append(globs, plain(glob))
	}
	quota := ""
	if a.Quota.N > 0 {
		quota = fmt.Sprintf(", %d requests in %v each", a.Quota.N, a.Quota.Window)
	}
	fmt.Fprintf(w, "members\t%s in %s; sign-up is %s%s\n", strings.Join(globs, ", "), plain(a.Store.String()), a.SignUp, quota)
}

// wantsMember tells whether a redirect leads to the sign-in page.
func (t *tracer) wantsMember(location string) bool {
	a := t.settings.Accounts
	return a != nil && strings.HasPrefix(location, a.Prefix+"sign-in?next=")
}
