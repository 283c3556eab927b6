package lifecycle

import "time"

// Ask asks for the same stop as a first signal does, for this cause. One that is under way
// goes on as it is: however often it is asked for, it is never forced. Any goroutine may ask
// once Actor has returned; it never blocks.
func (s *Stop) Ask(cause string) {
	select {
	case s.asked <- cause:
	default: // somebody has asked already
	}
}

// Deadline is when what is left will be cut, the zero time unless a stop is under way. Any
// goroutine may ask. Until the listeners begin to close it can move by some milliseconds.
func (s *Stop) Deadline() time.Time {
	if t := s.phase.deadline.Load(); t != nil {
		return *t
	}
	return time.Time{}
}
