package session

import (
	"errors"
	"time"
)

var (
	// ErrEnded is what a change of a session gets that has been signed out or has expired.
	ErrEnded = errors.New("session: it has ended")
	// ErrInsecure is what Begin returns over plain HTTP: the cookie would be anybody's on
	// the way, and no client would send it back.
	ErrInsecure = errors.New("session: none is begun over plain HTTP")
	// ErrTooLarge is what a change gets that would make a session larger than
	// MaxSessionBytes.
	ErrTooLarge = errors.New("session: its values take more than 32 KiB")
	// ErrNotAttached is what a change of the cookie gets where no Manager is attached, or
	// after the handler has returned.
	ErrNotAttached = errors.New("session: no Manager is attached to the request")
	// ErrRunning is what Run returns while it runs already.
	ErrRunning = errors.New("session: Run runs already")
)

// Unavailable tells that the store cannot say, or could not be told: whether a change was made
// is not known. Its text is for clients too; the store's own error, which may name what is not
// theirs to know, goes to the log.
type Unavailable struct {
	// RetryAfter is when to try again.
	RetryAfter time.Duration
}

func (e *Unavailable) Error() string { return "session: the store does not answer" }
