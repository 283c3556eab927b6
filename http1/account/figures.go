package account

import (
	"errors"
	"sync/atomic"
)

// Figures count what Accounts have done since they were made.
type Figures struct {
	SignedIn   uint64 // sign-ins, those of a sign-up not included
	SignedUp   uint64
	Wrong      uint64 // passwords that were wrong or for nobody
	Limited    uint64 // attempts that were refused by the Limits
	Busy       uint64 // passwords that were not hashed: the queue was full
	OverQuota  uint64 // requests that were refused for a member's quota
	HashingNow int    // passwords that are hashed at this moment, or wait for it
}

type figures struct {
	signedIn, signedUp, wrong, limited, busy, overQuota atomic.Uint64
}

// Figures are those of this moment.
func (a *Accounts) Figures() Figures {
	f := &a.figures
	return Figures{SignedIn: f.signedIn.Load(), SignedUp: f.signedUp.Load(), Wrong: f.wrong.Load(), Limited: f.limited.Load(),
		Busy: f.busy.Load(), OverQuota: f.overQuota.Load(), HashingNow: len(a.members.hasher.queue)}
}

// refused counts an attempt that came to nothing.
func (f *figures) refused(err error) {
	_, limited := errors.AsType[*tooMany](err)
	switch {
	case limited:
		f.limited.Add(1)
	case errors.Is(err, errWrong):
		f.wrong.Add(1)
	case errors.Is(err, ErrBusy):
		f.busy.Add(1)
	}
}
