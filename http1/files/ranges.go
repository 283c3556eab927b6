package files

import (
	"math"
	"strconv"
	"strings"
)

const (
	// rangesAsked is how many ranges a request may ask for. The 1,000 overlapping ones of an
	// attack cost us a look at the first 17.
	rangesAsked = 16

	// rangeGapBytes is about what a part of its own costs in a multipart response. Ranges
	// that lie no farther apart are sent as one (RFC 9110 §15.3.7.2).
	rangeGapBytes = 80
)

// A span is a piece of a file, in bytes.
type span struct{ start, length int64 }

func (s span) end() int64 { return s.start + s.length }

// field is a span of a file of that size as Content-Range has it (RFC 9110 §14.4).
func (s span) field(size int64) string {
	b := append(make([]byte, 0, 72), "bytes "...)
	b = strconv.AppendInt(b, s.start, 10)
	b = strconv.AppendInt(append(b, '-'), s.end()-1, 10)
	b = strconv.AppendInt(append(b, '/'), size, 10)
	return string(b)
}

// unsatisfied is the Content-Range of a 416 (RFC 9110 §15.5.17).
func unsatisfied(size int64) string { return "bytes */" + strconv.FormatInt(size, 10) }

// A rangesVerdict is what becomes of a Range field.
type rangesVerdict uint8

const (
	rangesIgnored rangesVerdict = iota // malformed, too many, of another unit: all of the file
	rangesMiss                         // well-formed, and none of it lies in the file
	rangesHold
)

// parseRanges reads a Range field for a file of that size (RFC 9110 §14.1.2, §14.2). The
// spans are disjoint, more than rangeGapBytes apart, and in the order asked for.
func parseRanges(value string, size int64) ([]span, rangesVerdict) {
	unit, set, ok := strings.Cut(value, "=")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return nil, rangesIgnored
	}
	var spans []span
	specs := 0
	for more := true; more; {
		var spec string
		spec, set, more = strings.Cut(set, ",")
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue // an empty element of a list (RFC 9110 §5.6.1.2)
		}
		s, ok := parseRange(spec, size)
		if specs++; !ok || specs > rangesAsked {
			return nil, rangesIgnored
		}
		if s.length > 0 {
			spans = merge(spans, s)
		}
	}
	switch {
	case specs == 0:
		return nil, rangesIgnored
	case len(spans) == 0 && size == 0 && suffixOnly(value):
		return nil, rangesIgnored
	case len(spans) == 0:
		return nil, rangesMiss
	}
	return spans, rangesHold
}

// suffixOnly tells whether a well-formed set asks for a suffix that is not empty. Of an
// empty file that is satisfied by all there is, which no Content-Range can say.
func suffixOnly(value string) bool {
	for spec := range strings.SplitSeq(value[strings.IndexByte(value, '=')+1:], ",") {
		if suffix, ok := strings.CutPrefix(strings.Trim(spec, " \t"), "-"); ok && strings.Trim(suffix, "0") != "" {
			return true
		}
	}
	return false
}

// parseRange reads one range; its span is empty where none of it lies in the file.
func parseRange(spec string, size int64) (s span, ok bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return span{}, false
	}
	if first == "" {
		n, ok := position(last)
		n = min(n, size)
		return span{size - n, n}, ok
	}
	start, ok := position(first)
	if !ok {
		return span{}, false
	}
	end := int64(math.MaxInt64)
	if last != "" {
		if end, ok = position(last); !ok || end < start {
			return span{}, false
		}
	}
	if start >= size {
		return span{}, true
	}
	return span{start, min(end, size-1) - start + 1}, true
}

// position reads digits; a number that no file reaches is as good as the largest.
func position(digits string) (n int64, ok bool) {
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64 // and stays there, so that no digit wraps it round
		} else {
			n = n*10 + int64(c-'0')
		}
	}
	return n, digits != ""
}

// merge adds s to disjoint spans. What it meets becomes one with it, at the place of the
// first it met.
func merge(spans []span, s span) []span {
	place := -1
	kept := spans[:0]
	for _, t := range spans {
		if s.start-t.end() > rangeGapBytes || t.start-s.end() > rangeGapBytes {
			kept = append(kept, t)
			continue
		}
		start := min(s.start, t.start)
		s = span{start, max(s.end(), t.end()) - start}
		if place < 0 {
			place = len(kept)
			kept = append(kept, s)
		}
	}
	if place < 0 {
		return append(kept, s)
	}
	kept[place] = s
	return kept
}
