package http1

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// Refusals counts messages by the code of the [Reason] for which they were refused. A code
// that is not there was never given.
type Refusals map[string]int64

// Refusals is what the server has refused so far: every message that the parser turned
// down, content that was broken, too large or too slow, and clear text on a TLS port where
// [Server.PlainOnTLS] answers it. The map is the caller's own.
func (s *Server) Refusals() Refusals {
	s.setUp()
	counted := Refusals{}
	for reason, n := range s.refusals {
		if n := n.Load(); n > 0 {
			counted[reason.Code] = n
		}
	}
	return counted
}

// Plus is the count of two servers together, in a map of its own.
func (r Refusals) Plus(other Refusals) Refusals {
	sum := maps.Clone(other)
	if sum == nil {
		sum = Refusals{}
	}
	for code, n := range r {
		sum[code] += n
	}
	return sum
}

// LogValue makes the codes attributes of a log record, in their order.
func (r Refusals) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, len(r))
	for _, code := range slices.Sorted(maps.Keys(r)) {
		attrs = append(attrs, slog.Int64(code, r[code]))
	}
	return slog.GroupValue(attrs...)
}

// refusals has a counter for each Reason there is. Nothing is added after it was made, so
// that it needs no lock.
type refusals map[*Reason]*atomic.Int64

func newRefusals() refusals {
	counters := refusals{}
	for _, r := range Reasons() {
		counters[r] = new(atomic.Int64)
	}
	return counters
}

// refused counts a refusal and tells of it at debug level: it is the peer's fault, and a
// flood of them must not flood the log. Nothing that the peer chose is in the line.
func (s *Server) refused(r *Reason, id exchange.ID, peer *exchange.Peer) {
	if n, ours := s.refusals[r]; ours {
		n.Add(1)
	}
	ctx := context.Background()
	if !s.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	s.log.LogAttrs(ctx, slog.LevelDebug, "request refused",
		slog.String("code", r.Code), slog.Int("status", r.Status), slog.String("section", r.Section),
		slog.Any("client", peer.Remote), slog.String("request", formatID(id)))
}

// PlainOnTLS is for conn.Listener.NotTLS: it counts and logs a peer that spoke clear text
// where TLS is expected, and returns the answer in HTTP. No request has begun, so the
// ledger knows nothing of it, and the id in the log ends in 0.
func (s *Server) PlainOnTLS(c *conn.Conn) []byte {
	s.setUp()
	s.refused(wire.PlainOnTLS, exchange.ID{Conn: c.ID()}, &exchange.Peer{Remote: c.Remote()})
	return plainOnTLS
}

// plainOnTLS is in HTTP/1.0, which every client takes, and has no length: the connection
// ends behind it.
var plainOnTLS = []byte("HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n" + refusalText(wire.PlainOnTLS))
