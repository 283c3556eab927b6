package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

const (
	// socketMode is the owner's alone.
	socketMode = 0o600
	// connectionsLimit is how many may be connected at a time: people and their scripts.
	connectionsLimit = 16
	// requestTimeout is for a request's line and for the pause before it, and again for
	// the answer to be taken.
	requestTimeout = 5 * time.Second
	// closePatience is what is under way gets when the server closes.
	closePatience = 200 * time.Millisecond
	// acceptPause is between two accepts that failed.
	acceptPause = 100 * time.Millisecond
)

// A TakenError is that another process has the name. [conn.ErrSocketLive] is in its chain.
type TakenError struct {
	PID int // of the other process; 0 when it is not known
	err error
}

func (e *TakenError) Error() string { return e.err.Error() }

// Unwrap returns what binding the name said.
func (e *TakenError) Unwrap() error { return e.err }

// A Server answers on a socket while it has its name: between Take and Release, once each. Its fields are
// set before the first Take and not changed afterwards. The methods may be called by any
// goroutine.
type Server struct {
	// Place tells the socket's path, at most conn.UnixPathBytes long, and makes its
	// directory where need be. Each Take asks.
	Place   func() (path string, err error)
	Verbs   Verbs
	Version string       // of this binary
	Log     *slog.Logger // nil discards

	who func(*net.UnixConn) (Peer, error) // nil for the kernel's word

	taking   sync.Mutex // before mu
	mu       sync.Mutex
	listener net.Listener  // nil without the name
	accepted chan struct{} // closed when listener's loop has returned
	released bool          // the name is somebody else's from now on
	closing  bool
	outcome  any
	conns    map[*net.UnixConn]struct{} // answered by a goroutine that wg owns
	kept     []*net.UnixConn            // told the outcome, for the kernel to close

	once    sync.Once
	context context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

func (s *Server) setUp() {
	s.once.Do(func() {
		s.context, s.cancel = context.WithCancel(context.Background())
		s.conns = map[*net.UnixConn]struct{}{}
		if s.Log == nil {
			s.Log = slog.New(slog.DiscardHandler)
		}
		if s.who == nil {
			s.who = peerOf
		}
	})
}

// Take binds the name and answers on it from then on, in a goroutine that Release waits for. A
// name that is this server's already stays so. An error of Place comes back as it is;
// [*TakenError] says that another process has it.
func (s *Server) Take(ctx context.Context) error {
	path, err := s.take(ctx)
	if errors.Is(err, conn.ErrSocketLive) {
		return &TakenError{PID: ownerOf(ctx, path), err: err}
	}
	return err
}

func (s *Server) take(ctx context.Context) (path string, err error) {
	s.setUp()
	s.taking.Lock() // another lock than mu: a disk that hangs must not keep Close from closing
	defer s.taking.Unlock()
	if has, err := s.has(); has || err != nil {
		return "", err
	}
	if path, err = s.Place(); err != nil {
		return "", err
	}
	l, err := conn.ListenUnixMode(ctx, path, socketMode)
	if err != nil {
		return path, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.released {
		_ = l.Close()
		return path, net.ErrClosed
	}
	s.listener, s.accepted = l, make(chan struct{})
	go s.accept(l, s.accepted)
	s.Log.Debug("control socket", "path", path)
	return path, nil
}

// has tells whether the server has the name; net.ErrClosed when it wants it no more.
func (s *Server) has() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.released {
		return false, net.ErrClosed
	}
	return s.listener != nil, nil
}

// Inherit is Take from a process that will release the name: it tries again, first after the
// pause and each time after twice as long, up to the longest, until that has happened or ctx
// is done, when it returns the context's error. net.ErrClosed says that this server has released
// it meanwhile.
func (s *Server) Inherit(ctx context.Context, pause, longest time.Duration) error {
	for {
		if _, err := s.take(ctx); !errors.Is(err, conn.ErrSocketLive) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
	}
}

// Release gives the name up: the socket and its lock are gone when it returns, and a successor
// can take them. Who is connected stays so: a hand-over has an answer to give. The server does
// not take the name again, nor does one that waits for it.
func (s *Server) Release() {
	s.mu.Lock()
	l, accepted := s.listener, s.accepted
	s.listener, s.released = nil, true
	s.mu.Unlock()
	if l != nil {
		_ = l.Close()
		<-accepted
	}
}

// Close releases the name and ends what is under way within 200 ms. Those who wait for it get
// the outcome, as JSON, and their connections stay open until the process ends: that is how
// they learn that it has.
func (s *Server) Close(outcome any) {
	s.setUp()
	s.mu.Lock()
	s.closing, s.outcome = true, outcome
	for c := range s.conns {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // nobody is waited for who has yet to ask
	}
	s.mu.Unlock()
	s.cancel()
	s.Release()

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.wg.Wait()
	}()
	select {
	case <-ended:
		return
	case <-time.After(closePatience):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// accept is the loop of a listener, until that is closed.
func (s *Server) accept(l net.Listener, done chan<- struct{}) {
	defer close(done)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.start(nc.(*net.UnixConn))
		case errors.Is(err, net.ErrClosed):
			return
		default: // the lack of a descriptor passes, and no failure here is worth a drain
			s.Log.Warn("control socket: accept failed, trying again", "error", err)
			select {
			case <-s.context.Done():
			case <-time.After(acceptPause):
			}
		}
	}
}

// start answers a connection in a goroutine of its own, unless there are too many.
func (s *Server) start(c *net.UnixConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= connectionsLimit || s.closing {
		_ = c.SetWriteDeadline(time.Now().Add(closePatience)) // a fresh socket has room for it
		_, _ = c.Write(s.answer(nil, errors.New("the control socket has too many connections")).encode())
		_ = c.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	go s.run(c)
}

// answer is what a verb's result, or its error, is told as.
func (s *Server) answer(result any, err error) Answer {
	a := Answer{Protocol: Protocol, PID: os.Getpid(), Version: s.Version}
	if err == nil {
		a.Result, err = marshal(result)
	}
	if err != nil {
		a.Faults = sentences(err)
	}
	return a
}
