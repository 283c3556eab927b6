package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/demo"
	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/session"
)

// run makes a server of the demo site, whose directories are listed unless that is turned off.
func (*demoCmd) run(c *call) outcome {
	s, r := c.read()
	if v := r.get("root"); v.from != "" {
		r.refuse("root", strings.Join(v.texts, " "), v.from, &flaw{What: "is not served by the demo", Why: "it has a site of its own", Mend: "leave it out, or use holdfast serve"})
	}
	if len(s.Sites) > 0 {
		r.faults = append(r.faults, fault{What: "the demo serves no sites", Where: s.Sites[0].From, Why: "it has one of its own", Mend: "use holdfast serve, or another --config", Usage: true})
	}
	if s.Accounts != nil {
		r.faults = append(r.faults, fault{What: "the demo has members of its own", Where: s.Accounts.From, Why: "they are forgotten with it", Mend: "use holdfast serve, or another --config", Usage: true})
	}
	if len(r.faults) > 0 {
		return outcome{exit: report(c.std.err, append(r.faults, alsoWrong(s)...))}
	}
	s.Demo, s.Accounts = true, demoAccounts()
	s.Pages.Browse = s.Pages.Browse || !r.written("browse")
	return outcome{serve: s}
}

// demoAccounts let everybody in who has thought of a name, often enough to see the quota and
// seldom enough to reach it. Members are forgotten with the process.
func demoAccounts() *accountSettings {
	return &accountSettings{
		From: "the demo", Protect: []string{"/members/**"}, SignUp: account.SignUpOpen, Quota: account.Quota{N: 60, Window: time.Minute},
		IdleTimeout: session.DefaultIdleTimeout, Lifetime: session.DefaultLifetime, CookieName: session.DefaultCookieName,
		Prefix: account.DefaultPrefix, Home: "/members/", Name: "Holdfast",
	}
}

// unpackDemo puts the demo site into a directory of its own, which close removes.
func (h *house) unpackDemo() (dir string, f *fault) {
	sweepDemos(os.TempDir(), time.Now())
	dir, err := os.MkdirTemp("", demoPrefix)
	if err == nil {
		h.scratch = dir
		h.scratchLock, err = lockDirectory(dir)
	}
	if err == nil {
		err = demo.Unpack(dir)
	}
	if err != nil {
		return "", &fault{What: "cannot unpack the demo site", Why: reason(err), Mend: "let TMPDIR name a directory that can be written to"}
	}
	return dir, nil
}

// demoPrefix begins the names of directories with the demo's files.
const demoPrefix = "holdfast-demo-"

// demoYouth is how long a directory is left alone that nobody has locked yet.
const demoYouth = time.Minute

// lockDirectory holds a directory for as long as the file is open, which ends with the process
// however it ends.
func lockDirectory(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return dir, nil
}

// sweepDemos removes what demos left behind that were killed: directories of this user, and no
// links to any, that nobody holds. It does what it can.
func sweepDemos(temporary string, now time.Time) {
	paths, _ := filepath.Glob(filepath.Join(temporary, demoPrefix+"*"))
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < demoYouth {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
			continue
		}
		if held, err := lockDirectory(path); err == nil {
			_ = os.RemoveAll(path)
			_ = held.Close()
		}
	}
}
