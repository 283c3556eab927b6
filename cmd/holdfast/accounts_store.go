package main

import (
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/holdfast-server/holdfast/http1/session"
	"github.com/holdfast-server/holdfast/http1/session/redisstore"
	"github.com/holdfast-server/holdfast/http1/session/sqlitestore"
)

// memberStore is where members and their sessions are kept, as [accounts] says it. Its text is
// a secret: a Redis URL may have a password in it.
type memberStore struct {
	path    string // of the SQLite file; "" where a Redis keeps them
	address string // the Redis URL; "" for SQLite
	// inClear tells that hashes and sessions go over a network as they are.
	inClear bool
}

// memberStoreMend is what store can be.
const memberStoreMend = `write store = "sqlite", "sqlite:PATH", "redis://USER:PASSWORD@HOST:6379/0" or, for TLS, "rediss://…"`

// sqliteBelow is the store of a state directory: the usual one.
func sqliteBelow(stateDir string) memberStore {
	return memberStore{path: filepath.Join(stateDir, "members", "members.db")}
}

// parseMemberStore reads store. Nothing is opened yet. No flaw repeats what was written.
func parseMemberStore(text, stateDir, stateWhy string) (memberStore, *flaw) {
	kind, rest, named := strings.Cut(text, ":")
	switch {
	case text == "sqlite" && stateDir == "":
		return memberStore{}, &flaw{What: "has no directory to be in", Why: stateWhy, Mend: `name one with --state, or write store = "sqlite:PATH"`}
	case text == "sqlite":
		return sqliteBelow(stateDir), nil
	case kind == "sqlite" && named && rest != "":
		return memberStore{path: rest}, nil
	case kind != "redis" && kind != "rediss":
		return memberStore{}, &flaw{What: "is none that there is", Mend: memberStoreMend}
	}
	probe, err := redisstore.Open(text, redisstore.Options{}) // which dials nothing before it is asked
	if err != nil {
		return memberStore{}, &flaw{What: "cannot be used", Why: plain(err.Error())} // which says what to write
	}
	_ = probe.Close()
	u, err := url.Parse(text)
	clear := kind == "redis" && err == nil && !onLoopback(net.JoinHostPort(u.Hostname(), "0"))
	return memberStore{address: text, inClear: clear}, nil
}

// inMemory is the demo's store, which ends with the process: it has neither file nor address.
func (m memberStore) inMemory() bool { return m == memberStore{} }

// open opens the store. A Redis that is away is no fault: it is one that comes later.
func (m memberStore) open(log *slog.Logger) (session.Store, *fault) {
	var opened session.Store
	var err error
	if m.inMemory() {
		return session.NewMemory(), nil
	}
	if m.address != "" {
		opened, err = redisstore.Open(m.address, redisstore.Options{Log: log})
	} else {
		opened, err = sqlitestore.Open(m.path, sqlitestore.Options{})
	}
	if err != nil {
		return nil, &fault{What: "cannot open the store of the members", Where: "[accounts]", Why: plain(err.Error()), Mend: m.mend()}
	}
	return opened, nil
}

func (m memberStore) mend() string {
	if m.address != "" {
		return memberStoreMend
	}
	return "let the user that runs holdfast write to " + plain(filepath.Dir(m.path)) + `, or name another place with --state or store = "sqlite:PATH"`
}

// memberStore is the store that serve would have with the call's --state and --config, and what
// [accounts] says besides, nil without the table.
func (c *call) memberStore() (memberStore, *accountSettings, []fault) {
	values, _, faults := c.layers()
	r := &reader{values: values, faults: append(c.faults, faults...)}
	dir, why := r.stateDir(c.env)
	a := r.accounts(c.env, dir, why)
	switch {
	case a != nil:
		return a.Store, a, r.faults
	case why != "":
		return memberStore{}, nil, append(r.faults, fault{What: "no directory to keep members in", Where: "--state", Why: why, Mend: "name one with --state"})
	}
	return sqliteBelow(dir), nil, r.faults
}

// String is the store for people, without a password.
func (m memberStore) String() string {
	if m.address == "" {
		return "sqlite:" + m.path
	}
	opened, err := redisstore.Open(m.address, redisstore.Options{}) // which dials nothing before it is asked
	if err != nil {
		return "redis"
	}
	defer opened.Close()
	return opened.String()
}
