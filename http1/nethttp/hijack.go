package nethttp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// hijackBufferBytes is the size of each buffer of a hijacked connection.
const hijackBufferBytes = 4 << 10

// Hijack hands the connection over. What the handler has begun of a response goes out first:
// a head that WriteHeader fixed alone as it is, for the handler to frame what follows; with
// content, as the server frames it. A 101 is logged and counted as such. The request's
// content, as much as was not read, stands at the front of the connection as it was sent.
// Until the connection is closed or cut it stays counted, and a drain waits for it, whether
// or not the handler has returned. It fails with http1.ErrNoUpgrade where WriteHeader said
// 101 to a client that did not offer to upgrade or whose content is unread, and where there
// is no connection to give; the handler can then still answer.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.lease.enter() {
		return nil, nil, errReturned
	}
	defer w.lease.leave()
	if w.hijacked != nil {
		return nil, nil, http.ErrHijacked
	}
	stream, err := w.take()
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = &hijacked{stream: stream}
	w.held = nil
	return w.hijacked, w.hijacked.buffered(), nil
}

// take takes the stream, behind the head if one was begun.
func (w *writer) take() (http1.Stream, error) {
	if w.status == http.StatusSwitchingProtocols {
		w.setFields()
		stream, err := w.res.Upgrade(clean(w.header.Get("Upgrade")))
		if err != nil {
			w.status = 0
			w.res.Reset()
		}
		return stream, err
	}
	if w.written > 0 && w.bodied() {
		if err := errors.Join(w.tell(nil), w.res.Flush()); err != nil {
			return nil, err
		}
	}
	begun := w.res.Committed()
	stream, err := http1.Hijack(w.res)
	if err == nil && w.status != 0 && !begun {
		_, err = stream.Write(w.rawHead())
	}
	return stream, err
}

// rawHead is the head of a response whose content the handler will write as it likes, such
// as a 200 to CONNECT.
func (w *writer) rawHead() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %03d %s\r\n", w.status, http.StatusText(w.status))
	if w.header.Get("Date") == "" {
		fmt.Fprintf(&b, "Date: %s\r\n", time.Now().UTC().Format(http.TimeFormat))
	}
	_ = w.header.WriteSubset(&b, map[string]bool{"Transfer-Encoding": true}) // to memory
	b.WriteString("\r\n")
	return b.Bytes()
}

// hijacked is the connection in the hands of a handler that may keep it longer than its
// call. The stream under it is gone when http1 has it back, so nobody may be left in it.
type hijacked struct {
	stream http1.Stream
	lease  lease // of stream
}

// buffered is a reader and a writer on c. What the client sent behind its request stands
// at the front of c and not in the reader: so those get it who read there, and those, such
// as httputil.ReverseProxy, who read from c alone.
func (c *hijacked) buffered() *bufio.ReadWriter {
	return bufio.NewReadWriter(bufio.NewReaderSize(c, hijackBufferBytes), bufio.NewWriterSize(c, hijackBufferBytes))
}

// wait waits until the handler, or what it left behind, has closed the connection, or
// until it is cut.
func (c *hijacked) wait() {
	select {
	case <-c.stream.Closed():
	case <-c.stream.Context().Done():
	}
}

// retire ends what is under way on the stream and waits for it.
func (c *hijacked) retire() {
	_ = c.stream.Close()
	c.lease.end()
}

// open lets the caller into the stream, unless it was closed.
func (c *hijacked) open() bool {
	if !c.lease.enter() {
		return false
	}
	if c.closed() {
		c.lease.leave()
		return false
	}
	return true
}

func (c *hijacked) closed() bool {
	select {
	case <-c.stream.Closed():
		return true
	default:
		return false
	}
}

func (c *hijacked) Read(p []byte) (int, error)  { return c.transfer(c.stream.Read, p) }
func (c *hijacked) Write(p []byte) (int, error) { return c.transfer(c.stream.Write, p) }

// transfer reads or writes. What Close interrupts fails as on any net.Conn.
func (c *hijacked) transfer(do func([]byte) (int, error), p []byte) (int, error) {
	if !c.open() {
		return 0, net.ErrClosed
	}
	defer c.lease.leave()
	n, err := do(p)
	if err != nil && err != io.EOF && c.closed() {
		err = net.ErrClosed
	}
	return n, err
}

// Close ends reads and writes under way. The peer sees the end once the handler has
// returned too.
func (c *hijacked) Close() error {
	if !c.open() {
		return net.ErrClosed
	}
	defer c.lease.leave()
	return c.stream.Close()
}

// CloseWrite ends our half: the peer sees the end, and can still be read.
func (c *hijacked) CloseWrite() error {
	if !c.open() {
		return net.ErrClosed
	}
	defer c.lease.leave()
	return c.stream.CloseWrite()
}

func (c *hijacked) LocalAddr() net.Addr  { return c.stream.LocalAddr() }
func (c *hijacked) RemoteAddr() net.Addr { return c.stream.RemoteAddr() }

func (c *hijacked) SetDeadline(t time.Time) error      { return c.set(c.stream.SetDeadline, t) }
func (c *hijacked) SetReadDeadline(t time.Time) error  { return c.set(c.stream.SetReadDeadline, t) }
func (c *hijacked) SetWriteDeadline(t time.Time) error { return c.set(c.stream.SetWriteDeadline, t) }

func (c *hijacked) set(deadline func(time.Time) error, t time.Time) error {
	if !c.open() {
		return net.ErrClosed
	}
	defer c.lease.leave()
	return deadline(t)
}
