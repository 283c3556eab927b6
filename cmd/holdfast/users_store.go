package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/session"
	"github.com/holdfast-server/holdfast/http1/session/sqlitestore"
)

// membersPlace is where a server with these settings keeps its members.
type membersPlace struct {
	file   string        // on this machine; "" where replicas share a Redis
	quota  account.Quota // of members without one of their own
	signUp string        // the path of the page, "" where it is not known
	open   func() (session.Store, error)
}

// membersPlace reads where the members are. Nothing is opened yet.
func (c *call) membersPlace() (membersPlace, []fault) {
	values, _, faults := c.layers()
	r := &reader{values: values, faults: append(c.faults, faults...)}
	dir, why := r.stateDir(c.env)
	if why != "" {
		r.faults = append(r.faults, fault{What: why})
	}
	path := filepath.Join(dir, "members", "members.db")
	return membersPlace{file: path, signUp: "/-/sign-up", open: func() (session.Store, error) {
		return sqlitestore.Open(path, sqlitestore.Options{})
	}}, r.faults
}

// check tells what would go wrong with a store in a file that is not there yet: it would come
// to be in a place where no server looks, or belong to somebody whom the server is not.
func (p membersPlace) check(makes bool) *fault {
	if p.file == "" {
		return nil
	}
	_, err := os.Stat(p.file)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return nil // opening it will tell
	case !makes:
		return &fault{What: "there is no store of members", Where: plain(p.file), Why: "no member was ever made here",
			Mend: "name the server's directory with --state or its file with --config, or make a member with holdfast users add"}
	}
	above := filepath.Dir(p.file)
	for {
		info, err := os.Stat(above)
		if err == nil {
			return strangersFault(above, info)
		}
		if next := filepath.Dir(above); next != above && errors.Is(err, fs.ErrNotExist) {
			above = next
			continue
		}
		return nil
	}
}

// strangersFault is that root would make a store in another user's directory, which that user's
// server then could not open.
func strangersFault(dir string, info os.FileInfo) *fault {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || owner.Uid == 0 {
		return nil
	}
	return &fault{What: "there is no store of members yet, and one that root makes is closed to the server", Where: plain(dir),
		Why: fmt.Sprintf("the directory belongs to the user %d", owner.Uid), Mend: fmt.Sprintf("run this as that user: sudo -u '#%d' holdfast users …", owner.Uid)}
}
