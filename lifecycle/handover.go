package lifecycle

import (
	"errors"
	"sync"
	"time"
)

// handOverDelay is the lame duck of a hand-over. The listeners are closed then and the
// successor serves, so it costs nobody anything; a kept-alive connection on which a request
// comes in that time is answered once more, and told.
const handOverDelay = time.Second

// ErrStopping is that there is nothing left to hand over.
var ErrStopping = errors.New("the server is stopping")

// handOver is the decision between a hand-over and a stop, of which only one can come first.
type handOver struct {
	once      sync.Once
	committed chan struct{} // closed when a successor has taken over
	stopping  chan struct{} // closed when a stop, a hand-over included, has begun

	mu        sync.Mutex
	begun     bool
	successor int
}

func (h *handOver) setUp() {
	h.once.Do(func() { h.committed, h.stopping = make(chan struct{}), make(chan struct{}) })
}

// HandOver begins the stop of a process whose listening sockets a successor has, and accepts
// from; this is its process id. give makes them the successor's: it tells the Target. It must
// not block, for a stop that begins meanwhile waits for it. HandOver returns give's error, and
// then nothing has changed; and [ErrStopping], without a call of give, when a stop has
// begun. A signal that comes later is the first of its kind, and the second forces.
func (s *Stop) HandOver(successor int, give func() error) error {
	h := &s.handOver
	h.setUp()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun || h.successor != 0 {
		return ErrStopping
	}
	if err := give(); err != nil {
		return err
	}
	h.successor = successor
	close(h.committed)
	return nil
}

// Stopping is closed when the stop begins. Successor is known by then.
func (s *Stop) Stopping() <-chan struct{} {
	s.handOver.setUp()
	return s.handOver.stopping
}

// Successor is the process that was handed over to; 0 for none.
func (s *Stop) Successor() int {
	s.handOver.mu.Lock()
	defer s.handOver.mu.Unlock()
	return s.handOver.successor
}

// begin lets nobody be handed over to any more, and returns who has been.
func (h *handOver) begin() (successor int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = true
	close(h.stopping)
	return h.successor
}
