package session

import (
	"context"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// Current is a request's handle on its session. It is used like the Response: by one goroutine
// at a time, and until the handler returns. A nil Current has no session and begins none.
type Current struct {
	m *Manager
	w *http1.Response // nil once the handler has returned
	r *http1.Request

	asked   bool
	session *Session
	err     error
	own     Session // what session points to
}

// detach ends the handle with its request.
func (c *Current) detach() { c.w, c.r, c.asked = nil, nil, true }

// Session is the session the request belongs to, nil without one. The error is *Unavailable:
// the store cannot say. It asks once for each request, and adds no more than the StoreTimeout.
//
// The response then gets "Cache-Control: no-store" and "Vary: Cookie", unless the handler sets
// these fields itself: what is made for one client is not to be shown to another.
func (c *Current) Session() (*Session, error) {
	if c == nil {
		return nil, nil
	}
	if !c.asked {
		c.asked = true
		c.w.SetDefault("Cache-Control", "no-store")
		c.w.SetDefault("Vary", "Cookie")
		c.session, c.err = c.find()
	}
	return c.session, c.err
}

func (c *Current) find() (*Session, error) {
	i, ok := c.id()
	if !ok {
		return nil, nil
	}
	s, err := c.m.find(i)
	if s == nil || err != nil {
		return nil, err
	}
	c.own = Session{m: c.m, id: i, record: s.record, version: s.version, seen: time.Unix(0, s.seen.Load())}
	return &c.own, nil
}

// id is that of the session that the request's cookie is for.
func (c *Current) id() (i id, ok bool) {
	if c.r.Scheme() != "https" {
		return i, false // anybody on the way may have sent it
	}
	cookies := finder{name: c.m.cookie}
	for field := range c.r.FieldViews("Cookie") {
		cookies.read(field)
	}
	token, ok := cookies.token()
	return newID(token), ok
}

// Manager is the one that is attached; nil for a nil Current.
func (c *Current) Manager() *Manager {
	if c == nil {
		return nil
	}
	return c.m
}

// ready tells whether the response's cookie can still be changed.
func (c *Current) ready() error {
	switch {
	case c == nil || c.w == nil:
		return ErrNotAttached
	case c.w.Committed():
		return http1.ErrCommitted
	}
	return nil
}

// storeContext is for calls that go on when the client has left: it is told by the outcome.
func (m *Manager) storeContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), m.config.StoreTimeout+m.config.WriteTimeout)
}

// Session is what a request's session was when it was asked for, and what this request has
// changed since. One goroutine at a time may use it.
type Session struct {
	m       *Manager
	id      id
	record  *record
	version int64 // 0 when it is not known
	seen    time.Time
}

// Subject is whose session it is, "" for one that nobody has signed in to.
func (s *Session) Subject() string { return s.record.Subject }

// ID names the session for the member's page, and stays when it is rotated. It is no secret:
// nobody can sign in with it.
func (s *Session) ID() string { return s.record.family(s.id).String() }

// Began is when the session began; a rotation is no beginning.
func (s *Session) Began() time.Time { return s.record.Began }

// Seen is when the client was seen last, this request included.
func (s *Session) Seen() time.Time { return s.seen }

// Ends is when the session ends at the latest.
func (s *Session) Ends() time.Time { return s.record.Ends }

// Agent is the client's User-Agent when the session began, at most 256 bytes of it.
func (s *Session) Agent() string { return s.record.Agent }
