package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// chunkRows are bodies; want is the content and, behind a bar, what the decoder leaves.
// "more" in place of a rest says that it is not done.
var chunkRows = []row{
	{"§7.1", "chunks and the last chunk", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", nil, "hello world|\r\n"},
	{"§7.1", "the last chunk alone", "0\r\n\r\n", nil, "|\r\n"},
	{"§7.1", "the trailer section is left alone", "1\r\na\r\n0\r\nX: y\r\n\r\n", nil, "a|X: y\r\n\r\n"},
	{"§7.1", "sizes are hexadecimal", "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n", nil, "abcdefghijklmnopqrstuvwxyz|"},
	{"§7.1", "in capitals", "A\r\n0123456789\r\n0\r\n", nil, "0123456789|"},
	{"§7.1", "with leading zeros", "0005\r\nhello\r\n000\r\n", nil, "hello|"},
	{"§7.1", "up to sixteen digits", "0000000000000005\r\nhello\r\n0000000000000000\r\n", nil, "hello|"},
	{"§7.1", "content may hold anything", "7\r\n0\r\n\r\n\x00\xff\r\n0\r\n", nil, "0\r\n\r\n\x00\xff|"},
	{"§7.1", "no bytes need more", "", nil, "|more"},
	{"§7.1", "half a size needs more", "1", nil, "|more"},
	{"§7.1", "a size's CR needs more", "1\r", nil, "|more"},
	{"§7.1", "half a content needs more", "5\r\nhel", nil, "hel|more"},
	{"§7.1", "a content's CR needs more", "1\r\na\r", nil, "a|more"},
	{"§7.1", "a chunk needs another", "1\r\na\r\n", nil, "a|more"},
	{"§7.1", "the last chunk needs its LF", "0\r", nil, "|more"},

	{"§7.1", "a size is needed", "\r\na", BadChunkSize, ""},
	{"§7.1", "after a chunk too", "3\r\nfoo\r\n\r\n", BadChunkSize, ""},
	{"§7.1", "a plus sign is refused", "+5\r\nhello", BadChunkSize, ""},
	{"§7.1", "a minus sign", "-5\r\nhello", BadChunkSize, ""},
	{"§7.1", "minus zero", "-0\r\n", BadChunkSize, ""},
	{"§7.1", "0x", "0x5\r\nhello", BadChunkSize, ""},
	{"§7.1", "0X", "0X5\r\nhello", BadChunkSize, ""},
	{"§7.1", "an underscore", "1_0\r\n", BadChunkSize, ""},
	{"§7.1", "a letter behind f", "g\r\n", BadChunkSize, ""},
	{"§7.1", "a fraction", "5.0\r\n", BadChunkSize, ""},
	{"§7.1", "an h behind it", "5h\r\n", BadChunkSize, ""},
	{"§7.1", "a space in front", " 5\r\nhello", BadChunkSize, ""},
	{"§7.1", "a space behind", "5 \r\nhello", BadChunkSize, ""},
	{"§7.1", "a TAB behind", "5\t\r\nhello", BadChunkSize, ""},
	{"§7.1", "a word behind", "2 erfrferferf\r\naa", BadChunkSize, ""},
	{"§7.1", "a comma", "5,5\r\nhello", BadChunkSize, ""},
	{"§7.1", "a NUL", "5\x00\r\nhello", BadChunkSize, ""},
	{"§7.1", "a byte above 0x7F", "\xb5\r\n", BadChunkSize, ""},
	{"§7.1", "a space behind the last", "0 \r\n\r\n", BadChunkSize, ""},
	{"§7.1", "seventeen digits are too many", "00000000000000005\r\nhello", ChunkSizeOverflow, ""},
	{"§7.1", "seventeen zeros are no end", "00000000000000000\r\n", ChunkSizeOverflow, ""},
	{"§7.1", "64 bits are too many", "8000000000000000\r\n", ChunkSizeOverflow, ""},
	{"§7.1", "all of them too", "ffffffffffffffff\r\n", ChunkSizeOverflow, ""},
	{"§7.1", "65 bits do not wrap around", "10000000000000005\r\nhello", ChunkSizeOverflow, ""},
	{"§7.1", "a size to wrap a sum is over the limit", "5\r\nhello\r\n7ffffffffffffffb\r\n", BodyTooLarge, ""},
	{"RFC 9110 §15.5.14", "63 bits are over the limit", "7fffffffffffffff\r\n", BodyTooLarge, ""},
	{"RFC 9110 §15.5.14", "so is a byte over it", "40000001\r\n", BodyTooLarge, ""},
	{"RFC 9110 §15.5.14", "the limit itself is not", "40000000\r\n", nil, "|more"},

	{"§7.1", "a size line ends in CRLF, not LF", "5\nhello\r\n", BareLF, ""},
	{"§7.1", "not in LF CR", "5\n\rhello", BareLF, ""},
	{"§7.1", "not in CR", "5\rhello", BareCR, ""},
	{"§7.1", "not in CR CR LF", "5\r\r\nhello", BareCR, ""},
	{"§7.1", "nor in CR and something", "5\r\r;ABCD\r\n34\r\nE\r\n0\r\n", BareCR, ""},
	{"§7.1", "the last ends in CRLF, not LF", "0\n\n", BareLF, ""},
	{"§7.1", "not in CR", "0\r\r\n", BareCR, ""},
	{"§7.1", "LF is no size", "\n", BareLF, ""},
	{"§7.1", "content is followed by CRLF", "5\r\nhello0\r\n", BadChunkEnd, ""},
	{"§7.1", "by both bytes: CVE-2025-43859 counted them", "5\r\nhelloXX0\r\n", BadChunkEnd, ""},
	{"§7.1", "not by LF", "5\r\nhello\n0\r\n", BadChunkEnd, ""},
	{"§7.1", "not by CR", "5\r\nhello\r0\r\n", BadChunkEnd, ""},
	{"§7.1", "not by LF CR", "5\r\nhello\n\r0\r\n", BadChunkEnd, ""},
	{"§7.1", "not by a space and CRLF", "5\r\nhello \r\n0\r\n", BadChunkEnd, ""},
	{"§7.1", "not by more content", "5\r\nhello world\r\n0\r\n", BadChunkEnd, ""},

	{"§7.1.1", "an extension is ignored", "5;a\r\nhello\r\n0\r\n", nil, "hello|"},
	{"§7.1.1", "with a token", "5;a=b\r\nhello\r\n0\r\n", nil, "hello|"},
	{"§7.1.1", "with a quoted string", "5;a=\"b c\"\r\nhello\r\n0\r\n", nil, "hello|"},
	{"§7.1.1", "an empty one", "5;a=\"\"\r\nhello\r\n0\r\n", nil, "hello|"},
	{"§7.1.1", "one with semicolons", "5;a=\"b;c=d\"\r\nhello\r\n0\r\n", nil, "hello|"},
	{"RFC 9110 §5.6.4", "one with quoted pairs", `5;a="\"\\\;"` + "\r\nhello\r\n0\r\n", nil, "hello|"},
	{"RFC 9110 §5.6.4", "one with TAB and bytes above 0x7F", "5;a=\"\t\xc3\xa9\\\t\"\r\nhello\r\n0\r\n", nil, "hello|"},
	{"§7.1.1", "several extensions", "5;a;b=c;d=\"e\";f\r\nhello\r\n0\r\n", nil, "hello|"},
	{"§7.1.1", "on the last chunk", "0;a=b\r\n\r\n", nil, "|\r\n"},
	{"§7.1.1", "names are any token", "5;" + tchar + "=" + tchar + "\r\nhello\r\n0\r\n", nil, "hello|"},
	{"§7.1.1", "a bare semicolon is refused", "5;\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "two of them", "5;;a\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "one behind an extension", "5;a;\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "on the last chunk", "0;\r\n", BadChunkExtension, ""},
	{"§7.1.1", "a name is needed", "5;=b\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a value behind the sign is needed", "5;a=\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "before a semicolon too", "5;a=;b\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "two signs", "5;a==b\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a sign in a token", "5;a=b=c\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a space before the semicolon", "5 ;a\r\nhello", BadChunkSize, ""},
	{"§7.1.1", "a space behind it", "5; a\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a space behind the name", "5;a \r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a space before the value", "5;a= b\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a TAB within a name", "5;a\tb\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a name that is no token", "5;a[b]\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a slash in a value", "5;a=b/c\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a NUL", "5;a\x00\r\nhello", BadChunkExtension, ""},
	{"§7.1.1", "a byte above 0x7F outside of quotation marks", "5;\xe9\r\nhello", BadChunkExtension, ""},
	{"RFC 9110 §5.6.4", "an open quotation", "5;a=\"b\r\nhello", BadChunkExtension, ""},
	{"RFC 9110 §5.6.4", "one opened in a token", "5;a=b\"c\"\r\nhello", BadChunkExtension, ""},
	{"RFC 9110 §5.6.4", "something behind it", "5;a=\"b\"c\r\nhello", BadChunkExtension, ""},
	{"RFC 9110 §5.6.4", "a NUL in it", "5;a=\"\x00\"\r\nhello", BadChunkExtension, ""},
	{"RFC 9110 §5.6.4", "DEL in it", "5;a=\"\x7f\"\r\nhello", BadChunkExtension, ""},
	{"RFC 9110 §5.6.4", "an escaped control byte", "5;a=\"\\\x01\"\r\nhello", BadChunkExtension, ""},
	{"RFC 9110 §5.6.4", "an escaped CR", "5;a=\"\\\r\n\"\r\nhello", BadChunkExtension, ""},
	{"§2.2", "an LF in it", "5;a=\"\nb\"\r\nhello", BareLF, ""},
	{"§2.2", "an LF behind a name", "5;a\nhello", BareLF, ""},
	{"§2.2", "a CR in a name", "5;a\rb\r\nhello", BareCR, ""},
	{"§7.1.1", "a line of the limit passes", "5;" + strings.Repeat("a", 4094) + "\r\nhello\r\n0\r\n", nil, "hello|"},
	{"§7.1.1", "a longer one is refused", "5;" + strings.Repeat("a", 4095), ChunkLineTooLong, ""},
	{"§7.1.1", "lines that outweigh the content are refused", strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 5), ChunkOverhead, ""},
	{"§7.1.1", "a few may", strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 4) + "0\r\n", nil, "xxxx|"},
	{"§7.1.1", "as much content makes up for them", strings.Repeat("7d0;"+strings.Repeat("a", 3900)+"\r\n"+strings.Repeat("x", 2000)+"\r\n", 50) + "0\r\n",
		nil, strings.Repeat("x", 100000) + "|"},
	{"§7.1", "1-byte chunks are legal", strings.Repeat("1\r\nx\r\n", 50000) + "0\r\n", nil, strings.Repeat("x", 50000) + "|"},
}

// decode brings raw to a decoder in steps of so many bytes.
func decode(t testing.TB, raw []byte, step int, lim *Limits) (content []byte, n int, done bool, r *Reason) {
	t.Helper()
	var d Chunked
	d.Reset(lim)
	for have := min(step, len(raw)); ; {
		p, used, r := d.Next(raw[n:have:have])
		content = append(content, p...)
		if n += used; r != nil {
			return content, n, false, r
		}
		switch {
		case d.Done():
			return content, n, true, nil
		case used > 0:
		case n < have:
			t.Fatalf("nothing taken of %q", raw[n:have])
		case have == len(raw):
			return content, n, false, nil
		default:
			have = min(have+step, len(raw))
		}
	}
}

func TestChunked(t *testing.T) {
	lim := DefaultLimits()
	for _, row := range chunkRows {
		t.Run(row.name(), func(t *testing.T) {
			steps := []int{len(row.in) + 1, 1, 2, 3, 7}
			for _, step := range steps {
				content, n, done, r := decode(t, []byte(row.in), step, &lim)
				rest := "more"
				if done {
					rest = row.in[n:]
				}
				if got := string(content) + "|" + rest; r != row.refuse || r == nil && got != row.want {
					t.Fatalf("in steps of %d: %v, %.200q", step, r, got)
				}
			}
		})
	}
}

func TestChunkedDecoder(t *testing.T) {
	lim := DefaultLimits()
	t.Run("a refusal is final", func(t *testing.T) {
		var d Chunked
		d.Reset(&lim)
		for range 3 {
			if p, n, r := d.Next([]byte("x5\r\nhello\r\n")); r != BadChunkSize || p != nil || n > 1 {
				t.Fatalf("got %q, %d, %v", p, n, r)
			}
		}
	})
	t.Run("content of a refused body is not given out after the refusal", func(t *testing.T) {
		content, _, _, r := decode(t, []byte("1\r\na\r\n1\r\nb!\r\n1\r\nc\r\n"), 100, &lim)
		if string(content) != "ab" || r != BadChunkEnd {
			t.Errorf("got %q, %v", content, r)
		}
	})
	t.Run("before a reset it takes nothing", func(t *testing.T) {
		var d Chunked
		if p, _, r := d.Next([]byte("1\r\na\r\n")); p != nil || r == nil {
			t.Errorf("got %q, %v", p, r)
		}
	})
	t.Run("the limit counts the content of all chunks", func(t *testing.T) {
		three := lim
		three.BodyBytes = 3
		if _, _, done, r := decode(t, []byte("1\r\na\r\n2\r\nbc\r\n0\r\n"), 1, &three); r != nil || !done {
			t.Error(r)
		}
		if _, _, _, r := decode(t, []byte("1\r\na\r\n3\r\n"), 1, &three); r != BodyTooLarge {
			t.Error(r)
		}
	})
	t.Run("the largest limit does not overflow", func(t *testing.T) {
		all := lim
		all.BodyBytes = 1<<63 - 1
		if _, _, done, r := decode(t, []byte("7fffffffffffffff\r\nabc"), 1, &all); r != nil || done {
			t.Error(done, r)
		}
	})
	t.Run("payload is a view that cannot be appended to", func(t *testing.T) {
		var d Chunked
		d.Reset(&lim)
		raw := []byte("2\r\nab\r\n0\r\n")
		p, n, _ := d.Next(raw)
		if &p[0] != &raw[n-2] || cap(p) != 2 {
			t.Errorf("payload %q of capacity %d, %d taken", p, cap(p), n)
		}
	})
}

func TestChunkedConsumed(t *testing.T) {
	lim := DefaultLimits()
	var d Chunked
	d.Reset(&lim)
	raw := []byte("a\r\n0123456789\r\n0\r\n")
	if r := d.Remaining(); r != 0 {
		t.Errorf("%d remain before a chunk", r)
	}
	p, n, r := d.Next(raw[:5])
	if string(p) != "01" || n != 5 || r != nil || d.Remaining() != 8 {
		t.Fatalf("got %q, %d, %v, %d remain", p, n, r, d.Remaining())
	}
	d.Consumed(3)
	if d.Remaining() != 5 {
		t.Errorf("%d remain", d.Remaining())
	}
	for _, n := range []int64{-1, 6} {
		t.Run(fmt.Sprintf("%d of 5 bytes is our own bug", n), func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			d.Consumed(n)
		})
	}
	d.Consumed(0)
	d.Consumed(5)
	p, n, r = d.Next(raw[13:])
	if len(p) != 0 || n != 5 || r != nil || !d.Done() || d.Remaining() != 0 {
		t.Errorf("got %q, %d, %v, done %v, %d remain", p, n, r, d.Done(), d.Remaining())
	}
	if _, n, r := d.Next([]byte("x")); n != 0 || r != nil {
		t.Errorf("behind the end: %d, %v", n, r)
	}
}

// TestChunkedCost does the attacker's arithmetic: the most framing that a byte of content
// can cost us, over the longest body that passes.
func TestChunkedCost(t *testing.T) {
	lim := DefaultLimits()
	line := "1;" + strings.Repeat("a", 12) + "\r\nx\r\n" // 18 bytes of framing, all that is granted
	raw := []byte(strings.Repeat(line, 20000) + "0\r\n")
	if _, _, done, r := decode(t, raw, len(raw), &lim); r != nil || !done {
		t.Errorf("what is granted was refused: %v", r)
	}
	raw = bytes.ReplaceAll(raw, []byte("1;a"), []byte("1;aa"))
	content, n, _, r := decode(t, raw, len(raw), &lim)
	if r != ChunkOverhead {
		t.Fatalf("got %v", r)
	}
	if len(content) != lim.ChunkExcessBytes || n > 20*(lim.ChunkExcessBytes+1) {
		t.Errorf("%d bytes of content were read in %d", len(content), n)
	}
}
