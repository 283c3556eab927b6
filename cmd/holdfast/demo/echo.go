package demo

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/holdfast-server/holdfast/http1"
)

// Clocks of an echo.
const (
	idleLimit  = 5 * time.Minute  // for the next frame
	writeLimit = 10 * time.Second // for one message
	closeLimit = 2 * time.Second  // for the peer's answer to our close
)

// echo opens a WebSocket (RFC 6455 §4.2) and sends back each message as it came, until the
// client closes or the server stops.
func echo(w *http1.Response, r *http1.Request) {
	if !isGet(w, r, func() { needsUpgrade(w) }) {
		return
	}
	key := r.Field("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	origin, fromPage := r.Lookup("Origin")
	switch {
	case !asksForWebSocket(r) || r.Field("Sec-WebSocket-Version") != "13":
		needsUpgrade(w)
		return
	case err != nil || len(nonce) != 16:
		w.Text(400, "400 Bad Request: Sec-WebSocket-Key is not 16 bytes in base64\n")
		return
	case fromPage && !strings.EqualFold(origin, originOf(r)):
		w.Text(403, "403 Forbidden: another site's page\n") // §10.2: cookies would come along
		return
	}
	w.Set("Sec-WebSocket-Accept", accept(key))
	stream, err := w.Upgrade("websocket")
	if err != nil {
		w.Del("Sec-WebSocket-Accept")
		needsUpgrade(w)
		return
	}
	s := &session{stream: stream, in: bufio.NewReaderSize(stream, 4<<10)}
	defer s.hearDrain()()
	s.leave(s.talk())
}

// asksForWebSocket looks for it among the protocols that the client would speak (RFC 9110 §7.8).
func asksForWebSocket(r *http1.Request) bool {
	for name, value := range r.Fields() {
		if !strings.EqualFold(name, "Upgrade") {
			continue
		}
		for protocol := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.Trim(protocol, " \t"), "websocket") {
				return true
			}
		}
	}
	return false
}

// originOf is a page's origin on the host that the request is for, as browsers write it: in lower
// case and without the scheme's own port (RFC 6454 §6.2).
func originOf(r *http1.Request) string {
	usual := map[string]string{"http": ":80", "https": ":443"}[r.Scheme()]
	return r.Scheme() + "://" + strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(r.Authority()), usual), ":")
}

// needsUpgrade says what it takes (RFC 9110 §15.5.22, RFC 6455 §4.4).
func needsUpgrade(w *http1.Response) {
	w.OfferUpgrade("websocket")
	w.Set("Sec-WebSocket-Version", "13")
	w.Text(426, "426 Upgrade Required: this is a WebSocket\n")
}

// accept proves that the key was read by who knows the protocol (RFC 6455 §4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A session is one open WebSocket. One goroutine reads and writes it.
type session struct {
	stream http1.Stream
	in     *bufio.Reader
}

// hearDrain wakes the session's read when a drain begins. What it returns ends the watch and
// waits for that.
func (s *session) hearDrain() (stop func()) {
	var watch sync.WaitGroup
	over := make(chan struct{})
	watch.Go(func() {
		select {
		case <-s.stream.Announced():
			_ = s.stream.SetReadDeadline(time.Unix(1, 0))
		case <-over:
		}
	})
	return func() {
		close(over)
		watch.Wait()
	}
}

// draining tells whether a drain has begun.
func (s *session) draining() bool {
	select {
	case <-s.stream.Announced():
		return true
	default:
		return false
	}
}

// talk echoes until there is a reason to end.
func (s *session) talk() error {
	for {
		opcode, message, err := s.message()
		if err == nil {
			err = s.write(opcode, message)
		}
		if err != nil {
			return err
		}
	}
}

// message reads the next one, which may come in fragments with control frames between them
// (RFC 6455 §5.4).
func (s *session) message() (opcode byte, message []byte, err error) {
	for {
		f, err := s.frame(messageLimitBytes - len(message))
		if err != nil {
			return 0, nil, err
		}
		if f.isControl() {
			if err := s.control(f); err != nil {
				return 0, nil, err
			}
			continue
		}
		if (f.opcode == opContinuation) != (opcode != 0) {
			return 0, nil, broken("a fragment out of its order")
		}
		if opcode == 0 {
			opcode = f.opcode
		}
		if message = append(message, f.payload...); !f.final {
			continue
		}
		if opcode == opText && !utf8.Valid(message) {
			return 0, nil, &closing{code: closeNoUTF8, reason: "a text that is no UTF-8"}
		}
		return opcode, message, nil
	}
}

// frame reads one within the idle limit, or fails because of a drain. The deadline is set
// before the look at the drain: the other way round the watch's own could be undone.
func (s *session) frame(limit int) (*frame, error) {
	if err := s.stream.SetReadDeadline(time.Now().Add(idleLimit)); err != nil {
		return nil, err
	}
	goingAway := &closing{code: closeGoingAway, reason: "the server is stopping"}
	if s.draining() {
		return nil, goingAway
	}
	f, err := readFrame(s.in, limit)
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		if s.draining() {
			return nil, goingAway
		}
		return nil, &closing{code: closeNormal, reason: "nothing came for five minutes"}
	}
	return f, err
}

// control answers a ping and ends with a close.
func (s *session) control(f *frame) error {
	switch f.opcode {
	case opPing:
		return s.write(opPong, f.payload)
	case opClose:
		return theirClosing(f.payload)
	}
	return nil // a pong that nobody asked for is no error (RFC 6455 §5.5.3)
}

func (s *session) write(opcode byte, payload []byte) error {
	if err := s.stream.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	_, err := s.stream.Write(appendFrame(nil, opcode, payload))
	return err
}

// leave says why the connection ends, and reads on until the peer has said the same, within
// limits of time and of bytes (RFC 6455 §7.1.1). A connection that is broken just ends.
func (s *session) leave(why error) {
	c, ok := errors.AsType[*closing](why)
	if !ok || s.write(opClose, c.payload()) != nil || c.theirs {
		return
	}
	_ = s.stream.SetReadDeadline(time.Now().Add(closeLimit))
	rest := io.LimitReader(s.in, 2*messageLimitBytes)
	for {
		if f, err := readFrame(rest, messageLimitBytes); err != nil || f.opcode == opClose {
			return
		}
	}
}
