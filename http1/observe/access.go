package observe

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// What a line keeps of the strings that a client chose. A request target may be as
// long as the head's limit: without these, 16 KiB requests fill a disk with log.
const (
	targetLimitBytes    = 1024
	authorityLimitBytes = 256
	methodLimitBytes    = 32
	errorLimitBytes     = 256
	callerIDLimitBytes  = 128
	subjectLimitBytes   = 512
)

// Keys of an access line. They are stable: collectors depend on them.
const (
	keyID        = "id"
	keyCallerID  = "request_id"
	keySubject   = "client_subject"
	keyClient    = "client"
	keyPeer      = "peer"
	keyMethod    = "method"
	keyTarget    = "target"
	keyAuthority = "authority"
	keyProto     = "proto"
	keyStatus    = "status"
	keyBytes     = "bytes"
	keyDuration  = "duration_ms"
	keyTLS       = "tls"
	keyGroup     = "group"
	keyEnding    = "ending"
	keyReason    = "reason"
	keyError     = "error"
	keyDetached  = "detached"
	keyRoute     = "route"
)

// AccessLog returns an observer that logs each record as one line at level Info, with
// the message "request" and the time at which the request ended.
//
// The line holds the request's id, client (unix for one on a unix socket), method,
// target, authority, protocol, status (0 when no response was begun, or none by the
// server), bytes of content, duration in milliseconds, the peer where that is not the
// client but a proxy in front, and, over TLS, the version and the key exchange group, and
// as request_id the id by which a trusted caller knows the request, and as client_subject
// whom the client's verified certificate is for, where there is one. Where the handler took
// the connection over there is detached=true, and where a router found a route, its name. A
// request that did not complete also has
// its ending, the reason code where the parser refused it, and what broke it off. No
// field of the request is logged, so no cookie or credential is either; the target's
// query is, as the client sent it, unless the handler conceals it
// ([http1.Request.ConcealQuery]). Strings are escaped by [Escape] and cut: the target
// at 1024 bytes, the subject at 512, the authority at 256.
//
// The observer may be called by several goroutines at a time, as far as log's handler may.
func AccessLog(log *slog.Logger) func(*http1.Record) {
	handler := log.Handler()
	return func(r *http1.Record) {
		ctx := context.Background()
		if !handler.Enabled(ctx, slog.LevelInfo) {
			return
		}
		line := slog.NewRecord(r.Start.Add(r.Duration), slog.LevelInfo, "request", 0)
		line.AddAttrs(
			slog.String(keyID, r.ID),
			slog.String(keyClient, address(r.Client)),
			slog.String(keyMethod, Escape(r.Method, methodLimitBytes)),
			slog.String(keyTarget, Escape(r.Target, targetLimitBytes)),
			slog.String(keyAuthority, Escape(r.Authority, authorityLimitBytes)),
			slog.String(keyProto, Escape(r.Proto, methodLimitBytes)),
			slog.Int(keyStatus, r.Status),
			slog.Int64(keyBytes, r.Bytes),
			slog.Float64(keyDuration, milliseconds(r.Duration)),
		)
		if r.Peer != r.Client {
			line.AddAttrs(slog.String(keyPeer, address(r.Peer)))
		}
		addTLS(&line, r.TLS)
		if subject := r.ClientSubject(); subject != "" {
			line.AddAttrs(slog.String(keySubject, Escape(subject, subjectLimitBytes)))
		}
		if r.CallerID != "" {
			line.AddAttrs(slog.String(keyCallerID, Escape(r.CallerID, callerIDLimitBytes)))
		}
		if r.Detached {
			line.AddAttrs(slog.Bool(keyDetached, true))
		}
		if r.Route != "" {
			line.AddAttrs(slog.String(keyRoute, r.Route))
		}
		addEnding(&line, r)
		_ = handler.Handle(ctx, line) // a log that cannot be written fails no request
	}
}

// address is without its port where that is not known, and "unix" for the end of a unix
// socket, which has none.
func address(a netip.AddrPort) string {
	switch {
	case !a.IsValid():
		return "unix"
	case a.Port() == 0:
		return a.Addr().String()
	}
	return a.String()
}

// milliseconds rounds to the microsecond: more digits are noise.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

func addTLS(line *slog.Record, state *tls.ConnectionState) {
	if state == nil {
		return
	}
	line.AddAttrs(slog.String(keyTLS, tls.VersionName(state.Version)))
	if state.CurveID != 0 { // none with a resumed TLS 1.2 session
		line.AddAttrs(slog.String(keyGroup, state.CurveID.String()))
	}
}

func addEnding(line *slog.Record, r *http1.Record) {
	if r.Ending != http1.Completed {
		line.AddAttrs(slog.String(keyEnding, r.Ending.String()))
	}
	if r.Reason != nil {
		line.AddAttrs(slog.String(keyReason, r.Reason.Code))
	}
	if r.Err != nil {
		line.AddAttrs(slog.String(keyError, errorText(r.Err)))
	}
}

// errorText leaves out what a handler panicked with: it may quote a secret, and the
// main log has it, with its stack.
func errorText(err error) string {
	var p *http1.PanicError
	if errors.As(err, &p) {
		return "handler panicked"
	}
	return Escape(err.Error(), errorLimitBytes)
}
