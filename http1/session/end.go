package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

const (
	listPage  = 100   // lines that are read at a time
	listLimit = 100   // sessions that are shown
	listRead  = 1_000 // lines that are read for them, those of ended sessions included
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

// EndAll signs the subject out everywhere.
func (m *Manager) EndAll(ctx context.Context, subject string) error {
	if err := validSubject(subject); err != nil {
		return err
	}
	change, _ := NewEpoch(subject)
	if err := m.store.Apply(ctx, change); err != nil {
		return err
	}
	m.ended.Add(1)
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

// Info is a line of the member's page.
type Info struct {
	// ID is that of Session.ID and for EndOne.
	ID                string
	Began, Seen, Ends time.Time
	// Agent is the User-Agent that signed in; whatever the client likes.
	Agent string
}

// List are the sessions of the subject that have not ended, 100 at most, in no order that means
// anything.
func (m *Manager) List(ctx context.Context, subject string) ([]Info, error) {
	if err := validSubject(subject); err != nil {
		return nil, err
	}
	rec, err := m.store.Get(ctx, subjectKey(subject))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	epoch, err := parseEpoch(rec.Value)
	if err != nil {
		return nil, err
	}
	var all []Info
	prefix, after, now := indexPrefix+subject+"/", "", m.clock.read()
	for read := 0; read < listRead; read += listPage {
		page, err := m.store.List(ctx, prefix, after, listPage)
		if err != nil {
			return nil, err
		}
		for i := range page {
			after = page[i].Key
			if info, ok := m.line(&page[i], prefix, epoch, now); ok && len(all) < listLimit {
				all = append(all, info)
			}
		}
		if len(page) < listPage || len(all) == listLimit {
			break
		}
	}
	return all, nil
}

// line is what an indexed record shows, if its session is valid.
func (m *Manager) line(rec *Record, prefix, epoch string, now time.Time) (Info, bool) {
	var l indexed
	if err := json.Unmarshal(rec.Value, &l); err != nil || l.Epoch != epoch || epoch == "" {
		return Info{}, false
	}
	info := Info{ID: strings.TrimPrefix(rec.Key, prefix), Began: l.Began, Seen: l.Seen, Ends: l.Ends, Agent: l.Agent}
	return info, now.Before(l.Ends) && now.Before(l.Seen.Add(m.config.IdleTimeout))
}
