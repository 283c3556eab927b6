package conn

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Steering. Processes that share a port are a group, in which the kernel has numbered them: a
// new one gets the next number, and when one leaves, the last moves into its place. A program
// of one instruction sends all new connections to one number. So the leaving one has to find a
// number that is not its own, and nobody tells it which that is: by age it would be
// wrong as soon as three had been there.
//
// It asks the kernel by doing: it steers to 0 and connects to its own address from the
// loopback. A probe that arrives in its own queue says that it is number 0 itself, and then 1
// is another's, if there is another. Two probes are enough, however many share the port.
// One that arrives elsewhere is a connection that says nothing and goes.
const (
	// settleTime is how long the queue is still watched once nobody new comes: handshakes
	// that had begun take a round trip to arrive in it.
	settleTime = 500 * time.Millisecond
	// probeTime is how long a probe may take; the loopback takes microseconds.
	probeTime = 500 * time.Millisecond
	// probeTurns is how many accepts that found nothing, after a probe had connected,
	// tell that it is not in our queue. The first may have begun before.
	probeTurns = 2
)

// steering is an accept loop's part in it.
type steering struct {
	staying atomic.Bool  // the loop of a shared port goes on although its queue is empty
	empty   atomic.Int64 // accepts that found the queue empty

	mu     sync.Mutex
	probes map[netip.AddrPort]chan struct{} // each closed when it is accepted here
}

// stays tells a loop whose queue is empty whether to look again.
func (st *steering) stays() bool {
	st.empty.Add(1)
	return st.staying.Load()
}

// isProbe tells whether an accepted connection is a probe of ours, and then closes it.
func (st *steering) isProbe(nc net.Conn) bool {
	if !st.staying.Load() {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	from := addrPort(nc.RemoteAddr())
	arrived := st.probes[from]
	if arrived == nil {
		return false
	}
	delete(st.probes, from)
	close(arrived)
	_ = nc.Close()
	return true
}

// steerAway sends new connections to others who share the port, and lets the loops end when
// what was on its way has come. Loops whose port nobody shares are not touched.
func (s *Server) steerAway(ctx context.Context, loops []*acceptor) {
	var shared sync.WaitGroup
	for _, a := range loops {
		l, ok := a.l.Listener.(*sharedListener)
		if !ok || a.l.handed.Load() {
			continue
		}
		shared.Go(func() {
			defer a.staying.Store(false)
			if alone := a.leave(ctx, l); !alone {
				s.log.Debug("new connections go to another process", "address", l.Addr().String())
			}
		})
	}
	shared.Wait()
}

// steer finds a number in the group that is not ours, and leaves new connections to it. It
// tells when nobody else is in the group. Where probes fail number 1 it is: whoever else
// is there most likely came later.
func (a *acceptor) steer(ctx context.Context, l *sharedListener) (index uint32, alone bool) {
	alone = true
	for index = range uint32(2) {
		if l.steer(index) != nil {
			return index, true // on a kernel that cannot
		}
		ours, err := a.probe(ctx, l.Addr())
		if err == nil && !ours {
			return index, false
		}
		alone = alone && ours
	}
	return index, alone
}

// probe connects to the shared address, and tells whether that came to us.
func (a *acceptor) probe(ctx context.Context, to net.Addr) (ours bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	arrived := make(chan struct{})
	// The loop has to know the port that it comes from before it comes.
	dialer := net.Dialer{Control: func(network, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) {
			var from netip.AddrPort
			if from, err = bindLoopback(int(fd), network == "tcp6"); err == nil {
				a.expect(from, arrived)
			}
		})
		return errors.Join(cerr, err)
	}}
	dialer.SetMultipathTCP(false)
	c, err := dialer.DialContext(ctx, "tcp", to.String()) // of every address: Go takes the loopback
	if err != nil {
		return false, err
	}
	defer c.Close()
	found := a.empty.Load()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for a.empty.Load() < found+probeTurns {
		select {
		case <-arrived:
			return true, nil
		case <-a.emptied:
			return false, net.ErrClosed
		case <-ctx.Done():
			return false, ctx.Err()
		case <-tick.C:
		}
	}
	select {
	case <-arrived:
		return true, nil
	default:
		return false, nil
	}
}

// expect has the loop look for a probe.
func (st *steering) expect(from netip.AddrPort, arrived chan struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.probes == nil {
		st.probes = make(map[netip.AddrPort]chan struct{})
	}
	st.probes[from] = arrived
}

// bindLoopback gives a socket that is to connect a port.
func bindLoopback(fd int, six bool) (netip.AddrPort, error) {
	var to unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if six {
		to = &unix.SockaddrInet6{Addr: [16]byte{15: 1}}
	}
	if err := unix.Bind(fd, to); err != nil {
		return netip.AddrPort{}, err
	}
	return localAddress(fd)
}

// localAddress is where a TCP socket is bound.
func localAddress(fd int) (netip.AddrPort, error) {
	is, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	switch is := is.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(is.Addr), uint16(is.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(is.Addr), uint16(is.Port)), nil
	}
	return netip.AddrPort{}, errors.ErrUnsupported
}
