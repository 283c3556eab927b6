package conn

// A Pulse looks again and again whether connections are accepted. One goroutine uses it. The
// zero value with a Server is ready.
type Pulse struct {
	Server *Server
	looks  map[*acceptor]look // the last one at each loop
}

// look is how an accept loop was found.
type look struct {
	turns   int64
	waiting bool // somebody was in the queue
}

// Beats tells whether accepting goes on: false when connections wait at a listener, as they did
// at the last call, and its loop has not come round in between. A loop that meets nothing
// but errors comes round, and in the drain nothing is expected.
func (p *Pulse) Beats() bool {
	p.Server.setUp()
	before, beats := p.looks, true
	p.looks = make(map[*acceptor]look)
	for _, a := range p.Server.acceptors.all() {
		now := look{a.turns.Load(), queued(a.l)}
		if then, known := before[a]; known && now.waiting && then == now && !p.Server.isClosing() {
			beats = false
		}
		p.looks[a] = now
	}
	return beats
}

// all are the loops that were ever begun.
func (as *acceptors) all() []*acceptor {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.active[:len(as.active):len(as.active)]
}
