package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
)

// Key names a value of type T in sessions:
//
//	var cart = session.NewKey[Cart]("cart")
//
// Two keys of one name are one place.
type Key[T any] struct{ name string }

// NewKey makes a key. It panics on a name that is not 1 to 64 bytes long.
func NewKey[T any](name string) Key[T] {
	if name == "" || len(name) > 64 {
		panic("session: a key's name has 1 to 64 bytes")
	}
	return Key[T]{name}
}

// Get is the value; ok is false without one, or if it is not one of a T: an earlier version of
// the program may have kept something else there.
func (k Key[T]) Get(s *Session) (value T, ok bool) {
	if s == nil {
		return value, false
	}
	raw, ok := s.record.Values[k.name]
	if !ok {
		return value, false
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		var none T
		return none, false
	}
	return value, true
}

// Set keeps the value, as encoding/json has it, and returns once the store has it: other values
// that were changed meanwhile stay as they are then. ErrEnded if the session has ended, alone or
// with all of its subject's, before Set looked; a change of one that ends at the same moment is
// lost with it. ErrTooLarge if it would take more than MaxSessionBytes, or *Unavailable.
func (k Key[T]) Set(ctx context.Context, s *Session, value T) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("session: the value of %q: %w", k.name, err)
	}
	return s.change(ctx, func(r *record) bool {
		r.Values = maps.Clone(r.Values)
		if r.Values == nil {
			r.Values = map[string]json.RawMessage{}
		}
		r.Values[k.name] = raw
		return true
	})
}

// Delete removes the value, as Set sets it.
func (k Key[T]) Delete(ctx context.Context, s *Session) error {
	return s.change(ctx, func(r *record) bool {
		if _, ok := r.Values[k.name]; !ok {
			return false
		}
		r.Values = maps.Clone(r.Values)
		delete(r.Values, k.name)
		return true
	})
}

// change makes another record of the session's, and tries again with what another has made of
// it meanwhile. edit must replace what it changes, and tells whether there is anything to write.
func (s *Session) change(ctx context.Context, edit func(*record) bool) error {
	if s == nil {
		return ErrEnded
	}
	if err := s.inEpoch(ctx); err != nil {
		return err
	}
	for range conflictTries {
		if s.version == 0 {
			if err := s.reread(ctx); err != nil {
				return err
			}
		}
		next := *s.record
		if seen := stamp(s.seen); seen.After(next.Seen) {
			next.Seen = seen
		}
		if !edit(&next) {
			return nil
		}
		if larger, err := s.record.larger(&next); err != nil || larger {
			return cmp.Or(err, ErrTooLarge)
		}
		changes, err := next.writes(s.id, s.m.kept(), Unchanged(Record{Version: s.version}), false)
		if err != nil {
			return err
		}
		s.version = 0 // whatever comes of it
		err = s.m.store.Apply(ctx, changes...)
		if err == nil {
			s.record = &next
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrConflict
}

// inEpoch is ErrEnded unless the session began under its subject's epoch, as the store has it.
func (s *Session) inEpoch(ctx context.Context) error {
	if s.Subject() == "" {
		return nil
	}
	rec, err := s.m.store.Get(ctx, subjectKey(s.Subject()))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrEnded
	}
	if err != nil {
		return err
	}
	epoch, err := parseEpoch(rec.Value)
	if err == nil && epoch != s.record.Epoch {
		err = ErrEnded
	}
	return err
}

// reread takes the session as the store has it.
func (s *Session) reread(ctx context.Context) error {
	rec, err := s.m.store.Get(ctx, sessionKey(s.id))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrEnded
	}
	if err != nil {
		return err
	}
	now, err := s.m.parse(rec)
	if err != nil {
		return err
	}
	s.record, s.version = now.record, now.version
	return nil
}
