package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/admin"
	"github.com/holdfast-server/holdfast/http1/session"
)

// ownPages is the directory in the root that has a site's own pages for its members. It is
// never served as files.
const ownPages = "_holdfast"

const (
	// A disk that is busy syncs in half a second and more, and a sign-in that waits for it is
	// better than one that fails. A Redis that takes so long is one that is away.
	fileReadTimeout   = 250 * time.Millisecond
	fileWriteTimeout  = 3 * time.Second
	redisWriteTimeout = session.DefaultStoreTimeout

	// sessionsPatience is what the last of the times get to be written when the server ends.
	sessionsPatience = time.Second
	// storeClosePatience is what a store gets to close: a disk that hangs must not hold up an
	// end that has all in the store already.
	storeClosePatience = time.Second
	// membersLookLimit is how long a probe waits for the store.
	membersLookLimit = 100 * time.Millisecond
)

// members are a site's, as a running server has them. The zero value has none.
type members struct {
	store    session.Store
	sessions *session.Manager
	accounts *account.Accounts
}

// openMembers opens the store and what stands before the sites, where there are members.
func (h *house) openMembers(s *settings) []fault {
	if s.Accounts == nil {
		return nil
	}
	if s.Accounts.Store.inClear {
		h.log.Warn("members' password hashes and sessions go to Redis in the clear: write rediss:// for TLS, unless the network is yours alone")
	}
	store, f := s.Accounts.Store.open(h.log)
	if f != nil {
		return []fault{*f}
	}
	h.members.store = store
	return h.members.join(s.Accounts, store, h.roots[0].Name(), h.log)
}

// pagesIn are a site's own pages below its root, whatever directory that path leads to when one
// of them is opened.
type pagesIn struct{ root string }

func (p pagesIn) Open(name string) (fs.File, error) {
	root, err := os.OpenRoot(p.root)
	if err != nil {
		return nil, err
	}
	defer root.Close() // what it opened stays open
	return root.FS().Open(path.Join(ownPages, name))
}

// join makes of a store what answers for the members. The directory root, the first of several,
// has the site's own pages.
func (m *members) join(a *accountSettings, store session.Store, root string, log *slog.Logger) (faults []fault) {
	wrong := func(err error) []fault {
		for _, one := range each(err) {
			faults = append(faults, fault{What: why(one), Where: a.From,
				Mend: "mend the file in " + ownPages + " below the root, or take it away for the usual page"})
		}
		return faults
	}
	config := session.Config{Store: store, CookieName: a.CookieName, IdleTimeout: a.IdleTimeout, Lifetime: a.Lifetime, Log: log}
	if config.WriteTimeout = redisWriteTimeout; a.Store.address == "" {
		config.StoreTimeout, config.WriteTimeout = fileReadTimeout, fileWriteTimeout
	}
	var err error
	if m.sessions, err = session.New(config); err != nil {
		return wrong(err)
	}
	m.accounts, err = account.New(account.Config{Sessions: m.sessions, Prefix: a.Prefix, Protect: a.Protect, SignUp: a.SignUp, Quota: a.Quota,
		Pages: pagesIn{root}, Site: a.Name, Home: a.Home, TrustedOrigins: a.TrustedOrigins, Log: log})
	if err != nil {
		return wrong(err)
	}
	return nil
}

// each is the errors that one joins.
func each(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		all = append(all, each(one)...)
	}
	return all
}

// before puts the members' pages and the protection before each handler.
func (m *members) before(handlers []http1.Handler) []http1.Handler {
	if m.accounts == nil {
		return handlers
	}
	for i, next := range handlers {
		handlers[i] = m.sessions.Attach(m.accounts.Wrap(next))
	}
	return handlers
}

// Reload reads the site's own pages. Where one is wrong, all stay as they were.
func (m *members) Reload(context.Context) error { return m.accounts.Reload() }

// verdict says at a probe whether members can be let in. It is never a failure: the public pages
// need no store, and a balancer that takes all replicas away helps nobody.
func (m *members) verdict() admin.Verdict {
	ctx, cancel := context.WithTimeout(context.Background(), membersLookLimit)
	defer cancel()
	if _, err := m.sessions.Store().Get(ctx, "probe"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return admin.Warning("the store of the members does not answer: protected pages are 503")
	}
	return admin.OK()
}

// close closes the store, once nobody asks any more.
func (m *members) close(log *slog.Logger) {
	if m.store == nil {
		return
	}
	closed := make(chan error, 1)
	go func() { closed <- m.store.Close() }() // left behind by a disk that hangs
	select {
	case err := <-closed:
		if err != nil {
			log.Warn("the store of the members was not closed well", "store", m.store.String(), "error", err)
		}
	case <-time.After(storeClosePatience):
		log.Warn("the store of the members does not close, and is left behind", "store", m.store.String())
	}
}
