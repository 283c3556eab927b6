package account

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// goHome leads from the prefix itself to the member's page.
func (a *Accounts) goHome(v *visit) { a.seeOther(v.w, a.config.Prefix+"account") }

// query is the value of a parameter of the request's query, "" unless it is there once.
func (v *visit) query(name string) string {
	f, err := parseForm(v.r.Query())
	if err != nil {
		return ""
	}
	return f[name]
}

// next is where a page that was asked for, or a form, leads on to; otherwise otherwise.
func (a *Accounts) next(next, otherwise string) string {
	return safeNext(next, a.config.Prefix, otherwise)
}

func (a *Accounts) signInPage(v *visit) {
	next := v.query("next")
	if v.subject() != "" {
		a.seeOther(v.w, a.next(next, a.config.Home))
		return
	}
	a.show(v.w, v.r, 200, "sign-in.html", &Page{Title: "Sign in", Next: a.next(next, "")})
}

// signedIn is the answer to a program that has signed in or up.
type signedIn struct {
	Name string `json:"name"`
	Next string `json:"next"`
}

// signIn answers a form with name and password.
func (a *Accounts) signIn(v *visit) {
	name, password := v.form["name"], v.form["password"]
	s, err := a.authenticate(v, name, password, func(_ *place, s *stored, write session.Change) error {
		_, err := v.current.Begin(s.name.Key, append(a.right(v, s), write)...)
		return err
	})
	next := a.next(v.form["next"], "")
	if err != nil {
		a.figures.refused(err)
		a.refuseOn(v.w, v.r, err, "sign-in.html", &Page{Title: "Sign in", Name: bounded(name), Next: next})
		return
	}
	a.figures.signedIn.Add(1)
	a.config.Log.Info("signed in", "member", s.name.Key, "client", v.r.Client().Addr(), "request", v.r.ID())
	next = a.next(next, a.config.Home)
	a.done(v, next, signedIn{s.name.Shown, next})
}

// bounded is what was typed, to be shown again.
func bounded(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), 4*NameMostBytes)], "")
}

// authenticate admits an attempt, compares the password, and has then begin change the store,
// together with write: the member's record with the time of the sign-in and, where its hash was
// of another cost, a new one. write is made only if the member is who was looked at. So nobody
// gets in by a password that was changed meanwhile, or as a member who was removed. A place at
// the hashes comes before all: where there is none, nothing is counted.
//
// What is unknown, wrong or no name at all is errWrong, after the same steps: the attempt, a
// look into the store, a hash, the rest of its quantum.
func (a *Accounts) authenticate(v *visit, name, password string, begin func(p *place, s *stored, write session.Change) error) (*stored, error) {
	place, err := a.members.hasher.reserve()
	if err != nil {
		return nil, err
	}
	defer place.leave()
	ctx := v.r.Context()
	g, wait, err := a.throttle.guess(ctx, a.client(v))
	if err = waiting(wait, err); err != nil {
		return nil, err
	}
	defer g.done()
	s, err := a.members.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	if err = waiting(g.of(ctx, keyOf(name), s.Known)); err != nil {
		return nil, err
	}
	verified, renewed := "", ""
	for range attemptsMost {
		if s.Hash != verified || s.Hash == "" { // not what the password was compared with
			right := false
			if right, renewed, err = place.verify(ctx, s.Hash, password); err != nil {
				return nil, err
			}
			if !right {
				place.pause(ctx)
				return nil, a.wrong(v, g, s)
			}
			verified = s.Hash
		}
		write, err := a.seen(s, renewed)
		if err != nil {
			return nil, err
		}
		if err = begin(place, s, write); !errors.Is(err, session.ErrConflict) {
			return s, err
		}
		if s, err = a.members.lookup(ctx, name); err != nil {
			return nil, err
		}
	}
	return nil, ErrContended
}

// seen is the change that notes a sign-in, and the password's new hash where there is one.
func (a *Accounts) seen(s *stored, renewed string) (session.Change, error) {
	if renewed != "" {
		s.Hash = renewed
	}
	s.SignedIn = a.config.Now()
	return s.change()
}

// waiting is the error of an attempt that has to wait.
func waiting(wait time.Duration, err error) error {
	if err == nil && wait > 0 {
		err = &tooMany{wait, "There were too many attempts."}
	}
	return err
}

// keyOf is what a name is counted by: its normal form, or whatever was typed.
func keyOf(name string) string {
	if n, err := ParseName(name); err == nil {
		return n.Key
	}
	return name
}

// client is the address that attempts are counted by. Without one they are not, which the
// server's owner is told once.
func (a *Accounts) client(v *visit) netip.Addr {
	from := v.r.Client().Addr()
	if !from.IsValid() {
		a.unnamed.Do(func() {
			a.config.Log.Warn("accounts: clients have no address, so attempts are counted by the name alone: a proxy in front should say for whom it asks")
		})
	}
	return from
}

// right are the changes that remember from where a member has signed in.
func (a *Accounts) right(v *visit, s *stored) []session.Change {
	return a.throttle.right(s.name.Key, s.Known, v.r.Client().Addr())
}

// wrong counts a wrong password, and notes it where it was for a member: the log has no names
// that somebody made up, or typed a password in place of.
func (a *Accounts) wrong(v *visit, g *guess, s *stored) error {
	if err := g.wrong(v.r.Context()); err != nil {
		return err
	}
	if s.Hash != "" {
		a.config.Log.Info("wrong password", "member", s.name.Key, "client", v.r.Client().Addr(), "request", v.r.ID())
	}
	return errWrong
}

// lookup is read, but for a name that nobody has, or that is none: a record without a hash,
// after the same question to the store.
func (m *Members) lookup(ctx context.Context, name string) (*stored, error) {
	if _, err := ParseName(name); err != nil {
		name = "nobody"
		if _, err = m.read(ctx, name); err != nil && !errors.Is(err, ErrNoMember) {
			return nil, err
		}
		return &stored{}, nil
	}
	s, err := m.read(ctx, name)
	if errors.Is(err, ErrNoMember) {
		return &stored{}, nil
	}
	return s, err
}
