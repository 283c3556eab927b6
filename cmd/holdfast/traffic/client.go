package traffic

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"
)

// A client asks one request after another, on at most one connection.
type client struct {
	load *Load
	kind Kind
	conn *connection // nil for none
}

// A connection to an endpoint.
type connection struct {
	net.Conn // raw, or TLS on it
	raw      net.Conn
	r        *bufio.Reader
	endpoint *Endpoint
	reused   bool // it has carried a response
}

// run asks until begin is done, and drops what it asks when finish is.
func (c *client) run(begin, finish context.Context) {
	defer c.hangUp()
	pause(begin, rand.N(pauses[c.kind][1])) // or all would knock at once
	again := false
	for begin.Err() == nil {
		end := c.ask(finish, c.load.request(c.kind, c.load.number.Add(1)), again)
		if again = end.retried() && !again; !again {
			c.think(begin)
		}
	}
}

// ask asks once and books how that ended.
func (c *client) ask(ctx context.Context, q *request, again bool) End {
	c.load.account.begin(c.kind)
	o := outcome{kind: c.kind, begun: time.Now(), again: again}
	err := c.exchange(ctx, q, &o)
	o.took = time.Since(o.begun)
	if err != nil && ctx.Err() != nil {
		o.end = Unfinished
	} else {
		o.end = endOf(err, o.at)
	}
	if err != nil {
		o.why = err.Error()
	}
	c.load.account.end(o)
	return o.end
}

// exchange sends the request and checks the response, on the connection that there is
// or on a new one, and keeps the connection where both sides agree.
func (c *client) exchange(ctx context.Context, q *request, o *outcome) error {
	if c.conn == nil {
		o.at.dialing = true
		o.endpoint = c.load.Balancer.pick(time.Now())
		conn, err := dial(ctx, o.endpoint, q.patience)
		if err != nil {
			return err
		}
		c.conn, o.at.dialing = conn, false
	}
	o.endpoint, o.at.reused = c.conn.endpoint, c.conn.reused
	closing, err := c.conn.exchange(ctx, q, o)
	c.conn.reused = true
	if err != nil {
		_ = c.conn.raw.Close() // TLS would spend time on an alert
		c.conn = nil
	} else if closing || q.closing {
		c.hangUp()
	}
	return err
}

func (c *connection) exchange(ctx context.Context, q *request, o *outcome) (closing bool, err error) {
	if err := c.SetDeadline(time.Now().Add(q.patience)); err != nil {
		return false, err
	}
	defer context.AfterFunc(ctx, func() { _ = c.raw.Close() })()
	// What cannot be sent to its end may have been answered before it: a refusal, say.
	unsent := q.send(ctx, c)
	o.at.begun, closing, err = readResponse(c.r, q.want)
	if unsent != nil && !o.at.begun && ctx.Err() == nil {
		err = unsent
	}
	return closing, err
}

// errNoEndpoint is what a client meets when nobody is there: as if it were refused.
var errNoEndpoint = &net.OpError{Op: "dial", Err: os.NewSyscallError("no endpoint", syscall.ECONNREFUSED)}

// dial connects and, where the endpoint speaks it, begins TLS.
func dial(ctx context.Context, e *Endpoint, patience time.Duration) (*connection, error) {
	if e == nil {
		return nil, errNoEndpoint
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", e.addr.String())
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: raw, raw: raw, endpoint: e}
	if e.tls != nil {
		secure := tls.Client(raw, e.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		c.Conn = secure
	}
	c.r = bufio.NewReader(c.Conn)
	return c, nil
}

// think pauses between two requests. It listens meanwhile, as clients that keep
// connections do: one that the server has ended in good order is no loss when nothing
// was asked on it.
func (c *client) think(begin context.Context) {
	length := pauses[c.kind][0] + rand.N(pauses[c.kind][1]-pauses[c.kind][0])
	if c.conn == nil {
		pause(begin, length)
		return
	}
	conn := c.conn
	_ = conn.SetReadDeadline(time.Now().Add(length)) // an error shows in the read
	stop := context.AfterFunc(begin, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	_, err := conn.r.Peek(1)
	stop()
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		c.hangUp()
	}
}

// hangUp ends the connection, if there is one.
func (c *client) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
