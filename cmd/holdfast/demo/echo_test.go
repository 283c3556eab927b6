package demo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// dial opens a WebSocket with a client that is not ours.
func (s *site) dial() (*websocket.Conn, context.Context) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	s.t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, "ws://"+s.address+"/echo", &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(2 * messageLimitBytes)
	return c, ctx
}

func TestEcho(t *testing.T) {
	s := open(t)
	c, ctx := s.dial()
	for _, n := range []int{0, 1, 125, 126, 65535, messageLimitBytes} {
		for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
			want := bytes.Repeat([]byte("k"), n)
			if err := c.Write(ctx, kind, want); err != nil {
				t.Fatal(err)
			}
			gotKind, got, err := c.Read(ctx)
			if err != nil || gotKind != kind || !bytes.Equal(got, want) {
				t.Fatalf("%v message of %d bytes came back as %v of %d, %v", kind, n, gotKind, len(got), err)
			}
		}
	}
	t.Run("a close is answered with its code", func(t *testing.T) {
		if err := c.Close(4321, "done"); err != nil {
			t.Error(err)
		}
	})
	t.Run("a message over the limit is refused", func(t *testing.T) {
		c, ctx := s.dial()
		if err := c.Write(ctx, websocket.MessageBinary, make([]byte, messageLimitBytes+1)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != closeTooLarge {
			t.Errorf("%v", err)
		}
	})
	t.Run("a drain says goodbye, and nothing has to be cut", func(t *testing.T) {
		c, ctx := s.dial()
		if err := c.Write(ctx, websocket.MessageText, []byte("there")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(ctx); err != nil {
			t.Fatal(err)
		}
		s.conns.Announce()
		if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != closeGoingAway {
			t.Errorf("%v", err)
		}
		s.drain()
	})
}

// masked is a client's frame; head is its first byte.
func masked(head byte, payload string) string {
	b := []byte{head, 0x80}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	case n < 1<<16:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	mask := "\x12\x34\x56\x78"
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

// said is a server's frame.
func said(opcode byte, payload string) string {
	return string(appendFrame(nil, opcode, []byte(payload)))
}

func saidClose(code uint16, reason string) string {
	return said(opClose, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

func TestFrames(t *testing.T) {
	s := open(t)
	const goodbye = "\x03\xe8"
	for _, c := range []struct{ clause, sent, want string }{
		{"a text (RFC 6455 §5.6)", masked(0x81, "ahoy") + masked(0x88, goodbye), said(opText, "ahoy") + said(opClose, goodbye)},
		{"fragments are one message (§5.4)", masked(0x01, "a") + masked(0x00, "ho") + masked(0x80, "y") + masked(0x88, ""), said(opText, "ahoy") + said(opClose, "")},
		{"a character may be cut in two", masked(0x01, "\xc3") + masked(0x80, "\xa9") + masked(0x88, ""), said(opText, "é") + said(opClose, "")},
		{"a ping between them is answered at once (§5.5.2)", masked(0x02, "a") + masked(0x89, "?") + masked(0x80, "b") + masked(0x88, ""), said(opPong, "?") + said(opBinary, "ab") + said(opClose, "")},
		{"a pong is no question (§5.5.3)", masked(0x8A, "") + masked(0x88, ""), said(opClose, "")},
		{"a frame without a mask (§5.1)", said(opText, "ahoy"), saidClose(closeProtocol, "a client's frame has to be masked")},
		{"a reserved bit (§5.2)", masked(0xC1, "x"), saidClose(closeProtocol, "a reserved bit is set, and no extension was agreed on")},
		{"an opcode that none knows", masked(0x83, "x"), saidClose(closeProtocol, "an unknown opcode")},
		{"a control frame in fragments (§5.5)", masked(0x09, "x"), saidClose(closeProtocol, "a control frame is whole and short")},
		{"a control frame that is long", masked(0x89, strings.Repeat("x", 126)), saidClose(closeProtocol, "a control frame is whole and short")},
		{"a continuation of nothing", masked(0x80, "x"), saidClose(closeProtocol, "a fragment out of its order")},
		{"a message within another", masked(0x01, "x") + masked(0x81, "y"), saidClose(closeProtocol, "a fragment out of its order")},
		{"a text that is no UTF-8 (§8.1)", masked(0x81, "\xff"), saidClose(closeNoUTF8, "a text that is no UTF-8")},
		{"fragments that are too long together", masked(0x02, strings.Repeat("x", messageLimitBytes)) + masked(0x80, "y"), saidClose(closeTooLarge, "a message has at most 64 KiB")},
		{"a length that no memory has", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", saidClose(closeTooLarge, "a message has at most 64 KiB")},
		{"half a code (§5.5.1)", masked(0x88, "\x03"), saidClose(closeProtocol, "half a status code")},
		{"a code that none may send (§7.4.1)", masked(0x88, "\x03\xed"), saidClose(closeProtocol, "a status code that none may send")},
		{"a reason that is no UTF-8", masked(0x88, "\x03\xe8\xff"), saidClose(closeNoUTF8, "the reason is no UTF-8")},
		{"a client that leaves without a word", "", ""},
		{"or in the middle of a frame", "\x81", ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			// The port is the scheme's own, which an origin leaves out, and the protocol one of several.
			w := s.call("GET /echo HTTP/1.1\r\nHost: a:80\r\nOrigin: http://A\r\nUpgrade: foo/2, WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + c.sent)
			w.until("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") // RFC 6455 §1.3
			w.until("\r\n")
			_ = w.Conn.(interface{ CloseWrite() error }).CloseWrite()
			got, err := io.ReadAll(w.in)
			if string(got) != c.want || err != nil {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// FuzzFrame holds readFrame to its limits: whatever comes, nothing longer than allowed is kept,
// and a frame that was read is one that a client may send.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{masked(0x81, "ahoy"), masked(0x88, "\x03\xe8"), "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", masked(0x02, strings.Repeat("x", 200)), "\x81"} {
		f.Add([]byte(seed), 100)
	}
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit &= messageLimitBytes - 1
		got, err := readFrame(bytes.NewReader(b), limit)
		if _, ours := errors.AsType[*closing](err); err != nil && !ours && err != io.EOF && err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		if most := max(limit, controlLimitBytes); len(got.payload) > most {
			t.Fatalf("a payload of %d bytes", len(got.payload))
		}
		head := got.opcode
		if got.final {
			head |= 0x80
		}
		again, err := readFrame(strings.NewReader(masked(head, string(got.payload))), limit)
		if err != nil || !bytes.Equal(again.payload, got.payload) || again.opcode != got.opcode || again.final != got.final {
			t.Fatalf("%+v is read as %+v, %v", got, again, err)
		}
	})
}
