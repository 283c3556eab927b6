package account

import (
	"context"
	"errors"
	"strings"

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
	s, err := a.authenticate(v, name, password, func(s *stored, write session.Change) error {
		_, err := v.current.Begin(s.name.Key, write, a.throttle.known(s.name.Key, v.r.Client().Addr()))
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

// authenticate counts an attempt, compares the password, and has then begin change the store,
// together with write: the member's record with the time of the sign-in and, where its hash was
// of another cost, a new one. write is made only if the member is who was looked at. So nobody
// gets in by a password that was changed meanwhile, or as a member who was removed.
//
// What is unknown, wrong or no name at all is errWrong, after the same steps: the attempt, a
// look into the store, a hash.
func (a *Accounts) authenticate(v *visit, name, password string, begin func(s *stored, write session.Change) error) (*stored, error) {
	ctx := v.r.Context()
	if err := a.attempt(v, name); err != nil {
		return nil, err
	}
	verified, renewed := "", ""
	for range attemptsMost {
		s, err := a.members.lookup(ctx, name)
		if err != nil {
			return nil, err
		}
		if s.Hash != verified || s.Hash == "" { // not what the password was compared with
			right := false
			if right, renewed, err = a.members.hasher.verify(ctx, s.Hash, password); err != nil {
				return nil, err
			}
			if !right {
				return nil, a.wrong(v, s)
			}
			verified = s.Hash
		}
		write, err := a.seen(s, renewed)
		if err != nil {
			return nil, err
		}
		if err = begin(s, write); !errors.Is(err, session.ErrConflict) {
			return s, err
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

// attempt counts an attempt to use a password for a name.
func (a *Accounts) attempt(v *visit, name string) error {
	key := name
	if n, err := ParseName(name); err == nil {
		key = n.Key
	}
	wait, err := a.throttle.attempt(v.r.Context(), key, v.r.Client().Addr())
	if err == nil && wait > 0 {
		err = &tooMany{wait, "There were too many attempts."}
	}
	return err
}

// wrong notes a wrong password, where it was for a member: the log has no names that somebody
// made up, or typed a password in place of.
func (a *Accounts) wrong(v *visit, s *stored) error {
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
