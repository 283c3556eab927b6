package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// A row is one clause and what it makes of some bytes: a Reason, or else a value that the
// table's test writes as text.
type row struct {
	clause string // where it is written
	says   string // what it says, as the test's name
	in     string
	refuse *Reason
	want   string
}

func (r row) name() string { return r.says + " (" + r.clause + ")" }

// tables are all rows that refuse something, for the test that none is missing.
func tables() map[string][]row {
	return map[string][]row{
		"request line": lineRows, "scan": scanRows, "target": targetRows, "host": hostRows,
		"field": fieldRows, "first field": firstFieldRows, "framing": framingRows, "options": optionRows,
		"chunk": chunkRows, "trailer": trailerRows,
	}
}

// receive brings raw to Scan in steps of so many bytes, as one reading a socket would, and
// parses the head once it is whole. It fails when Scan needs more than the limit allows.
func receive(t testing.TB, raw []byte, step int, lim *Limits) (h *Head, n int, r *Reason) {
	t.Helper()
	var s Scanner
	h = new(Head)
	for have := 0; have < len(raw); {
		have = min(have+step, len(raw))
		n, r = s.Scan(raw[:have:have], lim)
		if r != nil {
			return h, 0, r
		}
		if n > 0 {
			return h, n, h.Parse(raw[:n:n], lim)
		}
		if have >= lim.HeadBytes {
			t.Fatalf("%d bytes of at most %d did not suffice for a verdict", have, lim.HeadBytes)
		}
	}
	return h, 0, nil
}

// verdict receives raw whole and a byte at a time, which must be the same, and parses it
// in a Head used before, which must not show.
func verdict(t testing.TB, raw string) (*Head, *Reason) {
	t.Helper()
	lim := DefaultLimits()
	h, n, r := receive(t, []byte(raw), len(raw), &lim)
	h1, n1, r1 := receive(t, []byte(raw), 1, &lim)
	if n != n1 || r != r1 || text(h) != text(h1) {
		t.Fatalf("whole: %d, %v, %s\nby byte: %d, %v, %s", n, r, text(h), n1, r1, text(h1))
	}
	if n == 0 && r == nil {
		t.Fatalf("%q is not a whole head", raw)
	}
	if n > 0 {
		used := usedHead()
		if r2 := used.Parse([]byte(raw[:n]), &lim); r2 != r || text(used) != text(h) {
			t.Fatalf("in a used head: %v, %s, before: %v, %s", r2, text(used), r, text(h))
		}
	}
	return h, r
}

// usedHead is full of another request's values.
func usedHead() *Head {
	lim := DefaultLimits()
	h := new(Head)
	h.Parse([]byte("OPTIONS HTTPS://old.example:1?old HTTP/1.9\r\nHost: old.example\r\nOld: field\r\n"+
		"Content-Length: 77\r\nExpect: 100-continue\r\nConnection: upgrade\r\nUpgrade: old\r\n\r\n"), &lim)
	return h
}

// text is all that a Head says, in one line.
func text(h *Head) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s 1.%d form=%d %q %q %q ?%q %v framing=%d %d keep=%v 100=%v up=%v",
		h.Method, h.Target, h.Minor, h.Form, h.Scheme, h.Authority, h.Path, h.Query, h.HasQuery,
		h.Framing, h.ContentLength, h.KeepAlive, h.Expect100, h.Upgrade)
	b.WriteString(fieldText(h.Fields))
	return b.String()
}

func fieldText(fields []Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "[%s=%s]", f.Name, f.Value)
	}
	return b.String()
}

// checkHeads plays a table: raw makes a head of a row's bytes, show makes text of the part
// that the table is about.
func checkHeads(t *testing.T, rows []row, raw func(in string) string, show func(h *Head) string) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name(), func(t *testing.T) {
			h, r := verdict(t, raw(row.in))
			if r != row.refuse {
				t.Fatalf("%q: got %v, want %v", row.in, r, row.refuse)
			}
			if got := show(h); r == nil && got != row.want {
				t.Errorf("%q: got %s, want %s", row.in, got, row.want)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	h, r := verdict(t, "GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-ONE: 2\r\nEmpty:\r\nX^One: caret\r\n\r\n")
	if r != nil {
		t.Fatal(r)
	}
	for _, c := range []struct{ name, value string }{
		{"host", "a"}, {"HOST", "a"}, {"X-One", "1"}, {"x-one", "1"}, {"empty", ""}, {"x^one", "caret"},
	} {
		t.Run("finds "+c.name+" whatever its case", func(t *testing.T) {
			if v, ok := h.Lookup(c.name); !ok || string(v) != c.value {
				t.Errorf("got %q, %v", v, ok)
			}
		})
	}
	for _, name := range []string{"", "hos", "hostt", "x~one", "x-two"} {
		t.Run("does not find "+name, func(t *testing.T) {
			if v, ok := h.Lookup(name); ok || v != nil {
				t.Errorf("got %q, %v", v, ok)
			}
		})
	}
}

func TestHead(t *testing.T) {
	lim := DefaultLimits()
	t.Run("a refusal behind the method keeps the method", func(t *testing.T) {
		var h Head
		raw := []byte("HEAD /\x80 HTTP/1.1\r\nHost: a\r\n\r\n")
		if r := h.Parse(raw, &lim); r != BadTargetByte || string(h.Method) != "HEAD" {
			t.Errorf("got %v, method %q", r, h.Method)
		}
	})
	t.Run("views cannot be appended to over what follows", func(t *testing.T) {
		raw := []byte("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n")
		var h Head
		if r := h.Parse(raw, &lim); r != nil {
			t.Fatal(r)
		}
		before := string(raw)
		for _, f := range h.Fields {
			_, _ = append(f.Name, "!!"...), append(f.Value, "!!"...)
		}
		if string(raw) != before {
			t.Errorf("the buffer became %q", raw)
		}
	})
	t.Run("reset leaves no view behind", func(t *testing.T) {
		h := usedHead()
		h.Reset()
		for _, f := range h.Fields[:cap(h.Fields)] {
			if f.Name != nil || f.Value != nil {
				t.Fatalf("%q is still there", f.Name)
			}
		}
		if got, want := text(h), text(new(Head)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("the limit of fields counts lines", func(t *testing.T) {
		var h Head
		few := lim
		few.Fields = 2
		if r := h.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"), &few); r != nil {
			t.Error(r)
		}
		if r := h.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nX: z\r\n\r\n"), &few); r != TooManyFields {
			t.Error(r)
		}
	})
}

// TestParseAlone gives Parse what Scan would not have: it must refuse, not panic.
func TestParseAlone(t *testing.T) {
	lim := DefaultLimits()
	whole := "GET /a?b HTTP/1.1\r\nHost: a\r\nX: y \r\n\r\n"
	for cut := range len(whole) {
		t.Run(fmt.Sprintf("a head cut after %d bytes is refused", cut), func(t *testing.T) {
			var h Head
			if r := h.Parse([]byte(whole[:cut]), &lim); r == nil {
				t.Errorf("%q was accepted", whole[:cut])
			}
		})
	}
	for _, c := range []struct {
		raw  string
		want *Reason
	}{
		{"GET / HTTP/1.1\nHost: a\n\n", IncompleteHead},
		{"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", BareLF},
		{"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", BareCR},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", IncompleteHead},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n", IncompleteHead},
	} {
		t.Run(fmt.Sprintf("%q is refused", c.raw), func(t *testing.T) {
			var h Head
			if r := h.Parse([]byte(c.raw), &lim); r != c.want {
				t.Errorf("got %v, want %v", r, c.want)
			}
		})
	}
}

func TestNoAllocations(t *testing.T) {
	lim := DefaultLimits()
	raw := []byte(browserHead)
	var s Scanner
	var h Head
	none := func(what string, f func()) {
		t.Run(what+" allocates nothing", func(t *testing.T) {
			f()
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	none("a browser's head", func() {
		s.Reset()
		n, r := s.Scan(raw, &lim)
		if r != nil || h.Parse(raw[:n], &lim) != nil {
			panic("refused")
		}
		h.Lookup("Priority")
	})
	refused := bytes.Replace(raw, []byte("DNT: 1"), []byte("DNT : 1"), 1)
	none("a refusal", func() {
		if h.Parse(refused, &lim) != SpaceBeforeColon {
			panic("not refused")
		}
	})
	body := chunks(make([]byte, 1000), 10)
	var d Chunked
	none("a chunked body", func() {
		d.Reset(&lim)
		for in := body; !d.Done(); {
			_, n, r := d.Next(in)
			if r != nil {
				panic(r)
			}
			in = in[n:]
		}
	})
	var tr Trailers
	section := []byte("Checksum: 1\r\nServer-Timing: 2\r\n\r\n")
	none("a trailer section", func() {
		tr.Reset()
		if n, r := tr.Scan(section, &lim); r != nil || tr.Parse(section[:n], &lim) != nil {
			panic("refused")
		}
	})
	dst := make([]byte, 0, 512)
	none("writing a head", func() {
		dst = AppendStatusLine(dst[:0], 404)
		dst = AppendField(dst, "Server", "x")
		dst = AppendDate(dst, 784111777)
		dst = AppendChunkSize(dst, 4096)
	})
}
