package conn

import (
	"fmt"
	"log/slog"
)

// Ledger counts connections. Every accepted one ends in exactly one of the columns below
// Accepted; Open are those that have not ended yet.
type Ledger struct {
	Accepted        int64 `json:"accepted"`
	Quiet           int64 `json:"quiet"`            // ended with no request pending
	Refused         int64 `json:"refused"`          // over a limit
	HandshakeFailed int64 `json:"handshake_failed"` // no TLS session came about
	PeerLeft        int64 `json:"peer_left"`        // broke off, or stalled, in the middle of something
	Forced          int64 `json:"forced"`           // cut by the drain's deadline, a second signal or a panic of ours
	Open            int64 `json:"open"`

	// LateBytes are application bytes that arrived after our FIN: what a client sent
	// into a connection that we had ended. They measure what a stop lost.
	LateBytes int64 `json:"late_bytes"`
}

// Balance returns nil when the columns add up to what was accepted.
func (l Ledger) Balance() error {
	if sum := l.Quiet + l.Refused + l.HandshakeFailed + l.PeerLeft + l.Forced + l.Open; sum != l.Accepted {
		return fmt.Errorf("conn: %d connections accepted, but %d accounted for (%+v)", l.Accepted, sum, l)
	}
	return nil
}

// LogValue makes the columns attributes of a log record.
func (l Ledger) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int64("accepted", l.Accepted), slog.Int64("quiet", l.Quiet), slog.Int64("refused", l.Refused),
		slog.Int64("handshake_failed", l.HandshakeFailed), slog.Int64("peer_left", l.PeerLeft),
		slog.Int64("forced", l.Forced), slog.Int64("open", l.Open), slog.Int64("late_bytes", l.LateBytes),
	)
}

// ending is the column of the ledger that a connection ends in.
type ending uint8

const (
	quiet ending = iota
	refused
	handshakeFailed
	peerLeft
	forced
)

// String is the column's key.
func (e ending) String() string {
	return [...]string{"quiet", "refused", "handshake_failed", "peer_left", "forced"}[e]
}

// column is where e is counted.
func (l *Ledger) column(e ending) *int64 {
	return [...]*int64{&l.Quiet, &l.Refused, &l.HandshakeFailed, &l.PeerLeft, &l.Forced}[e]
}
