package files

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestRanges(t *testing.T) {
	const size = 10_000
	for _, c := range []struct {
		clause, value string
		size          int64
		verdict       rangesVerdict
		want          []span
	}{
		{"first and last (RFC 9110 §14.1.2)", "bytes=0-499", size, rangesHold, []span{{0, 500}}},
		{"one byte", "bytes=0-0", size, rangesHold, []span{{0, 1}}},
		{"to the end", "bytes=9500-", size, rangesHold, []span{{9500, 500}}},
		{"a suffix", "bytes=-500", size, rangesHold, []span{{9500, 500}}},
		{"a suffix longer than the file is all of it", "bytes=-99999", size, rangesHold, []span{{0, size}}},
		{"a last beyond the end is the end", "bytes=9000-99999", size, rangesHold, []span{{9000, 1000}}},
		{"a last beyond every number", "bytes=9000-99999999999999999999999", size, rangesHold, []span{{9000, 1000}}},
		{"the unit's case (RFC 9110 §14.1)", "Bytes=0-0", size, rangesHold, []span{{0, 1}}},
		{"white space around elements (RFC 9110 §5.6.1)", "bytes= 0-0 ,\t5000-5000 ", size, rangesHold, []span{{0, 1}, {5000, 1}}},
		{"empty elements (RFC 9110 §5.6.1.2)", "bytes=,0-0,,", size, rangesHold, []span{{0, 1}}},
		{"the order asked for (RFC 9110 §15.3.7.2)", "bytes=5000-5001,0-1", size, rangesHold, []span{{5000, 2}, {0, 2}}},
		{"those outside are left out", "bytes=20000-,0-1", size, rangesHold, []span{{0, 2}}},
		{"overlapping ones are one", "bytes=0-99,50-149", size, rangesHold, []span{{0, 150}}},
		{"one inside another is gone", "bytes=0-999,10-20", size, rangesHold, []span{{0, 1000}}},
		{"near ones are one, with what lies between", "bytes=0-9,90-99", size, rangesHold, []span{{0, 100}}},
		{"farther ones are two", "bytes=0-9,91-99", size, rangesHold, []span{{0, 10}, {91, 9}}},
		{"one that bridges two makes one", "bytes=0-9,500-509,5-505,900-", 1000, rangesHold, []span{{0, 510}, {900, 100}}},
		{"sixteen may be asked for", "bytes=" + strings.Repeat("0-0,", 15) + "500-", size, rangesHold, []span{{0, 1}, {500, 9500}}},

		{"a first at the end", "bytes=10000-", size, rangesMiss, nil},
		{"a first beyond every number", "bytes=99999999999999999999999-", size, rangesMiss, nil},
		{"a suffix of nothing (RFC 9110 §14.1.2)", "bytes=-0", size, rangesMiss, nil},
		{"any range of an empty file", "bytes=0-", 0, rangesMiss, nil},
		{"a suffix of nothing of an empty file", "bytes=-0", 0, rangesMiss, nil},

		{"a suffix of an empty file is all of it", "bytes=-5", 0, rangesIgnored, nil},
		{"seventeen", "bytes=" + strings.Repeat("0-0,", 16) + "500-", size, rangesIgnored, nil},
		{"another unit (RFC 9110 §14.2)", "lines=0-5", size, rangesIgnored, nil},
		{"no unit", "0-5", size, rangesIgnored, nil},
		{"no set", "bytes=", size, rangesIgnored, nil},
		{"commas only", "bytes=,,", size, rangesIgnored, nil},
		{"no positions", "bytes=-", size, rangesIgnored, nil},
		{"no dash", "bytes=5", size, rangesIgnored, nil},
		{"last before first (RFC 9110 §14.1.1)", "bytes=5-4", size, rangesIgnored, nil},
		{"a sign", "bytes=+5-9", size, rangesIgnored, nil},
		{"two dashes", "bytes=--5", size, rangesIgnored, nil},
		{"three positions", "bytes=1-2-3", size, rangesIgnored, nil},
		{"hexadecimal", "bytes=0x0-0x9", size, rangesIgnored, nil},
		{"white space inside", "bytes=0 - 5", size, rangesIgnored, nil},
		{"white space before the sign", "bytes =0-5", size, rangesIgnored, nil},
		{"one bad among good", "bytes=0-5,x", size, rangesIgnored, nil},
		{"nothing", "", size, rangesIgnored, nil},
	} {
		t.Run(c.clause, func(t *testing.T) {
			got, verdict := parseRanges(c.value, c.size)
			if verdict != c.verdict || len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) {
				t.Errorf("parseRanges(%q, %d) is %v, %d; want %v, %d", c.value, c.size, got, verdict, c.want, c.verdict)
			}
		})
	}
}

func TestContentRange(t *testing.T) {
	t.Run("names first, last and size (RFC 9110 §14.4)", func(t *testing.T) {
		if got := (span{0, 500}).field(1234); got != "bytes 0-499/1234" {
			t.Error(got)
		}
	})
	t.Run("has a star when unsatisfied (RFC 9110 §14.4)", func(t *testing.T) {
		if got := unsatisfied(1234); got != "bytes */1234" {
			t.Error(got)
		}
	})
}

func FuzzRanges(f *testing.F) {
	for _, s := range []string{"bytes=0-499", "bytes=-5", "bytes=5-", "bytes=0-0,-1", "bytes=0-9,90-99,5-95", "bytes=9223372036854775807-"} {
		f.Add(s, int64(1000))
		f.Add(s, int64(math.MaxInt64))
	}
	f.Add("bytes=-1", int64(0))
	f.Fuzz(func(t *testing.T, value string, size int64) {
		if size < 0 {
			return
		}
		spans, verdict := parseRanges(value, size)
		if (verdict == rangesHold) != (len(spans) > 0) || len(spans) > rangesAsked {
			t.Fatalf("%q of %d: %v, %d", value, size, spans, verdict)
		}
		var total int64
		for i, s := range spans {
			if s.start < 0 || s.length <= 0 || s.start > size-s.length {
				t.Fatalf("%q of %d: %v is not inside", value, size, s)
			}
			for _, o := range spans[:i] {
				if s.start-o.end() <= rangeGapBytes && o.start-s.end() <= rangeGapBytes {
					t.Fatalf("%q of %d: %v and %v should be one", value, size, o, s)
				}
			}
			total += s.length
		}
		if total > size {
			t.Fatalf("%q of %d sends %d bytes", value, size, total)
		}
	})
}

// FuzzMerge checks coalescing against a map of bytes.
func FuzzMerge(f *testing.F) {
	f.Add([]byte{0, 5, 200, 3, 100, 90})
	f.Fuzz(func(t *testing.T, data []byte) {
		var wanted [1024]bool
		var spans []span
		for i := 0; i+1 < len(data) && i < 2*rangesAsked; i += 2 {
			s := span{int64(data[i]) * 3, int64(data[i+1]) + 1}
			for at := s.start; at < s.end() && at < int64(len(wanted)); at++ {
				wanted[at] = true
			}
			spans = merge(spans, s)
		}
		for at := range wanted {
			sent := 0
			for _, s := range spans {
				if int64(at) >= s.start && int64(at) < s.end() {
					sent++
				}
			}
			if wanted[at] && sent != 1 || sent > 1 {
				t.Fatalf("byte %d is sent %d times, asked for: %v", at, sent, wanted[at])
			}
		}
	})
}
