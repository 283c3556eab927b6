package traffic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// An endRow is a server's behaviour on one connection, and how the request ends that
// meets it. Reused rows begin with a request that goes well.
type endRow struct {
	name   string
	script script
	reused bool
	want   End
}

func endRows() []endRow {
	answer := func(text string) script { return reply(text) }
	return []endRow{
		{"a reset in place of an answer, fresh", func(p *peer) { p.request(); p.reset() }, false, ResetFresh},
		{"an end in place of an answer, fresh", func(p *peer) { p.request() }, false, ClosedFresh},
		{"a reset in place of an answer, reused", func(p *peer) { p.request(); p.reset() }, true, ResetReused},
		{"an end in place of an answer, reused", func(p *peer) { p.request() }, true, ClosedReused},
		{"the end in the status line", answer("HTTP/1."), false, Truncated},
		{"the end in the fields", answer("HTTP/1.1 200 OK\r\nContent-Le"), false, Truncated},
		{"the end in the content", answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), true, Truncated},
		{"the end before the content", answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), false, Truncated},
		{"the end in a chunk", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), false, Truncated},
		{"the end behind a chunk", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), false, Truncated},
		{"the end in the trailers", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n"), false, Truncated},
		{"the end in a refusal's content", answer("HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nno"), false, Truncated},
		{"other content of the same length", answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhallo"), false, Corrupt},
		{"less content, whole", answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell"), false, Corrupt},
		{"more content", answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!"), false, Corrupt},
		{"less content in chunks, whole", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n0\r\n\r\n"), false, Corrupt},
		{"wrong bytes and then the end", answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhax"), false, Corrupt},
		{"something else than HTTP", answer("SSH-2.0-x\r\n\r\n"), true, Corrupt},
		{"another status", answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), false, WrongStatus},
		{"another status on a reused connection", answer("HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\n\r\nno"), true, WrongStatus},
		{"the right answer", answer(helloOK), false, OK},
		{"the right answer, reused", answer(helloOK), true, OK},
		{"the right answer in chunks", answer("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n"), false, OK},
		{"the right answer behind informational ones", answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + helloOK), false, OK},
		{"the right answer and then a reset", func(p *peer) {
			p.request()
			p.say(helloOK)
			p.reset()
		}, false, OK},
	}
}

func TestEndOfARequest(t *testing.T) {
	for _, row := range endRows() {
		t.Run(row.name, func(t *testing.T) {
			play := row.script
			if row.reused {
				play = func(p *peer) {
					p.request()
					p.say(helloOK)
					row.script(p)
				}
			}
			c := clientOf(t, scripted(t, nil, play))
			if row.reused {
				c.mustEnd(t, hello(), OK)
			}
			c.mustEnd(t, hello(), row.want)
			if row.want != OK && (c.conn != nil || len(c.load.Losses()) != 1 || c.load.Losses()[0].Why == "") {
				t.Errorf("connection kept: %v; losses %+v", c.conn != nil, c.load.Losses())
			}
			tally := c.load.Tally()
			if err := tally.Balance(); err != nil || tally.Ended[KeepAlive][row.want] == 0 {
				t.Errorf("%+v does not balance or misses the end: %v", tally, err)
			}
		})
	}
}

func TestEndWithoutAConnection(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) { clientOf(t, nobody(t)).mustEnd(t, hello(), Refused) })
	t.Run("the balancer has nobody", func(t *testing.T) {
		c := clientOf(t, nil)
		c.load.Balancer.Remove(nil)
		c.mustEnd(t, hello(), Refused)
	})
}

func TestEndInTheHandshake(t *testing.T) {
	_, trusting := certified(t)
	for _, row := range []endRow{
		{"a reset in place of the server's hello", func(p *peer) { _, _ = p.r.Peek(1); p.reset() }, false, ResetFresh},
		{"an end in place of it", func(p *peer) { _, _ = p.r.ReadByte(); _, _ = p.r.Discard(p.r.Buffered()) }, false, ClosedFresh},
		{"an alert", func(p *peer) {
			_ = tls.Server(p.conn, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return nil, errors.New("none for you")
			}}).Handshake()
		}, false, ClosedFresh},
	} {
		t.Run(row.name, func(t *testing.T) {
			clientOf(t, scripted(t, trusting, row.script)).mustEnd(t, hello(), row.want)
		})
	}
}

func TestEndOverTLS(t *testing.T) {
	serving, trusting := certified(t)
	secure := func(play func(p *peer)) script {
		return func(p *peer) {
			c := tls.Server(p.conn, serving)
			p.conn = c
			p.r.Reset(c)
			play(p)
			_ = c.Close()
		}
	}
	c := clientOf(t, scripted(t, trusting,
		secure(func(p *peer) { reply(helloOK)(p); p.request() }), secure(reply("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"))))
	c.mustEnd(t, hello(), OK)
	c.mustEnd(t, hello(), ClosedReused)
	c.mustEnd(t, hello(), Truncated)
}

func TestEndByTime(t *testing.T) {
	impatient := func() *request {
		q := hello()
		q.patience = 100 * time.Millisecond
		return q
	}
	_, trusting := certified(t)
	for _, row := range []struct {
		name   string
		config *tls.Config
		script script
	}{
		{"no answer", nil, (*peer).untilGone},
		{"half an answer", nil, func(p *peer) { p.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"); p.untilGone() }},
		{"no handshake", trusting, (*peer).untilGone},
	} {
		t.Run(row.name, func(t *testing.T) {
			clientOf(t, scripted(t, row.config, row.script)).mustEnd(t, impatient(), TimedOut)
		})
	}
	t.Run("the load's own end is no fault of the server's", func(t *testing.T) {
		asked := make(chan struct{})
		c := clientOf(t, scripted(t, nil, func(p *peer) { p.request(); close(asked); p.untilGone() }))
		ctx, drop := withinReach(t)
		defer drop()
		go func() { <-asked; drop() }()
		if got := c.ask(ctx, hello(), false); got != Unfinished {
			t.Errorf("it ended as %v", got)
		}
	})
}

func TestEndOf(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	pipe := &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}
	for _, c := range []struct {
		err  error
		at   moment
		want End
	}{
		{nil, moment{begun: true}, OK},
		{reset, moment{begun: true}, Truncated},
		{reset, moment{begun: true, reused: true}, Truncated},
		{reset, moment{dialing: true}, ResetFresh},
		{pipe, moment{}, ResetFresh},
		{pipe, moment{reused: true}, ResetReused},
		{io.EOF, moment{reused: true}, ClosedReused},
		{io.ErrUnexpectedEOF, moment{}, ClosedFresh},
		{context.DeadlineExceeded, moment{dialing: true}, TimedOut},
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), moment{begun: true}, TimedOut},
		{fmt.Errorf("%w: x", errCorrupt), moment{begun: true}, Corrupt},
		{syscall.ECONNREFUSED, moment{dialing: true}, Refused},
		{syscall.ECONNREFUSED, moment{reused: true}, ClosedReused},
	} {
		t.Run(fmt.Sprintf("%v at %+v is %v", c.err, c.at, c.want), func(t *testing.T) {
			if got := endOf(c.err, c.at); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Ends() {
		seen[e.String()] = true
	}
	for _, k := range Kinds() {
		seen[k.String()] = true
	}
	if len(seen) != int(endCount)+int(kindCount) || seen[""] {
		t.Errorf("names are missing or stand twice: %v", seen)
	}
}
