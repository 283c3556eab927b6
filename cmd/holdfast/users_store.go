package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/session"
)

// membersPlace is where a server with these settings keeps its members.
type membersPlace struct {
	store    memberStore
	accounts *accountSettings // nil where the file has none, or there is no file
}

// membersPlace reads where the members are. Nothing is opened yet.
func (c *call) membersPlace() (membersPlace, []fault) {
	values, _, faults := c.layers()
	r := &reader{values: values, faults: append(c.faults, faults...)}
	dir, why := r.stateDir(c.env)
	if a := r.accounts(c.env, dir, why); a != nil {
		return membersPlace{store: a.Store, accounts: a}, r.faults
	}
	usual := cmp.Or(c.env.get(variable(accountStoreVariable)), "sqlite")
	store, f := parseMemberStore(usual, dir, why)
	if f != nil {
		r.faults = append(r.faults, fault{What: "the store of members " + f.What, Why: f.Why, Mend: f.Mend, Usage: true})
	}
	return membersPlace{store: store}, r.faults
}

// signUp is the path of the page for new members; "" where there is none.
func (p membersPlace) signUp() string {
	if p.accounts == nil {
		return account.DefaultPrefix + "sign-up"
	}
	if p.accounts.SignUp == account.SignUpClosed {
		return ""
	}
	return p.accounts.Prefix + "sign-up"
}

// inviteNote is why an invite's code does nothing as the file is; "" where it does, or no file was read.
func (p membersPlace) inviteNote() string {
	const until = `the code is of use once the file says sign-up = "invite".`
	switch {
	case p.accounts == nil || p.accounts.SignUp == account.SignUpInvite:
		return ""
	case p.accounts.SignUp == account.SignUpOpen:
		return "Sign-up is open, and nobody needs a code: " + until
	}
	return "Sign-up is closed: " + until
}

// quota is that of members without one of their own.
func (p membersPlace) quota() account.Quota {
	if p.accounts == nil {
		return account.Quota{}
	}
	return p.accounts.Quota
}

// manager knows the sessions in a store as the server does.
func (p membersPlace) manager(store session.Store) (*session.Manager, error) {
	c := session.Config{Store: store, StoreTimeout: rosterTimeout}
	if p.accounts != nil {
		c.IdleTimeout, c.Lifetime = p.accounts.IdleTimeout, p.accounts.Lifetime
	}
	return session.New(c)
}

// check tells what would go wrong with a store in a file that is not there yet: it would come
// to be in a place where no server looks, or belong to somebody whom the server is not.
func (p membersPlace) check(makes bool) *fault {
	if p.store.path == "" {
		return nil
	}
	_, err := os.Stat(p.store.path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return nil // opening it will tell
	case !makes:
		return &fault{What: "there is no store of members", Where: plain(p.store.path), Why: "no member was ever made here",
			Mend: "name the server's directory with --state or its file with --config, or make a member with holdfast users add"}
	}
	above := filepath.Dir(p.store.path)
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
