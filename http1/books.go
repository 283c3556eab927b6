package http1

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
)

// Ledger counts requests. Each begins with the first byte of its head and ends in one of
// the columns below Begun; Open are those that have not ended yet.
type Ledger struct {
	Begun     int64 `json:"begun"`
	Completed int64 `json:"completed"`
	Refused   int64 `json:"refused"`
	Aborted   int64 `json:"aborted"`
	Forced    int64 `json:"forced"`
	Open      int64 `json:"open"`
}

// Balance returns nil when the columns add up to what was begun.
func (l Ledger) Balance() error {
	if sum := l.Completed + l.Refused + l.Aborted + l.Forced + l.Open; sum != l.Begun {
		return fmt.Errorf("http1: %d requests begun, but %d accounted for (%+v)", l.Begun, sum, l)
	}
	return nil
}

// LogValue makes the columns attributes of a log record.
func (l Ledger) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int64("begun", l.Begun), slog.Int64("completed", l.Completed), slog.Int64("refused", l.Refused),
		slog.Int64("aborted", l.Aborted), slog.Int64("forced", l.Forced), slog.Int64("open", l.Open),
	)
}

// books is a ledger being kept.
type books struct {
	begun, open atomic.Int64
	ended       [4]atomic.Int64 // by Ending
}

func (b *books) begin() {
	b.begun.Add(1)
	b.open.Add(1)
}

// unbegin takes back a begin: the bytes were no request after all.
func (b *books) unbegin() {
	b.begun.Add(-1)
	b.open.Add(-1)
}

func (b *books) end(e Ending) {
	b.ended[e].Add(1)
	b.open.Add(-1)
}

// Ledger is the requests' account. It is exact when no request is under way.
func (s *Server) Ledger() Ledger {
	b := &s.books
	return Ledger{
		Begun: b.begun.Load(), Open: b.open.Load(),
		Completed: b.ended[Completed].Load(), Refused: b.ended[Refused].Load(),
		Aborted: b.ended[Aborted].Load(), Forced: b.ended[Forced].Load(),
	}
}

// ending is e, unless the connection was cut by force: then that is what ended it.
func (v *visit) ending(e Ending) Ending {
	if v.conn.Forced() {
		return Forced
	}
	return e
}

// account books an exchange that the handler is done with.
func (v *visit) account(res *Result) {
	end := v.ending(Completed)
	reason, refused := errors.AsType[*Reason](res.Err)
	switch {
	case refused:
		end = Refused
		v.server.refused(reason, v.id(), &v.peer)
	case res.Cut:
		end = v.ending(Aborted)
	}
	if v.close(end) {
		x := &v.w.exchange
		v.observe(&Record{
			Status: res.Status, Bytes: res.Bytes, Detached: res.Detached, Err: res.Err, Reason: reason, Ending: end,
			Client: x.Asker(), Scheme: x.Head.Scheme(), CallerID: x.CallerID, Route: x.Route,
		})
	}
}

// open and close book the beginning and the end of a request. close reports whether
// somebody wants to know more.
func (v *visit) open() {
	v.begun, v.pending = v.conn.Begun(), true
	v.server.books.begin()
	v.seq.Store(v.conn.Count()) // from here on tell speaks of it
}

func (v *visit) close(e Ending) (observed bool) {
	v.pending = false
	v.server.books.end(e)
	v.tellEnd(e.String())
	return v.server.Observe != nil
}

// observe shows a request that has ended to the observer. rec says how it ended; the rest
// is filled in here.
func (v *visit) observe(rec *Record) {
	h := &v.w.head
	if h.Method != nil {
		rec.Method, rec.Target, rec.Authority = methodString(h.Method), string(h.Target), string(h.Authority)
	}
	if v.w.exchange.SecretQuery {
		rec.Target = concealed(rec.Target)
	}
	if h.Target != nil {
		rec.Proto = protoString(h.Minor)
	}
	rec.ID = formatID(v.id())
	rec.Start, rec.Duration = v.begun, time.Since(v.begun)
	rec.Peer, rec.Local, rec.TLS = v.peer.Remote, v.peer.Local, v.peer.TLS
	if rec.Scheme == "" { // no handler saw it
		own := exchange.Head{Secure: v.peer.TLS != nil}
		rec.Client, rec.Scheme = v.peer.Remote, own.Scheme()
	}
	v.server.Observe(rec)
}

// concealed is a target without its query. No target has a "<" in it: a query cannot look so.
func concealed(target string) string {
	path, _, has := strings.Cut(target, "?")
	if !has {
		return target
	}
	return path + "?<concealed>"
}

// Plus is the account of two servers together.
func (l Ledger) Plus(m Ledger) Ledger {
	return Ledger{
		Begun: l.Begun + m.Begun, Completed: l.Completed + m.Completed, Refused: l.Refused + m.Refused,
		Aborted: l.Aborted + m.Aborted, Forced: l.Forced + m.Forced, Open: l.Open + m.Open,
	}
}
