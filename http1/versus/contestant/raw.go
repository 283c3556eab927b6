package contestant

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"sync"
)

// serveRaw is no server: it finds where heads end, parses nothing, and writes as many
// constant responses as heads came, in one write. It shows what Go's sockets and
// scheduler cost on their own.
func serveRaw(ctx context.Context, l net.Listener, config *tls.Config) error {
	tracked := &tracking{Listener: l}
	listener := overTLS(tracked, config)
	var serving sync.WaitGroup
	defer serving.Wait()
	stop := func() error {
		err := listener.Close()
		tracked.cut()
		return err
	}
	return until(ctx, stop, func() error {
		for {
			c, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			serving.Go(func() { answer(c) })
		}
	})
}

// rawBytes is the raw loop's buffer: 16 requests of a browser.
const rawBytes = 32 << 10

// rawResponse has a date of the same length as a real one, and never changes it.
var rawResponse = []byte("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: " + ContentType +
	"\r\nContent-Length: " + strconv.Itoa(len(Content)) + "\r\n\r\n" + Content)

var headEnd = []byte("\r\n\r\n")

// answer is the loop, until the peer leaves or sends what does not fit.
func answer(c net.Conn) {
	defer c.Close()
	in, filled := make([]byte, 4<<10), 0
	var out []byte
	for {
		if filled == len(in) {
			if filled == rawBytes {
				return
			}
			in = append(in, make([]byte, len(in))...)
		}
		n, err := c.Read(in[filled:])
		if err != nil {
			return
		}
		filled += n
		heads := bytes.Count(in[:filled], headEnd)
		if heads == 0 {
			continue
		}
		filled = copy(in, in[bytes.LastIndex(in[:filled], headEnd)+len(headEnd):filled])
		for len(out) < heads*len(rawResponse) {
			out = append(out, rawResponse...)
		}
		if _, err := c.Write(out[:heads*len(rawResponse)]); err != nil {
			return
		}
	}
}

// tracking remembers the connections of a listener, so that they can be cut.
type tracking struct {
	net.Listener
	mu   sync.Mutex
	open map[*trackedConn]struct{}
	over bool
}

func (t *tracking) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tc := &trackedConn{Conn: c, in: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[*trackedConn]struct{})
	}
	if t.over {
		_ = c.Close()
	} else {
		t.open[tc] = struct{}{}
	}
	return tc, nil
}

// cut closes what is open, and what is still accepted.
func (t *tracking) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	for c := range t.open {
		_ = c.Conn.Close()
	}
}

type trackedConn struct {
	net.Conn
	in *tracking
}

func (c *trackedConn) Close() error {
	c.in.mu.Lock()
	delete(c.in.open, c)
	c.in.mu.Unlock()
	return c.Conn.Close()
}
