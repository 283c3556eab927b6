package demo

import (
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"
)

// messageLimitBytes is how long a message may be, and what one connection costs in memory.
const messageLimitBytes = 64 << 10

// controlLimitBytes is how long a control frame's payload may be (RFC 6455 §5.5).
const controlLimitBytes = 125

// Opcodes (RFC 6455 §11.8).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// Status codes of a close (RFC 6455 §7.4.1).
const (
	closeNormal    = 1000
	closeGoingAway = 1001
	closeProtocol  = 1002
	closeNoUTF8    = 1007
	closeTooLarge  = 1009
)

// A closing is why a connection ends, as it is told to the peer.
type closing struct {
	code   uint16 // 0 for none
	reason string
	theirs bool // they closed; it is an answer
}

func (c *closing) Error() string { return fmt.Sprintf("websocket: %d %s", c.code, c.reason) }

func broken(reason string) *closing { return &closing{code: closeProtocol, reason: reason} }

// A frame is one that a client sent, its payload unmasked.
type frame struct {
	final   bool
	opcode  byte
	payload []byte
}

func (f *frame) isControl() bool { return f.opcode >= opClose }

// readFrame reads the next frame of a client (RFC 6455 §5.2), of which a payload may have as many
// bytes as limit. Its errors are a *closing where the frame is at fault, else the reader's.
func readFrame(r io.Reader, limit int) (*frame, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return nil, err
	}
	f := &frame{final: head[0]&0x80 != 0, opcode: head[0] & 0x0F}
	length, masked := uint64(head[1]&0x7F), head[1]&0x80 != 0
	switch {
	case head[0]&0x70 != 0:
		return nil, broken("a reserved bit is set, and no extension was agreed on")
	case f.opcode > opBinary && f.opcode < opClose || f.opcode > opPong:
		return nil, broken("an unknown opcode")
	case !masked:
		return nil, broken("a client's frame has to be masked")
	case f.isControl() && (!f.final || length > controlLimitBytes):
		return nil, broken("a control frame is whole and short")
	}
	if length >= 126 {
		wide := head[:2]
		if length == 127 {
			wide = head[:8]
		}
		if _, err := io.ReadFull(r, wide); err != nil {
			return nil, err
		}
		if length = uint64(binary.BigEndian.Uint16(wide)); len(wide) == 8 {
			length = binary.BigEndian.Uint64(wide)
		}
	}
	if !f.isControl() && length > uint64(limit) {
		return nil, &closing{code: closeTooLarge, reason: "a message has at most 64 KiB"}
	}
	return f, f.read(r, int(length))
}

// read reads the mask and the payload behind it.
func (f *frame) read(r io.Reader, length int) error {
	var mask [4]byte
	if _, err := io.ReadFull(r, mask[:]); err != nil {
		return err
	}
	f.payload = make([]byte, length)
	if _, err := io.ReadFull(r, f.payload); err != nil {
		return err
	}
	for i := range f.payload {
		f.payload[i] ^= mask[i%len(mask)]
	}
	return nil
}

// appendFrame writes a whole message, or a control frame, as a server does: unmasked.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}

// theirClosing reads the payload of a close (RFC 6455 §5.5.1, §7.4).
func theirClosing(payload []byte) *closing {
	if len(payload) == 0 {
		return &closing{theirs: true}
	}
	if len(payload) == 1 {
		return broken("half a status code")
	}
	code := binary.BigEndian.Uint16(payload)
	switch {
	case code < 1000 || code == 1004 || code == 1005 || code == 1006 || code > 1014 && code < 3000 || code > 4999:
		return broken("a status code that none may send")
	case !utf8.Valid(payload[2:]):
		return &closing{code: closeNoUTF8, reason: "the reason is no UTF-8"}
	}
	return &closing{code: code, theirs: true}
}

// payload is what is sent of a closing: an answer has the code alone.
func (c *closing) payload() []byte {
	if c.code == 0 {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(nil, c.code), c.reason...)
}
