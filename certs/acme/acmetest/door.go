package acmetest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

const doorDialTimeout = 5 * time.Second

// Door is a port where the CA validates. It leads each connection to the next of the
// addresses it was given, as a balancer in front of replicas would, and hangs up where
// it has none. It may be turned at any time.
type Door struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	held   chan struct{} // nil unless Hold; closed when the waiting is over
	to     []string
	passed int
	open   map[net.Conn]struct{} // nil once the test has ended
}

func newDoor(tb testing.TB) *Door {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	d := &Door{listener: l, open: make(map[net.Conn]struct{})}
	d.wg.Go(d.accept)
	tb.Cleanup(d.close)
	return d
}

// To leads to these addresses, host:port, from now on.
func (d *Door) To(addresses ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = addresses
	d.letGo()
}

// Hold keeps whoever comes waiting until To is called, for a server under test whose port is
// known once it listens.
func (d *Door) Hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.letGo()
	d.held = make(chan struct{})
}

// letGo is for who holds mu.
func (d *Door) letGo() {
	if d.held != nil {
		close(d.held)
		d.held = nil
	}
}

func (d *Door) wait() {
	d.mu.Lock()
	held := d.held
	d.mu.Unlock()
	if held != nil {
		<-held
	}
}

// Passed is how many connections came so far.
func (d *Door) Passed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passed
}

func (d *Door) port() int { return d.listener.Addr().(*net.TCPAddr).Port }

func (d *Door) accept() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.wg.Go(func() { d.lead(c) })
	}
}

func (d *Door) next() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passed++
	if len(d.to) == 0 {
		return ""
	}
	return d.to[d.passed%len(d.to)]
}

// lead owns c and closes it.
func (d *Door) lead(c net.Conn) {
	defer d.shut(c)
	d.wait()
	to := d.next()
	if !d.track(c) || to == "" {
		return
	}
	server, err := net.DialTimeout("tcp", to, doorDialTimeout)
	if err != nil {
		return
	}
	defer d.shut(server)
	if !d.track(server) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, server) // either side may go at any time
		c.Close()
	})
	_, _ = io.Copy(server, c)
	_ = server.(*net.TCPConn).CloseWrite()
	back.Wait()
}

func (d *Door) track(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		return false
	}
	d.open[c] = struct{}{}
	return true
}

func (d *Door) shut(c net.Conn) {
	c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, c)
}

func (d *Door) close() {
	d.listener.Close()
	d.mu.Lock()
	for c := range d.open {
		c.Close()
	}
	d.open = nil
	d.letGo()
	d.mu.Unlock()
	d.wg.Wait()
}
