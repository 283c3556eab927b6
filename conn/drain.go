package conn

import (
	"context"
	"time"
)

// Announce begins the lame duck: accepting goes on, and from now on every message should
// say that it is its connection's last ([Conn.Closing]). The connections that are open now
// are what [Server.Roll] will account for.
func (s *Server) Announce() {
	s.setUp()
	if s.announced.CompareAndSwap(false, true) {
		s.tracker.callRoll(time.Now())
		close(s.announcement)
	}
}

// CloseListeners lets the accept loops take what waits in their queues, for 2 s at most,
// and then closes the listeners. When ctx is done before, it closes them at once. When it
// returns no further connection is accepted. A unix socket's path goes first, so that none
// comes between the last accept and the close. A listener whose Serve was never called is
// not known here and stays open. One that was handed over is closed at once: what waits there
// is the successor's. One that shares its port ([ListenShared]) is emptied last, once new
// connections go to another process.
func (s *Server) CloseListeners(ctx context.Context) {
	s.setUp()
	loops := s.acceptors.beginClosing()
	for _, a := range loops {
		if l, ok := a.l.Listener.(interface{ withdraw() }); ok {
			l.withdraw()
		}
		// Wakes a loop that blocks in Accept; it then gives itself fresh deadlines.
		if a.l.handed.Load() || setDeadline(a.l, past) != nil {
			_ = a.l.Close()
		}
	}
	s.steerAway(ctx, loops)
	for _, a := range loops {
		select {
		case <-a.emptied:
		case <-ctx.Done():
			_ = a.l.Close()
			<-a.emptied
		}
	}
	for _, a := range loops {
		_ = a.l.Close()
	}
	s.tracker.seal()
}

// Drain tells every connection that the end has come: idle ones get a last look and
// close, beginnings get a second, requests under way finish. The channel is closed when
// all connections are gone; the goroutine behind it ends then. Call it once, after
// CloseListeners.
func (s *Server) Drain() <-chan struct{} {
	s.setUp()
	for _, c := range s.tracker.all() {
		c.drain()
	}
	s.drainedOnce.Do(func() { close(s.drained) })
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.tracker.wg.Wait()
	}()
	return gone
}

// Overdue writes a line to the log for each connection on which something is still under
// way: what it is, and where its goroutine stands. A stop that has used up most of its time
// calls it, so that whoever holds it up is known before it is cut.
func (s *Server) Overdue() {
	s.setUp()
	s.tellStanding("still under way", s.standing(s.tracker.all()))
}

// Cut ends every connection that is left: its context is cancelled and its socket reset.
// The log gets a line for each, as by Overdue, with where its goroutine stood before. It
// returns how many there were that still had something to do.
func (s *Server) Cut() (busy int) {
	s.setUp()
	left := s.tracker.all()
	standing := s.standing(left)
	for _, c := range left {
		if c.cut() {
			busy++
		}
	}
	s.tellStanding("cut", standing)
	return busy
}
