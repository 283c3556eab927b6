package account

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// accountAnswer is the member's page for a program.
type accountAnswer struct {
	Name     string        `json:"name"`
	Email    string        `json:"email,omitempty"`
	Quota    *QuotaLine    `json:"quota,omitempty"`
	Sessions []SessionLine `json:"sessions"`
}

// accountPage shows a member's sessions and quota.
func (a *Accounts) accountPage(v *visit) {
	answer, err := a.account(v)
	if err != nil {
		a.refuse(v.w, v.r, err)
		return
	}
	if wantsJSON(v.r) {
		a.json(v.w, 200, "application/json", answer)
		return
	}
	p := &Page{Title: "Your account", Member: answer.Name, Email: answer.Email, Quota: answer.Quota, Sessions: answer.Sessions}
	switch v.query("done") {
	case "password":
		p.Notice = "The password is changed. You are signed out everywhere else."
	case "session":
		p.Notice = "The session is over."
	}
	a.show(v.w, v.r, 200, "account.html", p)
}

func (a *Accounts) account(v *visit) (*accountAnswer, error) {
	ctx, subject := v.r.Context(), v.subject()
	s, err := a.members.read(ctx, subject)
	if err != nil {
		return nil, err
	}
	quota, err := a.quotaLine(ctx, subject)
	if err != nil {
		return nil, err
	}
	sessions, err := a.config.Sessions.List(ctx, subject)
	if err != nil {
		return nil, err
	}
	return &accountAnswer{Name: s.name.Shown, Email: s.Email, Quota: quota, Sessions: sessionLines(sessions, v.session)}, nil
}

// sessionLines are what is shown of sessions: the own one first, also where it is not among
// the hundred that are listed, then by when they were seen.
func sessionLines(all []session.Info, own *session.Session) []SessionLine {
	if !slices.ContainsFunc(all, func(s session.Info) bool { return s.ID == own.ID() }) {
		all = append(all, session.Info{ID: own.ID(), Began: own.Began(), Seen: own.Seen(), Ends: own.Ends(), Agent: own.Agent()})
	}
	slices.SortFunc(all, func(x, y session.Info) int {
		switch {
		case x.ID == own.ID():
			return -1
		case y.ID == own.ID():
			return 1
		}
		return y.Seen.Compare(x.Seen)
	})
	lines := make([]SessionLine, 0, len(all))
	for _, s := range all {
		if s.ID == own.ID() {
			s.Seen = own.Seen() // the list's are written a minute apart
		}
		lines = append(lines, SessionLine{ID: s.ID, Device: device(s.Agent), Current: s.ID == own.ID(),
			Began: humanTime(s.Began), BeganMachine: s.Began.UTC().Format(time.RFC3339),
			Seen: humanTime(s.Seen), SeenMachine: s.Seen.UTC().Format(time.RFC3339)})
	}
	return lines
}

func (a *Accounts) passwordPage(v *visit) {
	a.show(v.w, v.r, 200, "password.html", &Page{Title: "Change the password"})
}

// changePassword answers a form with the old password and the new one: the member goes on in a
// new session here, and all others are over.
func (a *Accounts) changePassword(v *visit) {
	if err := a.replacePassword(v); err != nil {
		a.figures.refused(err)
		if errors.Is(err, errWrong) {
			err = &Invalid{"old", "This is not the present password."}
		} else if invalid, ok := errors.AsType[*Invalid](err); ok && invalid.Field == "password" {
			err = &Invalid{"new", invalid.Text}
		}
		a.refuseOn(v.w, v.r, err, "password.html", &Page{Title: "Change the password"})
		return
	}
	a.config.Log.Info("password changed", "member", v.subject(), "client", v.r.Client().Addr(), "request", v.r.ID())
	a.done(v, a.config.Prefix+"account?done=password", struct {
		Done string `json:"done"`
	}{"password"})
}

func (a *Accounts) replacePassword(v *visit) error {
	hash := ""
	_, err := a.authenticate(v, v.subject(), v.form["old"], func(p *place, s *stored, _ session.Change) error {
		if hash == "" { // not once more after a conflict
			password, err := newPassword(v.form["new"], s.name)
			if err != nil {
				return err
			}
			if hash, err = p.hash(v.r.Context(), password); err != nil {
				return err
			}
		}
		changes, err := a.members.passwordChanges(s, hash)
		if err != nil {
			return err
		}
		_, err = v.current.Begin(s.name.Key, append(changes, a.right(v, s)...)...)
		return err
	})
	return err
}

func (a *Accounts) signOutPage(v *visit) {
	p := &Page{Title: "Sign out"}
	if v.subject() == "" {
		p.Title = "Signed out"
	}
	a.show(v.w, v.r, 200, "sign-out.html", p)
}

// signedOut is the answer to a program that has signed out.
type signedOut struct {
	Done string `json:"done"`
}

// signOut ends the request's session. Without one there is nothing to end, which is what was
// asked for.
func (a *Accounts) signOut(v *visit) {
	if err := v.current.End(); err != nil {
		a.refuse(v.w, v.r, err)
		return
	}
	a.done(v, a.config.Prefix+"sign-out", signedOut{"sign-out"})
}

// signOutEverywhere ends all sessions of the member.
func (a *Accounts) signOutEverywhere(v *visit) {
	if err := v.current.EndAll(v.subject()); err != nil {
		a.refuse(v.w, v.r, err)
		return
	}
	a.done(v, a.config.Prefix+"sign-out", signedOut{"sign-out-everywhere"})
}

// endSession ends another session of the member. One that is over already is what was asked for.
func (a *Accounts) endSession(v *visit) {
	err := a.config.Sessions.EndOne(v.r.Context(), v.subject(), v.form["session"])
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.refuse(v.w, v.r, err)
		return
	}
	a.done(v, a.config.Prefix+"account?done=session", signedOut{"session"})
}
