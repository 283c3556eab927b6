package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// conflictTries is how often a change is tried again that another has overtaken.
const conflictTries = 5

// Begin begins a session for the subject, "" for one that nobody has signed in to, and returns
// once the store has it. Its token is new, and the session that the request came with ends in
// the same Apply: nobody who knew the cookie before a sign-in knows it afterwards. What was kept
// in that one stays, if it was the same subject's or nobody's. with are further changes for the
// same Apply; if they have the subject's NewEpoch, the session begins under it. ErrConflict is
// about a condition of theirs. A subject that has more than MaxSessions then loses the one that
// was not seen for longest.
//
// On an error the response has no cookie, and the session the request came with is what it
// was, unless it is *Unavailable, after which nobody knows.
func (c *Current) Begin(subject string, with ...Change) (*Session, error) {
	if subject != "" {
		if err := validSubject(subject); err != nil {
			return nil, err
		}
	}
	return c.begin(subject, false, with)
}

// Rotate gives the request's session a new token, for a change of rights: it is whose it was,
// with what it keeps, and ends when it would have. ErrEnded without a session, and if it was
// ended meanwhile: alone, by EndAll or by a change of password.
func (c *Current) Rotate(with ...Change) (*Session, error) {
	s, err := c.Session()
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, ErrEnded
	}
	return c.begin(s.Subject(), true, with)
}

func (c *Current) begin(subject string, rotate bool, with []Change) (*Session, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	if c.r.Scheme() != "https" {
		return nil, ErrInsecure
	}
	old, err := c.Session()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.m.storeContext()
	defer cancel()
	var before beginning
	for range conflictTries {
		b, err := c.prepare(ctx, subject, old, rotate, with)
		if err != nil {
			return nil, err
		}
		if b.same(&before) {
			break // what conflicts is none of ours
		}
		err = c.m.store.Apply(ctx, append(b.changes, b.with...)...)
		if err == nil {
			if subject != "" && !rotate {
				c.m.tidy(ctx, subject, newID(b.token).String())
			}
			return c.begun(b), nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
		before = *b
	}
	return nil, ErrConflict
}

// beginning is a session that is to begin.
type beginning struct {
	token   [tokenBytes]byte
	record  *record
	changes []Change
	with    []Change // the caller's
	// What was found in the store.
	epochVersion, oldVersion int64
	tried                    bool
}

// same tells whether another try would find the same.
func (b *beginning) same(before *beginning) bool {
	return before.tried && b.epochVersion == before.epochVersion && b.oldVersion == before.oldVersion
}

// prepare makes the changes of a beginning from what the store has.
func (c *Current) prepare(ctx context.Context, subject string, old *Session, rotate bool, with []Change) (*beginning, error) {
	now := stamp(c.m.clock.read())
	b := &beginning{tried: true, with: with, record: &record{
		Subject: subject, Began: now, Seen: now, Ends: now.Add(c.m.config.Lifetime), Agent: agent(c.r.FieldView("User-Agent")),
	}}
	_, _ = rand.Read(b.token[:]) // never fails: crypto/rand
	var rotates *Session
	if rotate {
		rotates = old
	}
	if err := c.m.beginEpoch(ctx, b, rotates); err != nil {
		return nil, err
	}
	if old != nil {
		if err := c.m.succeed(ctx, b, old, rotate); err != nil {
			return nil, err
		}
	}
	writes, err := b.record.writes(newID(b.token), c.m.kept(), Absent(), false)
	b.changes = append(b.changes, writes...)
	return b, err
}

// beginEpoch finds the epoch under which b begins, or makes the first one. One that rotates goes
// on under its own, which must be the subject's still: else Rotate would bring back what a
// sign-out everywhere has ended.
func (m *Manager) beginEpoch(ctx context.Context, b *beginning, rotates *Session) error {
	subject := b.record.Subject
	if subject == "" {
		return nil
	}
	given := slices.IndexFunc(b.with, func(c Change) bool { return c.Key == subjectKey(subject) })
	if given >= 0 {
		epoch, err := parseEpoch(b.with[given].Value)
		if err == nil && epoch == "" {
			err = errors.New("session: no session begins for a subject that is removed")
		}
		b.record.Epoch = epoch
		if err != nil || rotates == nil {
			return err
		}
	}
	rec, err := m.store.Get(ctx, subjectKey(subject))
	if errors.Is(err, fs.ErrNotExist) {
		if rotates != nil {
			return ErrEnded
		}
		change, epoch := NewEpoch(subject)
		change.If = Absent()
		b.record.Epoch, b.changes = epoch, append(b.changes, change)
		return nil
	}
	if err != nil {
		return err
	}
	b.epochVersion = rec.Version
	epoch, err := parseEpoch(rec.Value)
	switch {
	case err != nil:
		return err
	case rotates != nil && epoch != rotates.record.Epoch:
		return ErrEnded
	case given < 0:
		b.record.Epoch = epoch
	default: // no other new epoch may come between
		b.with = slices.Clone(b.with)
		if _, checked := b.with[given].If.Expects(); !checked {
			b.with[given].If = Unchanged(rec)
		}
	}
	return nil
}

// succeed ends old and takes over what it keeps, as it is in the store by now.
func (m *Manager) succeed(ctx context.Context, b *beginning, old *Session, rotate bool) error {
	rec, err := m.store.Get(ctx, sessionKey(old.id))
	if errors.Is(err, fs.ErrNotExist) {
		if rotate {
			return ErrEnded
		}
		return nil
	}
	if err != nil {
		return err
	}
	s, err := m.parse(rec)
	if err != nil {
		return err
	}
	b.oldVersion = rec.Version
	if rotate {
		b.record.Family = s.family(old.id).String() // whose line the new one writes
		b.changes = append(b.changes, Change{Key: sessionKey(old.id), If: Unchanged(rec)})
	} else {
		b.changes = append(b.changes, s.removals(old.id, Unchanged(rec))...)
	}
	if s.Subject == "" || s.Subject == b.record.Subject {
		b.record.Values, b.record.Flashes = s.Values, s.Flashes
	}
	if rotate {
		b.record.Began, b.record.Ends = s.Began, s.Ends
	}
	return nil
}

// begun makes the session the request's own.
func (c *Current) begun(b *beginning) *Session {
	c.m.begun.Add(1)
	c.own = Session{m: c.m, id: newID(b.token), record: b.record, seen: b.record.Seen}
	c.session, c.err = &c.own, nil
	c.w.SetCookie(cookie(c.m.cookie, b.token, b.record.Ends.Sub(c.m.clock.read()).Round(time.Second)))
	return c.session
}

// NewEpoch is the change after which all sessions of the subject are over: for a sign-out
// everywhere, and for a change of password or a removal in the same Apply as the member's
// record. It is all that a program needs which has no Manager.
func NewEpoch(subject string) (change Change, epoch string) {
	epoch = rand.Text()
	value, _ := json.Marshal(subjectRecord{Epoch: epoch}) // a string always can be
	return Change{Key: subjectKey(subject), Value: value}, epoch
}

// NewEpoch is the function of that name.
func (m *Manager) NewEpoch(subject string) (change Change, epoch string) { return NewEpoch(subject) }
