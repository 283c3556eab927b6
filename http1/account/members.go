package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// attemptsMost is how often a change that others came before is tried anew.
const attemptsMost = 16

// Members are the members in a store. Several processes may change them at once: a change that
// another came before is made anew on what that one left, or says so. Every call ends soon
// after its context. Beside the errors below there are those of the store, after which a
// change may have been made or not.
type Members struct {
	store  session.Store
	hasher *Hasher
	now    func() time.Time
}

// NewMembers are the members in store, which stays the caller's. Passwords are hashed by
// hasher; nil is one of the usual cost.
func NewMembers(store session.Store, hasher *Hasher) *Members {
	if hasher == nil {
		hasher, _ = NewHasher(Cost{}, 0) // the usual cost is within the bounds
	}
	return &Members{store: store, hasher: hasher, now: time.Now}
}

// Add makes a member. The error is an [*Invalid], [ErrTaken] or [ErrBusy].
func (m *Members) Add(ctx context.Context, name, password, email string) (Member, error) {
	s, err := m.prepare(ctx, name, password, email)
	if err != nil {
		return Member{}, err
	}
	change, err := s.write(session.Absent())
	if err != nil {
		return Member{}, err
	}
	if err = m.store.Apply(ctx, change); errors.Is(err, session.ErrConflict) {
		return Member{}, ErrTaken
	}
	return s.member(), err
}

// prepare is a member who is in no store yet.
func (m *Members) prepare(ctx context.Context, name, password, email string) (*stored, error) {
	n, err := m.check(name, password, email)
	if err != nil {
		return nil, err
	}
	place, err := m.hasher.reserve()
	if err != nil {
		return nil, err
	}
	defer place.leave()
	return m.hash(ctx, place, n)
}

// newcomer is what somebody typed to become a member, checked.
type newcomer struct {
	name            Name
	email, password string // the password prepared
}

// check costs little. The error is an [*Invalid].
func (m *Members) check(name, password, email string) (n newcomer, err error) {
	if n.name, err = ParseName(name); err != nil {
		return n, err
	}
	if n.email, err = ParseEmail(email); err != nil {
		return n, err
	}
	n.password, err = newPassword(password, n.name)
	return n, err
}

// hash makes the member, who is in no store yet.
func (m *Members) hash(ctx context.Context, p *place, n newcomer) (*stored, error) {
	hash, err := p.hash(ctx, n.password)
	if err != nil {
		return nil, err
	}
	now := m.now()
	return &stored{name: n.name, memberRecord: memberRecord{Name: n.name.Shown, Email: n.email, Hash: hash,
		Created: now, PasswordSet: now, ID: newID(), Known: newID()}}, nil
}

// Get is the member of a name, in whatever case; or [ErrNoMember].
func (m *Members) Get(ctx context.Context, name string) (Member, error) {
	s, err := m.read(ctx, name)
	if err != nil {
		return Member{}, err
	}
	return s.member(), nil
}

// read is the record of a name. A name that cannot be one is nobody's.
func (m *Members) read(ctx context.Context, name string) (*stored, error) {
	n, err := ParseName(name)
	if err != nil {
		return nil, ErrNoMember
	}
	r, err := m.store.Get(ctx, memberKey(n.Key))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoMember
	case err != nil:
		return nil, err
	}
	return parseMember(r)
}

// List are the members whose names' normal forms come after the name after, in the order of
// their bytes, at most limit of them and at most 1,000; less is the end. Records that cannot be
// read are passed over: then there is an error beside the list, which names them.
func (m *Members) List(ctx context.Context, after string, limit int) ([]Member, error) {
	if after != "" {
		after = memberKey(after)
	}
	limit = min(max(limit, 1), session.MaxListRecords)
	list := make([]Member, 0, limit)
	var all broken
	for {
		page, err := m.list(ctx, after, limit-len(list))
		if err != nil {
			return nil, err
		}
		for _, s := range page.members {
			list = append(list, s.member())
		}
		if all.join(page.broken); len(list) == limit || page.last == "" {
			return list, all.err()
		}
		after = page.last // less than limit is the end for who asks: broken ones do not make it so
	}
}

// page is a part of the members' records.
type page struct {
	members []*stored
	last    string // the last record's key, to go on after; "" for no record at all
	broken  broken
}

func (m *Members) list(ctx context.Context, after string, limit int) (p page, err error) {
	records, err := m.store.List(ctx, memberPrefix, after, min(max(limit, 1), session.MaxListRecords))
	for _, r := range records {
		p.last = r.Key
		if s, err := parseMember(r); err != nil {
			p.broken.join(broken{[]error{err}, 1})
		} else {
			p.members = append(p.members, s)
		}
	}
	return p, err
}

// brokenMost bounds how many records an error names.
const brokenMost = 10

// broken are records that cannot be read.
type broken struct {
	named []error // the first of them
	all   int
}

func (b *broken) join(more broken) {
	b.all += more.all
	b.named = append(b.named, more.named[:min(len(more.named), brokenMost-len(b.named))]...)
}

func (b *broken) err() error {
	if b.all > len(b.named) {
		return errors.Join(append(b.named, fmt.Errorf("account: and %d records more cannot be read", b.all-len(b.named)))...)
	}
	return errors.Join(b.named...)
}

// Remove removes a member and, in the same step, ends the member's sessions. The name is free
// again. The error may be [ErrNoMember].
func (m *Members) Remove(ctx context.Context, name string) error {
	return m.alter(ctx, name, func(s *stored) ([]session.Change, error) {
		epoch, _ := session.NewEpoch(s.name.Key)
		return []session.Change{{Key: memberKey(s.name.Key), If: session.Unchanged(s.at), Quiet: true}, epoch}, nil
	})
}

// SetPassword gives a member another password and, in the same step, ends the member's
// sessions. The error may be an [*Invalid], [ErrBusy] or [ErrNoMember].
func (m *Members) SetPassword(ctx context.Context, name, password string) error {
	s, err := m.read(ctx, name)
	if err != nil {
		return err
	}
	hash, err := m.hasher.Hash(ctx, s.name, password)
	if err != nil {
		return err
	}
	return m.alter(ctx, name, func(s *stored) ([]session.Change, error) { return m.passwordChanges(s, hash) })
}

// passwordChanges are those that give a member a password and end the sessions begun with
// another.
func (m *Members) passwordChanges(s *stored, hash string) ([]session.Change, error) {
	s.Hash, s.PasswordSet, s.Known = hash, m.now(), newID()
	change, err := s.change()
	epoch, _ := session.NewEpoch(s.name.Key)
	return []session.Change{change, epoch}, err
}

// SetQuota gives a member a quota of their own; nil takes it back. Servers know within a
// second. The error may be [ErrNoMember].
func (m *Members) SetQuota(ctx context.Context, name string, quota *Quota) error {
	if quota != nil {
		if err := quota.check(); err != nil {
			return err
		}
	}
	return m.alter(ctx, name, func(s *stored) ([]session.Change, error) {
		s.Quota = quota
		change, err := s.change()
		return []session.Change{change}, err
	})
}

// alter makes the changes that f has for a member, and asks it anew when another came first.
func (m *Members) alter(ctx context.Context, name string, f func(*stored) ([]session.Change, error)) error {
	for range attemptsMost {
		s, err := m.read(ctx, name)
		if err != nil {
			return err
		}
		changes, err := f(s)
		if err != nil {
			return err
		}
		if err = m.store.Apply(ctx, changes...); !errors.Is(err, session.ErrConflict) {
			return err
		}
	}
	return ErrContended
}
