package account

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/session"
)

// Who may sign up.
const (
	SignUpOpen   = "open"   // everybody
	SignUpInvite = "invite" // who has an invite's code
	SignUpClosed = "closed" // nobody
)

// DefaultPrefix is before the pages' paths.
const DefaultPrefix = "/-/"

// Config is what [Accounts] are made of. Sessions is all they need.
type Config struct {
	// Sessions keeps who is signed in; its Store keeps the members too, with its timeouts. It
	// is attached and run by the caller: Accounts only ask session.From.
	Sessions *session.Manager
	// Prefix is before the pages' paths, DefaultPrefix if empty. It begins and ends with a
	// slash.
	Prefix string
	// Protect are globs for the paths that want a member, in the sense of files.Glob and
	// from the root on: "/members/**", "/members/" or "/members" is the directory and all
	// below it, and "/m*" is every file and every directory, with all below it, of such a name.
	// They are matched without regard to case, against every reading of a path that a
	// handler may have.
	Protect []string
	// SignUp is SignUpOpen, SignUpInvite or SignUpClosed, which an empty one is too.
	SignUp string
	// Quota is what a member without one of their own has. The zero Quota has no limit. While
	// the store cannot count, also because its disk is full, who has one gets 503.
	Quota Quota
	// Limits are how often somebody may try. The zero Limits are the usual ones.
	Limits Limits
	// Hasher hashes passwords; nil is one of the usual cost.
	Hasher *Hasher
	// Pages are the site's own pages, in place of those of the same name: sign-in.html,
	// sign-up.html, password.html, account.html, sign-out.html and message.html, each a
	// template of html/template for a [Page], and layout.html and style.css, which they
	// share. Nil for none.
	Pages fs.FS
	// Site is the site's name for people; it may be empty.
	Site string
	// Home is the path to go to after a sign-in that was not on the way to another page; the
	// member's own page if empty.
	Home string
	// TrustedOrigins may post here as the site itself does: "https://app.example.org".
	TrustedOrigins []string
	// Log gets a line for each sign-in, sign-up and change of password, and for what the
	// server's owner can mend; never one with what somebody typed. Nil discards.
	Log *slog.Logger
	// Now is the clock, time.Now if nil.
	Now func() time.Time
}

// Accounts are a site's members, on the web. They may be used from several goroutines.
type Accounts struct {
	config     Config
	protection protection
	members    *Members
	throttle   *throttle
	quotas     quotas
	look       atomic.Pointer[look]
	figures    figures
	unnamed    sync.Once // clients without an address were told of
}

// New makes Accounts. Its error tells everything that is wrong with the Config, the pages
// included.
func New(c Config) (*Accounts, error) {
	if c.Sessions == nil {
		return nil, errors.New("account: Config.Sessions is nil")
	}
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.SignUp == "" {
		c.SignUp = SignUpClosed
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Home == "" {
		c.Home = c.Prefix + "account"
	}
	store := c.Sessions.Store()
	a := &Accounts{config: c, members: NewMembers(store, c.Hasher)}
	a.members.now = c.Now
	a.throttle = newThrottle(store, c.Limits, c.Now)
	var errs [3]error
	errs[0] = c.check()
	a.protection, errs[1] = newProtection(c.Protect)
	errs[2] = a.Reload()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return a, nil
}

func (c *Config) check() error {
	var errs []error
	if p := c.Prefix; len(p) < 3 || p[0] != '/' || p[len(p)-1] != '/' || !visible(p) || strings.ContainsAny(p, `%\?#`) || resolved(p) != p {
		errs = append(errs, fmt.Errorf("account: the prefix %q is not a path such as \"/-/\"", p))
	}
	if !slices.Contains([]string{SignUpOpen, SignUpInvite, SignUpClosed}, c.SignUp) {
		errs = append(errs, fmt.Errorf("account: sign-up cannot be %q: it is \"open\", \"invite\" or \"closed\"", c.SignUp))
	}
	if safeNext(c.Home, c.Prefix, "") == "" {
		errs = append(errs, fmt.Errorf("account: the home %q is not a path of this site", c.Home))
	}
	for _, origin := range c.TrustedOrigins {
		errs = append(errs, checkOrigin(origin))
	}
	return errors.Join(append(errs, c.Quota.check(), c.Limits.check())...)
}

// check tells whether the limits can be counted.
func (l Limits) check() error {
	for _, all := range [][]Limit{l.NameAndAddress, l.Address, l.Name, l.SignUp} {
		for _, one := range all {
			if one.Attempts < 1 || one.Attempts > quotaMost || one.Window < time.Second || one.Window > quotaWindowMax {
				return fmt.Errorf("account: a limit of %d attempts in %v: it is for 1 to %d in a second to 366 days", one.Attempts, one.Window, int64(quotaMost))
			}
		}
	}
	return nil
}

// Members are the members that sign in here.
func (a *Accounts) Members() *Members { return a.members }

// Reload reads the pages anew. On an error, which tells all that is wrong, those from before
// stay.
func (a *Accounts) Reload() error {
	l, err := newLook(a.config.Pages)
	if err == nil {
		a.look.Store(l)
	}
	return err
}

// Wrap serves the pages below the prefix, lets only members through to the protected paths of
// next, and counts their requests there; the context of a request that only asks ends within
// two seconds of the session's end, where the store answers. All others go to next as they came, and no store is
// asked for them.
func (a *Accounts) Wrap(next http1.Handler) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		path := r.Path()
		name, ours := strings.CutPrefix(path, a.config.Prefix)
		switch {
		case ours:
			a.page(w, r, name)
		case !a.protection.covers(path):
			next.Serve(w, r)
		case a.admit(w, r):
			defer a.watch(r)()
			next.Serve(w, r)
		}
	})
}

// admit tells whether a request for a protected path may go on; otherwise it is answered. A page
// of another origin may not open a WebSocket either: browsers let it, and leave it to us. All
// questions to the store together add no more than the session's StoreTimeout.
func (a *Accounts) admit(w *http1.Response, r *http1.Request) bool {
	began := time.Now()
	s, err := session.From(r).Session()
	switch {
	case err != nil:
		a.refuse(w, r, err)
	case s == nil || s.Subject() == "":
		a.unauthenticated(w, r)
	case (!isSafe(r.Method()) || r.FieldView("Upgrade") != nil) && crossOrigin(r, a.config.TrustedOrigins):
		a.refuse(w, r, errCrossOrigin)
	default:
		w.SetPrivate() // whatever the site's rules say of the file
		return a.count(w, r, s.Subject(), began)
	}
	return false
}

// unauthenticated sends a person to the sign-in page, and tells a program (RFC 9110 §15.5.2).
func (a *Accounts) unauthenticated(w *http1.Response, r *http1.Request) {
	if m := r.Method(); (m == "GET" || m == "HEAD") && !wantsJSON(r) {
		w.Set("Vary", "Accept, Cookie")
		next := safeNext(r.Target(), a.config.Prefix, "")
		a.seeOther(w, withNext(a.config.Prefix+"sign-in", next))
		return
	}
	a.refuse(w, r, errSignIn)
}
