package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Field is a field of a request.
type Field struct{ Name, Value string }

// A Target says what to ask of whom. All servers get the same bytes.
type Target struct {
	Addr        string // host and port
	TLS         bool   // the certificate is not checked
	Path        string
	Fields      []Field // all of them, Host included
	Pipeline    int     // requests in one write; 0 means 1
	Connections int     // kept alive, at once; 0 means 1
}

// request is the GET for t, as often as it is pipelined.
func (t *Target) request() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", t.Path)
	for _, f := range t.Fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	b.WriteString("\r\n")
	return bytes.Repeat(b.Bytes(), max(t.Pipeline, 1))
}

// A Result is what a server answered.
type Result struct {
	Requests int64
	Elapsed  time.Duration
}

// Run is the built-in generator: it asks for the duration and counts the answers, which
// must all be 200 and of one length. An error of one connection is that of the run.
func Run(ctx context.Context, t Target, duration time.Duration) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx) // the first error ends all: the others follow from it
	defer cancel(nil)
	counts := make([]int64, max(t.Connections, 1))
	var asking sync.WaitGroup
	begun := time.Now()
	for i := range counts {
		asking.Go(func() {
			var err error
			if counts[i], err = ask(ctx, &t, begun.Add(duration)); err != nil {
				cancel(err)
			}
		})
	}
	asking.Wait()
	r := Result{Elapsed: time.Since(begun)}
	for _, c := range counts {
		r.Requests += c
	}
	return r, context.Cause(ctx)
}

// ask is one connection: a batch out, its answers in, and again until the end.
func ask(ctx context.Context, t *Target, end time.Time) (requests int64, err error) {
	c, err := dial(ctx, t)
	if err != nil {
		return 0, err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.close)()
	request, depth := t.request(), int64(max(t.Pipeline, 1))
	length, err := c.learn(request[:len(request)/int(depth)])
	if err != nil {
		return 0, err
	}
	if err := c.raw.SetDeadline(end.Add(answerTimeout)); err != nil { // or one shorter answer is waited for without end
		return 0, err
	}
	if length > answerBytes {
		return c.askLarge(request, length, end)
	}
	answers := make([]byte, length*int(depth))
	for requests = 1; time.Now().Before(end); requests += depth {
		if _, err := c.Write(request); err != nil {
			return requests, err
		}
		if _, err := io.ReadFull(c, answers); err != nil {
			return requests, err
		}
		if err := check(answers, length); err != nil {
			return requests, err
		}
	}
	return requests, nil
}

// askLarge is ask for answers that are not kept, one after another.
func (c *connection) askLarge(request []byte, length int, end time.Time) (requests int64, err error) {
	piece := make([]byte, answerBytes)
	for requests = 1; time.Now().Before(end); requests++ {
		if _, err := c.Write(request); err != nil {
			return requests, err
		}
		for left := length; left > 0; {
			n, err := io.ReadFull(c, piece[:min(left, len(piece))])
			if err == nil && left == length && !bytes.HasPrefix(piece, statusOK) {
				err = fmt.Errorf("answer begins %.20q, want 200", piece[:n])
			}
			if err != nil {
				return requests, err
			}
			left -= n
		}
	}
	return requests, nil
}

var statusOK = []byte("HTTP/1.1 200 ")

// check looks at the status of each answer, which begin length bytes apart.
func check(answers []byte, length int) error {
	for ; len(answers) > 0; answers = answers[min(length, len(answers)):] {
		if !bytes.HasPrefix(answers, statusOK) {
			return fmt.Errorf("answer begins %.20q, want 200 and %d bytes", answers, length)
		}
	}
	return nil
}

// answerTimeout is how late the last answers may be.
const answerTimeout = 20 * time.Second

// dialTimeout bounds a connect and a handshake.
const dialTimeout = 30 * time.Second

// connection is a connection of the generator.
type connection struct {
	net.Conn // raw, or TLS on it
	raw      net.Conn
}

func dial(ctx context.Context, t *Target) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, err
	}
	if !t.TLS {
		return &connection{raw, raw}, nil
	}
	// The peer is a child of ours, with a certificate that was made for this run.
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS13})
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &connection{c, raw}, nil
}

// close resets the connection: 10,000 of them in TIME_WAIT would leave no ports.
func (c *connection) close() {
	if t, ok := c.raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.raw.Close()
}

const (
	// answerBytes bounds an answer that is kept whole.
	answerBytes = 64 << 10
	// largestBytes bounds all others.
	largestBytes = 1 << 30
)

// learn asks once and returns how long the answer is, head and content.
func (c *connection) learn(request []byte) (int, error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	buf, filled := make([]byte, answerBytes), 0
	for {
		n, err := c.Read(buf[filled:])
		filled += n
		if length, lerr := answerLength(buf[:filled]); lerr != nil {
			return 0, lerr
		} else if length > 0 && filled >= length {
			return length, check(buf[:filled], length)
		} else if length > answerBytes {
			_, err := io.CopyN(io.Discard, c, int64(length-filled))
			return length, errors.Join(err, check(buf[:filled], length))
		}
		if err != nil {
			return 0, err
		}
		if filled == len(buf) {
			return 0, fmt.Errorf("an answer of more than %d bytes", answerBytes)
		}
	}
}

// answerLength is the length of the answer that b begins with: 0 while its head is not
// whole. It needs a Content-Length.
func answerLength(b []byte) (int, error) {
	head, _, whole := strings.Cut(string(b), "\r\n\r\n")
	if !whole {
		return 0, nil
	}
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Content-Length") {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil || n < 0 || n > largestBytes {
				return 0, fmt.Errorf("content length %q", value)
			}
			return len(head) + len("\r\n\r\n") + n, nil
		}
	}
	return 0, errors.New("an answer without Content-Length")
}
