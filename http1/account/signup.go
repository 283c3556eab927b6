package account

import (
	"errors"

	"github.com/holdfast-server/holdfast/http1/session"
)

func (a *Accounts) signUpPage(v *visit) {
	next := v.query("next")
	if v.subject() != "" {
		a.seeOther(v.w, a.next(next, a.config.Home))
		return
	}
	a.show(v.w, v.r, 200, "sign-up.html", &Page{Title: "Sign up", Next: a.next(next, ""), Invite: bounded(v.query("invite"))})
}

// signUp answers a form with name and password, maybe an e-mail address and an invite.
func (a *Accounts) signUp(v *visit) {
	s, err := a.join(v)
	next := a.next(v.form["next"], "")
	if err != nil {
		a.figures.refused(err)
		a.refuseOn(v.w, v.r, err, "sign-up.html", &Page{Title: "Sign up", Next: next,
			Name: bounded(v.form["name"]), Email: bounded(v.form["email"]), Invite: bounded(v.form["invite"])})
		return
	}
	a.figures.signedUp.Add(1)
	a.config.Log.Info("signed up", "member", s.name.Key, "client", v.r.Client().Addr(), "request", v.r.ID())
	next = a.next(next, a.config.Home)
	a.done(v, next, signedIn{s.name.Shown, next})
}

// join makes the member and the session in one step, so that nobody is left with one without
// the other. What costs nothing is looked at before the attempt counts, and what costs little
// before the password costs a hash.
func (a *Accounts) join(v *visit) (*stored, error) {
	if a.config.SignUp == SignUpClosed {
		return nil, errClosed
	}
	n, err := a.members.check(v.form["name"], v.form["password"], v.form["email"])
	if err != nil {
		return nil, err
	}
	place, err := a.members.hasher.reserve()
	if err != nil {
		return nil, err
	}
	defer place.leave()
	ctx := v.r.Context()
	if err = waiting(a.throttle.signUp(ctx, a.client(v))); err != nil {
		return nil, err
	}
	var code *string
	if a.config.SignUp == SignUpInvite {
		text := v.form["invite"]
		if _, err = a.members.use(ctx, text); err != nil {
			return nil, err
		}
		code = &text
	}
	if _, err = a.members.read(ctx, n.name.Key); err == nil {
		return nil, ErrTaken
	} else if !errors.Is(err, ErrNoMember) {
		return nil, err
	}
	s, err := a.members.hash(ctx, place, n)
	if err != nil {
		return nil, err
	}
	s.SignedIn = s.Created
	return s, a.members.join(ctx, s, code, func(changes []session.Change) error {
		_, err := v.current.Begin(s.name.Key, append(changes, a.right(v, s)...)...)
		return err
	})
}
