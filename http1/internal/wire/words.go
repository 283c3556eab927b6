package wire

import (
	"encoding/binary"
	"math/bits"
)

// A head is looked at twice, for its line ends and for the bytes of its values. Both
// searches take sixteen bytes at a time, as two words: the fast pieces of this package,
// kept apart here. Each marks the bytes it looks for by their high bit. A subtraction
// borrows from the bytes above, so only the lowest mark of a word is sure to be true;
// it is the only one that is used.
const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// lineEnd is the index of the first CR or LF of b, from i on; len(b) if there is none.
func lineEnd(b []byte, i int) int {
	for len(b)-i >= 16 {
		pair := b[i : i+16]
		marks, second := lowMarks(pair), lowMarks(pair[8:])
		if marks|second == 0 {
			i += 16
			continue
		}
		if marks == 0 {
			marks = second
			i += 8
		}
		i += bits.TrailingZeros64(marks) / 8
		if b[i] == '\r' || b[i] == '\n' {
			return i
		}
		i++
	}
	for i < len(b) && b[i] != '\r' && b[i] != '\n' {
		i++
	}
	return i
}

// lowMarks marks bytes below 0x0E: CR, LF and what hardly ever occurs.
func lowMarks(p []byte) uint64 {
	w := binary.LittleEndian.Uint64(p)
	return (w - 0x0E*everyByte) &^ w & highBits
}

// textEnd is the index of the first byte of b, from i on, that cannot be part of a field
// value; len(b) if there is none.
func textEnd(b []byte, i int) int {
	for len(b)-i >= 16 {
		pair := b[i : i+16]
		marks, second := controlMarks(pair), controlMarks(pair[8:])
		if marks|second == 0 {
			i += 16
			continue
		}
		if marks == 0 {
			marks = second
			i += 8
		}
		i += bits.TrailingZeros64(marks) / 8
		if b[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(b) && class[b[i]]&textByte != 0 {
		i++
	}
	return i
}

// controlMarks marks bytes below 0x20 and 0x7F, which one more carries into its high bit.
func controlMarks(p []byte) uint64 {
	w := binary.LittleEndian.Uint64(p)
	return (w - 0x20*everyByte | (w&^highBits + everyByte)) &^ w & highBits
}
