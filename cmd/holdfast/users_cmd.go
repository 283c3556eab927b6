package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/session"
)

// A roster is the members as a command of users works on them.
type roster struct {
	std      streams
	place    membersPlace
	members  *account.Members
	sessions *session.Manager
}

// rosterTimeout bounds a question to the store, for which a person waits and no request.
const rosterTimeout = 5 * time.Second

// roster has work done on the members, when nothing is wrong with the call. makes says that the
// work may be the first thing to be kept in the store. A signal ends the process, in the midst
// of a password too; what a store does it does wholly or not at all.
func (c *call) roster(makes bool, work func(ctx context.Context, r *roster) *fault) outcome {
	place, faults := c.membersPlace()
	if len(faults) == 0 {
		if f := place.check(makes); f != nil {
			faults = append(faults, *f)
		}
	}
	if len(faults) > 0 {
		return outcome{exit: report(c.std.err, faults)}
	}
	return outcome{work: func(std streams, signals <-chan os.Signal) int {
		ctx, stop := untilSignal(context.Background(), signals)
		defer stop()
		done := make(chan *fault, 1)
		go func() { done <- place.work(ctx, std, work) }()
		var f *fault
		select {
		case f = <-done:
		case <-ctx.Done():
			select {
			case f = <-done:
			case <-time.After(workPatience): // it reads from a terminal or a disk, which cannot be called off
			}
		}
		if interrupted := (signalError{}); errors.As(context.Cause(ctx), &interrupted) {
			return exitSignal + int(interrupted.signal)
		}
		if f != nil {
			return report(std.err, []fault{*f})
		}
		return exitOK
	}}
}

// work opens the store for some work.
func (p membersPlace) work(ctx context.Context, std streams, work func(context.Context, *roster) *fault) *fault {
	store, f := p.store.open(nil)
	if f != nil {
		f.Where = "" // the store's name is in what it says
		return f
	}
	defer store.Close()
	sessions, err := p.manager(store)
	if err != nil {
		return &fault{What: "cannot read the sessions", Why: plain(err.Error())}
	}
	return work(ctx, &roster{std: std, place: p, members: account.NewMembers(store, nil), sessions: sessions})
}

// memberName is the one name on the command line. No fault repeats what follows it: that is most
// likely a password.
func (c *call) memberName(words []string) account.Name {
	switch {
	case len(words) == 0:
		c.faults = append(c.faults, fault{What: "no NAME is given", Mend: "name the member; holdfast users list has those there are", Usage: true})
		return account.Name{}
	case len(words) > 1:
		c.faults = append(c.faults, fault{What: "there is an argument after the name", Usage: true,
			Why:  "if it is a password: others see those of a command line in ps, and it stays in the shell's history",
			Mend: "leave it out; the password is asked for on a terminal, or read from standard input"})
	}
	name, err := account.ParseName(words[0])
	if err != nil {
		c.faults = append(c.faults, *memberFault(words[0], err))
	}
	return name
}

// memberFault is why something did not work with the member of a name.
func memberFault(name string, err error) *fault {
	invalid, ok := errors.AsType[*account.Invalid](err)
	switch {
	case ok && invalid.Field == "password":
		return &fault{What: "the password is not taken", Why: strings.TrimSuffix(plain(invalid.Text), ".")}
	case ok && invalid.Field == "name":
		return &fault{What: "nobody can have the name " + quote(name), Why: strings.TrimSuffix(plain(invalid.Text), "."), Mend: "write it otherwise", Usage: true}
	case ok:
		return &fault{What: "the " + invalid.Field + " is not taken", Why: strings.TrimSuffix(plain(invalid.Text), "."), Mend: "write it otherwise, or leave it out", Usage: true}
	case errors.Is(err, account.ErrTaken):
		return &fault{What: "there is a member " + quote(name) + " already", Mend: "choose another name; holdfast users passwd gives a member another password"}
	case errors.Is(err, account.ErrNoMember):
		return &fault{What: "there is no member " + quote(name), Mend: "holdfast users list has those there are"}
	}
	return storeFault(err)
}

// storeFault is what the store said, which names itself and has no secrets.
func storeFault(err error) *fault {
	return &fault{What: "the store of members did not do it", Why: plain(err.Error()), Mend: "try again; after a timeout see with holdfast users list what was done"}
}

func (cmd *usersAddCmd) run(c *call) outcome {
	name := c.memberName(cmd.Name)
	email, err := account.ParseEmail(cmd.Email)
	if err != nil {
		f := memberFault("", err)
		f.Where = "--email"
		c.faults = append(c.faults, *f)
	}
	return c.roster(true, func(ctx context.Context, r *roster) *fault {
		if _, err := r.members.Get(ctx, name.Key); err == nil {
			return memberFault(name.Shown, account.ErrTaken) // before somebody thinks of a password
		} else if !errors.Is(err, account.ErrNoMember) {
			return storeFault(err)
		}
		return r.withPassword(ctx, cmd.Generate, func(password string) (string, error) {
			_, err := r.members.Add(ctx, name.Shown, password, email)
			return plain(name.Shown) + " is a member now.", err
		}, name.Shown)
	})
}

func (cmd *usersPasswdCmd) run(c *call) outcome {
	name := c.memberName(cmd.Name)
	return c.roster(false, func(ctx context.Context, r *roster) *fault {
		if _, err := r.members.Get(ctx, name.Key); err != nil {
			return memberFault(name.Shown, err)
		}
		return r.withPassword(ctx, cmd.Generate, func(password string) (string, error) {
			return plain(name.Shown) + " has the new password, and is signed out everywhere.", r.members.SetPassword(ctx, name.Key, password)
		}, name.Shown)
	})
}

func (cmd *usersRemoveCmd) run(c *call) outcome {
	name := c.memberName(cmd.Name)
	return c.roster(false, func(ctx context.Context, r *roster) *fault {
		m, err := r.members.Get(ctx, name.Key)
		if err != nil {
			return memberFault(name.Shown, err)
		}
		if !cmd.Yes {
			if f := r.confirm("Remove the member " + described(m) + "? [y/N] "); f != nil {
				return f
			}
		}
		if err := r.members.Remove(ctx, name.Key); err != nil {
			return memberFault(name.Shown, err)
		}
		fmt.Fprintln(r.std.out, plain(m.Name.Shown)+" is no member any more, and is signed out everywhere.")
		return nil
	})
}

// described is a member so that nobody is taken for another.
func described(m account.Member) string {
	text := quote(m.Name.Shown)
	if m.Email != "" {
		text += " (" + plain(m.Email) + ")"
	}
	return text + ", made on " + m.Created.UTC().Format(time.DateOnly)
}

func (cmd *usersInviteCmd) run(c *call) outcome {
	r := &reader{values: map[string]value{"uses": {texts: []string{cmd.Uses}, from: "--uses"}, "valid": {texts: []string{cmd.Valid}, from: "--valid"}}}
	uses, valid := r.count("uses", "", 1, account.InviteUsesMost), r.duration("valid", time.Second, account.InviteLastsMost)
	c.faults = append(c.faults, r.faults...)
	return c.roster(true, func(ctx context.Context, r *roster) *fault {
		code, err := r.members.Invite(ctx, valid, uses)
		if err != nil {
			return storeFault(err)
		}
		fmt.Fprintln(r.std.out, code)
		if page := r.place.signUp(); page != "" {
			fmt.Fprintln(r.std.out, page+"?invite="+code)
		}
		if note := r.place.inviteNote(); note != "" {
			fmt.Fprintln(r.std.err, note)
		}
		accounts := "one account"
		if uses > 1 {
			accounts = fmt.Sprintf("%d accounts", uses)
		}
		fmt.Fprintf(r.std.err, "For %s until %s. The code is shown this once.\n", accounts, time.Now().Add(valid).Format(time.RFC1123))
		return nil
	})
}
