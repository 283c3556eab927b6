package account

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// A Quota is how many requests a member has in a window, which begins with the first of them.
// The zero Quota has no limit.
type Quota struct {
	N      int64         `json:"n"`
	Window time.Duration `json:"window"` // in nanoseconds; stores keep milliseconds
}

// Bounds of a quota.
const (
	quotaMost      = 1 << 40
	quotaWindow    = time.Second
	quotaWindowMax = 366 * 24 * time.Hour
)

// check tells whether it can be counted.
func (q Quota) check() error {
	if q == (Quota{}) || q.N >= 1 && q.N <= quotaMost && q.Window >= quotaWindow && q.Window <= quotaWindowMax {
		return nil
	}
	return fmt.Errorf("account: a quota of %d in %v: it is for 1 to %d requests in a second to 366 days, or for nothing at all", q.N, q.Window, int64(quotaMost))
}

// A Member is what is known of one.
type Member struct {
	Name  Name
	Email string // empty for none
	// Quota is the member's own, nil for that of the site. The zero Quota has no limit.
	Quota *Quota
	// Created is when the account was made; PasswordSet when its password was, zero where
	// it has none.
	Created, PasswordSet time.Time
	// SignedIn is when the member last signed in, zero for never.
	SignedIn time.Time
}

// Errors of [Members].
var (
	// ErrNoMember tells that nobody has that name.
	ErrNoMember = errors.New("account: there is no member of that name")
	// ErrTaken tells that somebody has that name.
	ErrTaken = errors.New("account: the name is taken")
	// ErrInvite tells that an invite is unknown, used up or over.
	ErrInvite = errors.New("account: the invite is unknown, used up or over")
	// ErrContended tells that others changed the member all the time. Nothing was changed.
	ErrContended = errors.New("account: others change the member at the same time")
)

// Keys of the store.
const (
	memberPrefix = "member/"
	invitePrefix = "invite/"
)

func memberKey(key string) string { return memberPrefix + key }

// memberRecord is a member in the store and, a line each, in an export.
type memberRecord struct {
	Name        string    `json:"name"`            // as it is shown
	Email       string    `json:"email,omitempty"` //
	Hash        string    `json:"hash"`            // PHC string
	Quota       *Quota    `json:"quota,omitempty"`
	Created     time.Time `json:"created"`
	PasswordSet time.Time `json:"password_set,omitzero"`
	SignedIn    time.Time `json:"signed_in,omitzero"`
	// ID is of this account among all that have had its name, Known of this password: what
	// counts a member's requests, and remembers where the member signed in, is under these,
	// so that nobody inherits it. Both are random, and no part of an export.
	ID    string `json:"id,omitempty"`
	Known string `json:"known,omitempty"`
}

// newID is one that no other account has.
func newID() string { return hex.EncodeToString(randomBytes(12)) }

// stored is a member's record with its place in the store.
type stored struct {
	memberRecord
	name Name
	at   session.Record
}

func (s *stored) member() Member {
	return Member{Name: s.name, Email: s.Email, Quota: s.Quota, Created: s.Created, PasswordSet: s.PasswordSet, SignedIn: s.SignedIn}
}

// change writes the record as it is now, provided that nobody else did since it was read. It is
// told to nobody: no process remembers members by the store's feed.
func (s *stored) change() (session.Change, error) {
	return s.write(session.Unchanged(s.at))
}

func (s *stored) write(when session.Condition) (session.Change, error) {
	value, err := json.Marshal(s.memberRecord)
	return session.Change{Key: memberKey(s.name.Key), Value: value, If: when, Quiet: true}, err
}

// parseMember reads a record. The error names the member and quotes nothing.
func parseMember(r session.Record) (*stored, error) {
	s := &stored{at: r}
	if err := json.Unmarshal(r.Value, &s.memberRecord); err != nil {
		return nil, fmt.Errorf("account: the record %q cannot be read", r.Key)
	}
	name, err := ParseName(s.memberRecord.Name)
	if err != nil || memberKey(name.Key) != r.Key {
		return nil, fmt.Errorf("account: the record %q is not of the member that it names", r.Key)
	}
	s.name = name
	return s, nil
}
