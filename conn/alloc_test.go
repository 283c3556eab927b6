package conn_test

import (
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/holdfast-server/holdfast/conn"
)

// echoBytes is the length of every request and of its answer.
const echoBytes = 64

// echoes answers each request with itself and allocates nothing while it does.
type echoes struct {
	held atomic.Int64 // rooms that are taken and not returned
	conn atomic.Pointer[conn.Conn]
}

// echo is the Buffer of one connection.
type echo struct {
	server *echoes
	held   bool
	buf    [echoBytes]byte
}

func (e *echo) Room() []byte { e.hold(true, 1); return e.buf[:] }
func (e *echo) Return()      { e.hold(false, -1) }

func (e *echo) hold(held bool, by int64) {
	if e.held != held {
		e.held = held
		e.server.held.Add(by)
	}
}

func (h *echoes) ServeConn(c *conn.Conn) error {
	h.conn.Store(c)
	e := &echo{server: h}
	for {
		n, err := c.Await(e)
		if err != nil {
			return resting(err)
		}
		for n < echoBytes {
			m, err := c.Read(e.buf[n:])
			if n += m; err != nil {
				return err
			}
		}
		if _, err := c.Write(e.buf[:]); err != nil {
			return err
		}
		e.Return()
	}
}

// resting passes on what a handler has to pass on of the errors that end a wait.
func resting(err error) error {
	if errors.Is(err, conn.ErrResting) {
		return err
	}
	return nil
}

// newEchoes is a station with that handler, and a client.
func newEchoes(t testing.TB, o options) (*echoes, *client) {
	t.Helper()
	h := &echoes{}
	s := &station{
		t: t, tls: o.tls, source: listen(t), served: make(chan error, 1),
		server: &conn.Server{Log: slog.New(slog.DiscardHandler)},
	}
	l := &conn.Listener{Listener: s.source, Handler: h}
	if o.tls {
		l.TLS = o.serverTLS()
	}
	go func() { s.served <- s.server.Serve(l) }()
	t.Cleanup(s.end)
	return h, s.dial()
}

// cycle is one request, in two segments, and its answer.
func (c *client) cycle(buf []byte) error {
	for _, piece := range [][]byte{buf[:8], buf[8:]} {
		if _, err := c.Conn.Write(piece); err != nil {
			return err
		}
	}
	_, err := io.ReadFull(c.Conn, buf)
	return err
}

func TestKeepAliveAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates for itself")
	}
	_, c := newEchoes(t, options{})
	buf := make([]byte, echoBytes)
	allocations := testing.AllocsPerRun(500, func() {
		if err := c.cycle(buf); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations a request, want none", allocations)
	}
}

func TestParkedHoldsNoRoom(t *testing.T) {
	onLoopback(t, "an idle connection has returned its room, and a new one took none", func(t *testing.T, o options) {
		h, c := newEchoes(t, o)
		until(t, "the connection", func() bool { return h.conn.Load() != nil })
		buf := make([]byte, echoBytes)
		for range 100 {
			until(t, "a parked connection without room", func() bool {
				return h.held.Load() == 0 && h.conn.Load().State() != conn.Active
			})
			if err := c.cycle(buf); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkKeepAlive(b *testing.B) {
	for name, o := range map[string]options{"plain": {}, "TLS": {tls: true}} {
		b.Run(name, func(b *testing.B) {
			_, c := newEchoes(b, o)
			buf := make([]byte, echoBytes)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Conn.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c.Conn, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
