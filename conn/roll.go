package conn

import (
	"cmp"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// rollLimit is how many connections a roll names; more are only counted. A name is about
// 300 bytes, and a report of more lines has no reader.
const rollLimit = 10_000

// Phase is where a connection, or what is under way on it, stands: a [State] seen more
// closely.
type Phase string

// The phases. The first three owe the peer nothing.
const (
	PhaseNew       Phase = "new"       // nothing was asked yet
	PhaseHandshake Phase = "handshake" // preface or TLS handshake
	PhaseIdle      Phase = "idle"      // between two requests
	PhaseHead      Phase = "head"      // of a request has begun to come
	PhaseBody      Phase = "body"      // the handler waits for content
	PhaseHandler   Phase = "handler"   // the handler is at work
	PhaseWriting   Phase = "writing"   // bytes wait for the peer to take them
	PhaseDetached  Phase = "detached"  // the handler took the stream over
	PhaseClosing   Phase = "closing"   // the handler is done; the peer has not closed its half yet
)

// Traffic is what a connection has carried, in bytes of the socket: with TLS's own, and
// with what the kernel took and the peer has not got yet.
type Traffic struct{ Received, Sent int64 }

func (t Traffic) since(from Traffic) Traffic {
	return Traffic{t.Received - from.Received, t.Sent - from.Sent}
}

// A Task is what a handler has under way on a connection, as the handler tells it.
type Task struct {
	ID    string
	About []slog.Attr // what it is, in short texts that are safe to show
	Begun time.Time
	Phase Phase
	From  Traffic // of its connection when it began
}

// Tell is how a handler tells what is under way on its connection; false for nothing. Any
// goroutine may call it, at any time until the handler has returned, and it must not wait
// for the peer or for the handler. With a Follower, which then comes once at most, the
// handler tells that one how this task ended.
type Tell func(f *Follower) (Task, bool)

// A Follower hears how a task ended.
type Follower struct {
	mu  sync.Mutex
	how string
	at  time.Time
}

// Ended says how the task ended, in a word that a report shows. It is called once.
func (f *Follower) Ended(how string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.how, f.at = how, time.Now()
}

// TellBy says whom to ask what is under way; nil for nobody, as it is again once ServeConn
// has returned.
func (c *Conn) TellBy(tell Tell) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell = tell
}

// Traffic is what the connection has carried so far. Any goroutine may ask.
func (c *Conn) Traffic() Traffic { return Traffic{c.sock.received.Load(), c.sock.sent.Load()} }

// whose is Remote for any goroutine: a preface may be about to change it.
func (c *Conn) whose() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote
}

// stand is where c stands, and what is under way on it; nil for nothing.
func (c *Conn) stand(f *Follower) (Phase, *Task) {
	c.mu.Lock()
	tell, phase := c.tell, c.phase()
	c.mu.Unlock()
	if tell == nil {
		return phase, nil
	}
	task, under := tell(f) // not under c.mu: the handler has locks of its own around ours
	if !under {
		return phase, nil
	}
	if phase == PhaseWriting || phase == PhaseDetached {
		task.Phase = phase
	}
	return task.Phase, &task
}

// phase is what is known without the handler. The caller holds c.mu.
func (c *Conn) phase() Phase {
	switch c.state {
	case New:
		if c.clock == clockHandshake && !c.until.IsZero() {
			return PhaseHandshake
		}
		return PhaseNew
	case Idle:
		return PhaseIdle
	case Detached:
		return PhaseDetached
	case Closed:
		return PhaseClosing
	}
	switch {
	case c.sock.writing.Load():
		return PhaseWriting
	case c.clock == clockHead:
		return PhaseHead
	case c.clock == clockBody:
		return PhaseBody
	}
	return PhaseHandler
}

// A Roll names who was there when a stop was announced, and what became of each.
type Roll struct {
	At       time.Time // of the announcement; zero when there was none
	Open     int       // connections at that time; those beyond 10,000 have no entry
	Accepted int64     // up to then
	Entries  []Entry   // in the order of their accepts
}

// An Entry is one connection of a Roll.
type Entry struct {
	ID     uint64
	Client netip.AddrPort // not valid for a unix socket
	Age    time.Duration  // at the announcement
	Phase  Phase          // at the announcement
	Then   Traffic        // until the announcement
	Task   *TaskEntry     // what was under way at the announcement; nil for nothing
	Late   int64          // application bytes that came after our FIN

	Outcome
}

// A TaskEntry is what was under way on a connection.
type TaskEntry struct {
	ID    string
	About []slog.Attr
	Age   time.Duration // at the announcement
	Phase Phase         // at the announcement
	Then  Traffic       // from its beginning to the announcement

	Outcome
}

// An Outcome is how a connection or a task ended.
type Outcome struct {
	End     string        // a column of the ledger, such as "quiet"; empty while it has not ended
	After   time.Duration // from the announcement to the end
	Carried Traffic       // from its beginning until the connection's end: a request may end with its answer unsent
}

// Roll is the account by name of the connections that were open when the stop was
// announced, as it stands. The copy is the caller's. Any goroutine may ask.
func (s *Server) Roll() Roll { return s.tracker.rollNow() }

// roll is a Roll being kept, by the tracker and under its lock.
type roll struct {
	at       time.Time
	open     int
	accepted int64
	lines    []*rollLine
	byConn   map[*Conn]*rollLine // those that have not ended
}

type rollLine struct {
	conn     *Conn // nil once it has ended
	entry    Entry
	from     Traffic // of the task
	follower *Follower
}

// callRoll notes who is there. Where there are too many, those of which somebody waits for
// an answer go first.
func (t *tracker) callRoll(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &roll{at: at, open: len(t.conns), accepted: t.books.Accepted, byConn: map[*Conn]*rollLine{}}
	for _, everyone := range []bool{false, true} {
		for c := range t.conns {
			if (everyone || c.State() != Idle) && len(r.lines) < rollLimit && r.byConn[c] == nil {
				r.note(c)
			}
		}
	}
	t.roll = r
}

func (r *roll) note(c *Conn) {
	l := &rollLine{conn: c, follower: new(Follower)}
	phase, task := c.stand(l.follower)
	l.entry = Entry{ID: c.id, Client: c.whose(), Age: r.at.Sub(c.accepted), Phase: phase, Then: c.Traffic()}
	if task != nil {
		l.from = task.From
		l.entry.Task = &TaskEntry{ID: task.ID, About: task.About, Age: r.at.Sub(task.Begun), Phase: task.Phase, Then: l.entry.Then.since(task.From)}
	}
	r.lines = append(r.lines, l)
	r.byConn[c] = l
}

// ended books the end of a connection. A roll that was not called takes no notice.
func (r *roll) ended(c *Conn, e ending, late int64) {
	if r == nil || r.byConn[c] == nil {
		return
	}
	l := r.byConn[c]
	delete(r.byConn, c)
	l.conn = nil
	l.entry.Late = late
	l.entry.Outcome = Outcome{End: e.String(), After: time.Since(r.at), Carried: c.Traffic()}
}

func (t *tracker) rollNow() Roll {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.roll == nil {
		return Roll{}
	}
	r := Roll{At: t.roll.at, Open: t.roll.open, Accepted: t.roll.accepted}
	for _, l := range t.roll.lines {
		r.Entries = append(r.Entries, l.now(r.At))
	}
	slices.SortFunc(r.Entries, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	return r
}

// now is the entry as it stands.
func (l *rollLine) now(at time.Time) Entry {
	e := l.entry
	if l.conn != nil {
		e.Carried = l.conn.Traffic()
	}
	if e.Task == nil {
		return e
	}
	task := *e.Task
	task.Carried = e.Carried.since(l.from)
	l.follower.mu.Lock()
	defer l.follower.mu.Unlock()
	if l.follower.how != "" {
		task.End, task.After = l.follower.how, l.follower.at.Sub(at)
	}
	e.Task = &task
	return e
}
