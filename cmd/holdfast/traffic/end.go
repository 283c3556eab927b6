package traffic

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// An End is how a request ended. Only OK is none of the losses.
type End uint8

// The ends of a request. Fresh is a connection that has carried no response yet, its
// handshake included; reused is one that has, on which almost every client asks an
// idempotent request again by itself (RFC 9110 §9.2.2).
const (
	OK           End = iota
	Refused          // nobody listened
	ResetFresh       // RST before the first byte of a response
	ClosedFresh      // another end before it: FIN, close_notify, an alert
	ResetReused      // as ResetFresh
	ClosedReused     // as ClosedFresh
	Truncated        // the response had begun, and the connection ended before its end
	Corrupt          // whole, but with other bytes than were to come, or no HTTP/1.1
	WrongStatus      // whole, with another status than 200
	TimedOut         // nothing came for too long
	Unfinished       // the load itself was ended
	endCount
)

// endNames are the ends as JSON and tables name them.
var endNames = [endCount]string{
	"ok", "refused", "reset_fresh", "closed_fresh", "reset_reused", "closed_reused",
	"truncated", "corrupt", "wrong_status", "timed_out", "unfinished",
}

// String is the end's name, which is stable.
func (e End) String() string { return endNames[e] }

// Ends are all of them, in their order.
func Ends() []End {
	all := make([]End, endCount)
	for i := range all {
		all[i] = End(i)
	}
	return all
}

// retried tells whether a real client would ask again without a word to its user.
func (e End) retried() bool { return e == ResetReused || e == ClosedReused }

// Errors of a response that came and is wrong.
var (
	errCorrupt     = errors.New("corrupt")
	errWrongStatus = errors.New("wrong status")
)

// A moment is how far a request had come when it broke.
type moment struct {
	dialing bool // no connection yet
	reused  bool
	begun   bool // a byte of the response had come
}

// endOf is the end of a request that err broke, nil for none.
func endOf(err error, at moment) End {
	var timeout net.Error
	switch {
	case err == nil:
		return OK
	case errors.Is(err, errCorrupt):
		return Corrupt
	case errors.Is(err, errWrongStatus):
		return WrongStatus
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	case at.dialing && errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case at.begun:
		return Truncated
	}
	reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case reset && at.reused:
		return ResetReused
	case reset:
		return ResetFresh
	case at.reused:
		return ClosedReused
	}
	return ClosedFresh
}

// whole makes the end of the stream an error: more was to come.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
