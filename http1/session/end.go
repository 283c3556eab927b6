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
// cleared. On an error neither this process nor the client forgets it: it may still be valid,
// and the member has to be told.
func (c *Current) End() error {
	if err := c.ready(); err != nil {
		return err
	}
	s, err := c.Session()
	if err != nil {
		return err
	}
	if s != nil {
		ctx, cancel := c.m.storeContext()
		defer cancel()
		if err := c.m.store.Apply(ctx, removals(s.id, s.Subject(), Condition{})...); err != nil {
			return err
		}
		c.m.ended.Add(1)
	}
	c.ended()
	return nil
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

// EndOne ends the subject's session of that Info.ID. It is fs.ErrNotExist if the subject has
// none of it.
func (m *Manager) EndOne(ctx context.Context, subject, sessionID string) error {
	i, ok := parseID(sessionID)
	if err := validSubject(subject); err != nil || !ok {
		return fmt.Errorf("session: %w", fs.ErrNotExist)
	}
	if _, err := m.store.Get(ctx, indexKey(subject, i)); err != nil {
		return err
	}
	if err := m.store.Apply(ctx, removals(i, subject, Condition{})...); err != nil {
		return err
	}
	m.ended.Add(1)
	return nil
}

// Valid tells whether the subject's session of that Session.ID goes on, as a request of it would
// be told, and counts as one for its idle time: for who holds a response open. The error is *Unavailable.
func (m *Manager) Valid(sessionID, subject string) (bool, error) {
	i, ok := parseID(sessionID)
	if !ok {
		return false, nil
	}
	s, err := m.find(i)
	return err == nil && s != nil && s.Subject == subject, err
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
