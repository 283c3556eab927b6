package account

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// Bounds of an invite: of how many accounts can be made with it, and of how long it lasts.
const (
	InviteUsesMost  = 10_000
	InviteLastsMost = 366 * 24 * time.Hour
)

const (
	inviteBytes = 16 // random; nobody guesses one of 2^128
	inviteChars = 26
)

// base32Text is without padding; RFC 4648 §6's letters can be read out on a telephone.
var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// inviteRecord is what the store keeps of an invite, under the hash of its code.
type inviteRecord struct {
	Uses    int       `json:"uses"` // that are left
	Created time.Time `json:"created"`
}

// Invite makes a code with which uses accounts can be made, for the time ttl. It is shown this
// once: the store keeps its SHA-256.
func (m *Members) Invite(ctx context.Context, ttl time.Duration, uses int) (code string, err error) {
	if ttl < time.Second || ttl > InviteLastsMost || uses < 1 || uses > InviteUsesMost {
		return "", fmt.Errorf("account: an invite for %d accounts and %v: it is for 1 to %d, and a second to 366 days", uses, ttl, InviteUsesMost)
	}
	code = strings.ToLower(base32Text.EncodeToString(randomBytes(inviteBytes)))
	key, _ := inviteKey(code)
	now := m.now()
	value, err := json.Marshal(inviteRecord{uses, now})
	if err != nil {
		return "", err
	}
	change := session.Change{Key: key, Value: value, Expires: now.Add(ttl), If: session.Absent(), Quiet: true}
	return code, m.store.Apply(ctx, change)
}

// inviteKey is where an invite is. Case, spaces and hyphens do not matter in a code.
func inviteKey(code string) (key string, ok bool) {
	code = strings.Map(func(c rune) rune {
		if c == '-' || c == ' ' {
			return -1
		}
		return c
	}, strings.ToUpper(strings.TrimSpace(code)))
	raw, err := base32Text.DecodeString(code)
	if err != nil || len(code) != inviteChars || len(raw) != inviteBytes {
		return "", false
	}
	sum := sha256.Sum256(raw)
	return invitePrefix + hex.EncodeToString(sum[:]), true
}

// use is the change that uses an invite up by one, provided that nobody else does at the same
// time; or [ErrInvite].
func (m *Members) use(ctx context.Context, code string) (session.Change, error) {
	key, ok := inviteKey(code)
	if !ok {
		return session.Change{}, ErrInvite
	}
	r, err := m.store.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return session.Change{}, ErrInvite
	}
	if err != nil {
		return session.Change{}, err
	}
	var left inviteRecord
	if err = json.Unmarshal(r.Value, &left); err != nil || left.Uses < 1 {
		return session.Change{}, ErrInvite
	}
	change := session.Change{Key: key, Expires: r.Expires, If: session.Unchanged(r), Quiet: true}
	if left.Uses--; left.Uses > 0 {
		change.Value, err = json.Marshal(left)
	}
	return change, err
}

// Redeem makes a member by an invite, both in one step. The error is an [*Invalid],
// [ErrInvite], [ErrTaken] or [ErrBusy].
func (m *Members) Redeem(ctx context.Context, code, name, password, email string) (Member, error) {
	if _, err := m.use(ctx, code); err != nil {
		return Member{}, err // before the password costs anything
	}
	s, err := m.prepare(ctx, name, password, email)
	if err != nil {
		return Member{}, err
	}
	err = m.join(ctx, s, &code, func(changes []session.Change) error { return m.store.Apply(ctx, changes...) })
	if err != nil {
		return Member{}, err
	}
	return s.member(), nil
}

// join lets apply make a new member, by an invite unless code is nil. It asks anew when the
// invite was used by somebody else at the same time.
func (m *Members) join(ctx context.Context, s *stored, code *string, apply func([]session.Change) error) error {
	for range attemptsMost {
		change, err := s.write(session.Absent())
		if err != nil {
			return err
		}
		changes := []session.Change{change}
		if code != nil {
			if change, err = m.use(ctx, *code); err != nil {
				return err
			}
			changes = append(changes, change)
		}
		if err = apply(changes); !errors.Is(err, session.ErrConflict) {
			return err
		}
		if _, err = m.store.Get(ctx, memberKey(s.name.Key)); err == nil {
			return ErrTaken
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return ErrContended
}
