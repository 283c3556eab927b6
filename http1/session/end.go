package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// End signs the request's session out: it is removed from the store, then the cookie is
// cleared. What it is rotated to meanwhile ends too, if it has a subject. The store is asked
// also where this process knows no such session: an answered sign-out is one. On an error neither
// this process nor the client forgets it: it may still be valid, and the member has to be told.
func (c *Current) End() error {
	if err := c.ready(); err != nil {
		return err
	}
	s, err := c.Session()
	if err != nil {
		return err
	}
	i, ok := c.id()
	known := &record{}
	if s != nil {
		i, ok, known = s.id, true, s.record // it may have begun in this request
	}
	if ok {
		ctx, cancel := c.m.storeContext()
		defer cancel()
		if err := c.m.end(ctx, i, known); err != nil {
			return err
		}
	}
	c.ended()
	return nil
}

// end removes the session of i, or what became of it: known is what is known of that, its subject
// and family.
func (m *Manager) end(ctx context.Context, i id, known *record) error {
	first := known.family(i)
	for range conflictTries {
		rec, err := m.store.Get(ctx, sessionKey(i))
		if errors.Is(err, fs.ErrNotExist) {
			next, ok, err := m.successor(ctx, known.Subject, first)
			if err != nil || !ok || next == i {
				return err
			}
			i = next
			continue
		}
		if err != nil {
			return err
		}
		if s, err := m.parse(rec); err == nil { // a broken one ends too
			known = s.record
			first = known.family(i)
		}
		err = m.store.Apply(ctx, known.removals(i, Unchanged(rec))...)
		if err == nil {
			m.ended.Add(1)
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrConflict
}

// successor is the id that the session of the family has now.
func (m *Manager) successor(ctx context.Context, subject string, first id) (i id, ok bool, err error) {
	if subject == "" {
		return i, false, nil
	}
	rec, err := m.store.Get(ctx, indexKey(subject, first))
	if err != nil {
		return i, false, missing(err)
	}
	return lineSession(rec.Value, first), true, nil
}

// lineSession is the id of the session that a line is about.
func lineSession(line []byte, first id) id {
	var l indexed
	if err := json.Unmarshal(line, &l); err == nil {
		if i, ok := parseID(l.Session); ok {
			return i
		}
	}
	return first
}

// EndAll signs the subject out everywhere; if that is who asks, the cookie is cleared too. With
// an error it may have happened or not.
func (c *Current) EndAll(subject string) error {
	if err := c.ready(); err != nil {
		return err
	}
	s, err := c.Session()
	if err != nil {
		return err
	}
	ctx, cancel := c.m.storeContext()
	defer cancel()
	if err := c.m.EndAll(ctx, subject); err != nil {
		return err
	}
	if s != nil && s.Subject() == subject {
		c.ended()
	}
	return nil
}

// ended makes the client forget its cookie.
func (c *Current) ended() {
	c.session, c.err = nil, nil
	if c.r.Scheme() == "https" { // over plain HTTP a client keeps it anyhow
		c.w.SetCookie(clearing(c.m.cookie))
	}
}

// EndAll signs the subject out everywhere. Then it removes what is left of the ended sessions,
// of 2,000 at most and as far as the store lets it: the next Begin goes on.
func (m *Manager) EndAll(ctx context.Context, subject string) error {
	if err := validSubject(subject); err != nil {
		return err
	}
	change, _ := NewEpoch(subject)
	if err := m.store.Apply(ctx, change); err != nil {
		return err
	}
	m.ended.Add(1)
	m.tidy(ctx, subject, "")
	return nil
}

// EndOne ends the subject's session of that Info.ID, also one that is rotated meanwhile. It is fs.ErrNotExist if the subject has
// none of it.
func (m *Manager) EndOne(ctx context.Context, subject, sessionID string) error {
	first, ok := parseID(sessionID)
	if err := validSubject(subject); err != nil || !ok {
		return fmt.Errorf("session: %w", fs.ErrNotExist)
	}
	line, err := m.store.Get(ctx, indexKey(subject, first))
	if err != nil {
		return err
	}
	return m.end(ctx, lineSession(line.Value, first), &record{Subject: subject, Family: sessionID})
}

// Valid tells whether the subject's session of that Session.ID goes on, rotated or not, as a
// request of it would be told, and counts as one for its idle time: for who holds a response open.
// The error is *Unavailable.
func (m *Manager) Valid(sessionID, subject string) (bool, error) {
	first, ok := parseID(sessionID)
	if err := validSubject(subject); err != nil || !ok {
		return false, nil
	}
	s, err := m.find(first)
	if err != nil || s != nil {
		return s != nil && s.Subject == subject, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.config.StoreTimeout)
	defer cancel()
	line, err := m.store.Get(ctx, indexKey(subject, first))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	current := lineSession(line.Value, first)
	if current == first {
		return false, nil
	}
	s, err = m.find(current)
	return err == nil && s != nil && s.Subject == subject, err
}
