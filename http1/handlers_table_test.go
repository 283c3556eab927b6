package http1_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// write makes a handler that writes s after what set does.
func write(s string, set func(w *http1.Response)) http1.HandlerFunc {
	return func(w *http1.Response, _ *http1.Request) {
		if set != nil {
			set(w)
		}
		_, _ = io.WriteString(w, s)
	}
}

// echo reads all and answers with it.
func echo(w *http1.Response, r *http1.Request) {
	b, err := io.ReadAll(r.Body())
	_, _ = fmt.Fprintf(w, "%s|%d|%v", b, r.ContentLength(), err)
}

// tell answers with what one thing of the request is.
func tell(what func(r *http1.Request) any) http1.HandlerFunc {
	return func(w *http1.Response, r *http1.Request) { _, _ = fmt.Fprintf(w, "%q", what(r)) }
}

var three = []string{"Accept", "text/html", "X-List", "a", "x-list", "b, c"}

// failing is a reader that fails.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

var handlers = []handlerRow{
	// What a Request gives.
	{name: "method", ask: http1test.Request{Method: "PROPFIND"}, handler: tell(func(r *http1.Request) any { return r.Method() }), want: `200 "PROPFIND"`},
	{name: "usual methods", ask: http1test.Request{Method: "PATCH"}, handler: tell(func(r *http1.Request) any { return r.Method() }), want: `200 "PATCH"`},
	{name: "path stays encoded", ask: http1test.Request{Target: "/a%2Fb?q=%20"}, handler: tell(func(r *http1.Request) any { return []string{r.Path(), r.Query(), r.Target()} }), want: `200 ["/a%2Fb" "q=%20" "/a%2Fb?q=%20"]`},
	{name: "asterisk", ask: http1test.Request{Method: "OPTIONS", Target: "*"}, handler: tell(func(r *http1.Request) any { return r.Path() }), want: `200 "*"`},
	{name: "authority, scheme and version", ask: http1test.Request{Authority: "b.test:81"}, handler: tell(func(r *http1.Request) any { return []string{r.Authority(), r.Scheme(), r.Proto()} }), want: `200 ["b.test:81" "http" "HTTP/1.1"]`},
	{name: "client and scheme as a handler knows them", handler: func(w *http1.Response, r *http1.Request) {
		peer := r.Client()
		r.SetClient(netip.MustParseAddrPort("203.0.113.7:0"))
		r.SetScheme("https")
		_, _ = fmt.Fprint(w, r.Client(), r.Scheme(), r.Peer() == peer, r.TLS() == nil)
		r.SetClient(netip.AddrPort{})
		r.SetScheme("http")
		_, _ = fmt.Fprint(w, r.Client() == peer, r.Scheme())
	}, want: "200 203.0.113.7:0httpstrue truetruehttp|"},
	{name: "a scheme that is neither is a bug", handler: func(_ *http1.Response, r *http1.Request) { r.SetScheme("HTTPS") }, want: "500 "},
	{name: "fields join in any case", ask: http1test.Request{Fields: three}, handler: tell(func(r *http1.Request) any { return r.Field("X-LIST") }), want: `200 "a, b, c"`},
	{name: "a field that is not there", ask: http1test.Request{Fields: three}, handler: tell(func(r *http1.Request) any { v, ok := r.Lookup("Absent"); return fmt.Sprint(v, ok) }), want: `200 "false"`},
	{name: "an empty field is there", ask: http1test.Request{Fields: []string{"Here", ""}}, handler: tell(func(r *http1.Request) any { v, ok := r.Lookup("here"); return fmt.Sprint(v, ok) }), want: `200 "true"`},
	{name: "values come one by one", ask: http1test.Request{Fields: three}, handler: tell(func(r *http1.Request) any { return slices.Collect(r.Values("x-list")) }), want: `200 ["a" "b, c"]`},
	{name: "a loop over values can stop", ask: http1test.Request{Fields: three}, handler: tell(func(r *http1.Request) any {
		for v := range r.Values("x-list") {
			return v
		}
		return ""
	}), want: `200 "a"`},
	{name: "a loop over fields can stop", ask: http1test.Request{Fields: three}, handler: tell(func(r *http1.Request) any {
		for name := range r.Fields() {
			if name != "Host" {
				return name
			}
		}
		return ""
	}), want: `200 "Accept"`},
	{name: "a view is the first line", ask: http1test.Request{Fields: three}, handler: tell(func(r *http1.Request) any { return r.FieldView("X-List") }), want: `200 "a"`},
	{name: "no view of what is not there", handler: tell(func(r *http1.Request) any { return fmt.Sprint(r.FieldView("X") == nil, string(r.PathView())) }), want: `200 "true/"`},
	{name: "the context lives while the handler runs", handler: tell(func(r *http1.Request) any { return fmt.Sprint(r.Context().Err()) }), want: `200 "<nil>"`},
	{name: "without TLS there is none", handler: tell(func(r *http1.Request) any {
		return fmt.Sprint(r.TLS() == nil, r.Client().IsValid(), r.Local().IsValid())
	}), want: `200 "true true true"`},

	// Content.
	{name: "no content", handler: echo, want: "200 |0|<nil>"},
	{name: "content of known length", ask: http1test.Request{Method: "POST", Content: "hello"}, handler: echo, want: "200 hello|5|<nil>"},
	{name: "content of unknown length", ask: http1test.Request{Method: "POST", Content: "hello", Chunked: true}, handler: echo, want: "200 hello|-1|<nil>"},
	{name: "empty content of unknown length", ask: http1test.Request{Method: "POST", Chunked: true}, handler: echo, want: "200 |-1|<nil>"},
	{name: "content that nobody reads", ask: http1test.Request{Method: "POST", Content: "hello"}, handler: write("x", nil), want: "200 x"},
	{name: "refused content overrides the response", ask: http1test.Request{Method: "POST", Content: "he", Refused: reason("bad-chunk-size")}, handler: echo, want: "400 400 Bad Request", broken: "2\r\nhe\r\nzz\r\n"},
	{name: "refused content that was not read does too", ask: http1test.Request{Method: "POST", Refused: reason("bad-chunk-size")}, handler: write("x", func(w *http1.Response) { w.CloseAfter() }), want: "400 ", broken: "zz\r\n"},
	{name: "refused content behind a committed head cuts", ask: http1test.Request{Method: "POST", Content: "he", Refused: reason("bad-chunk-end")}, want: "200 abc|", broken: "2\r\nheXX",
		handler: func(w *http1.Response, r *http1.Request) {
			_, _ = w.WriteString("abc")
			_ = w.Flush()
			_, _ = io.Copy(io.Discard, r.Body())
		}},

	// Status and fields.
	{name: "status", handler: write("gone", func(w *http1.Response) { w.SetStatus(410) }), want: "410 gone"},
	{name: "the last status counts", handler: write("", func(w *http1.Response) { w.SetStatus(410); w.SetStatus(404) }), want: "404 "},
	{name: "an interim status is no response", handler: write("", func(w *http1.Response) { w.SetStatus(103) }), want: "500 "},
	{name: "a status of four digits is none", handler: write("", func(w *http1.Response) { w.SetStatus(1000) }), want: "500 "},
	{name: "fields in their order", handler: write("", func(w *http1.Response) { w.Add("B", "2"); w.Add("A", "1"); w.Add("B", "3") }), want: "200 |A: 1|B: 2|B: 3|"},
	{name: "set replaces", handler: write("", func(w *http1.Response) { w.Add("b", "2"); w.Add("B", "3"); w.Set("B", "4") }), want: "200 |B: 4|"},
	{name: "del removes", handler: write("", func(w *http1.Response) { w.Add("A", "1"); w.Add("B", "3"); w.Del("b") }), want: "200 |A: 1|"},
	{name: "get finds", handler: func(w *http1.Response, _ *http1.Request) {
		w.Add("A", "1")
		_, _ = w.WriteString(w.Get("a") + w.Get("absent"))
	}, want: "200 1|A: 1|"},
	{name: "bytes beyond ASCII pass", handler: write("", func(w *http1.Response) { w.Set("A", "ä\tb") }), want: "200 |A: ä\tb|"},
	{name: "a value with a line end", handler: write("", func(w *http1.Response) { w.Set("A", "x\r\nB: y") }), want: "500 "},
	{name: "a value with LF alone", handler: write("", func(w *http1.Response) { w.Add("A", "x\ny") }), want: "500 "},
	{name: "a value with NUL", handler: write("", func(w *http1.Response) { w.Add("A", "x\x00") }), want: "500 "},
	{name: "a name with a space", handler: write("", func(w *http1.Response) { w.Add("A B", "x") }), want: "500 "},
	{name: "an empty name", handler: write("", func(w *http1.Response) { w.Add("", "x") }), want: "500 "},
	{name: "a coding of the handler's", handler: write("", func(w *http1.Response) { w.Set("transfer-encoding", "chunked") }), want: "500 "},
	{name: "keep-alive of the handler's", handler: write("", func(w *http1.Response) { w.Set("Connection", "keep-alive") }), want: "500 "},
	{name: "a length that is none", handler: write("", func(w *http1.Response) { w.Set("Content-Length", "five") }), want: "500 "},
	{name: "a negative length", handler: write("", func(w *http1.Response) { w.SetLength(-1) }), want: "500 "},
	{name: "a length as a field", handler: write("12345", func(w *http1.Response) { w.Set("content-length", "5") }), want: "200 12345||5 long"},
	{name: "a length that is taken back", handler: write("12345", func(w *http1.Response) { w.SetLength(3); w.Del("Content-Length") }), want: "200 12345||5 long"},
	{name: "close as a field", handler: write("", func(w *http1.Response) { w.Set("Connection", "Close") }), want: "200 ||0 long, last"},
	{name: "the server stops", ask: http1test.Request{Closing: true}, handler: write("x", nil), want: "200 x||1 long, last"},
	{name: "text", handler: func(w *http1.Response, _ *http1.Request) {
		w.Add("Kept", "1")
		_, _ = w.WriteString("dropped")
		w.SetLength(3)
		w.Text(403, "no\n")
	}, want: "403 no\n|Content-Type: text/plain; charset=utf-8|Kept: 1|X-Content-Type-Options: nosniff|3 long"},
	{name: "reset", handler: func(w *http1.Response, _ *http1.Request) {
		w.Add("A", "1")
		w.SetStatus(404)
		_, _ = w.WriteString("dropped")
		_, _ = fmt.Fprint(w, w.Reset(), w.Status(), w.Written())
	}, want: "200 true 200 0||"},
	{name: "what is committed stays", handler: func(w *http1.Response, _ *http1.Request) {
		w.Add("A", "1")
		_, _ = w.WriteString("a")
		before := w.Committed()
		_ = w.Flush()
		w.SetStatus(404)
		w.Set("A", "2")
		w.Del("A")
		w.SetLength(1)
		w.CloseAfter()
		w.Text(500, "x")
		_, _ = fmt.Fprint(w, before, w.Committed(), w.Reset(), w.Status())
	}, want: "200 afalse true false 200|A: 1|-1 long"},

	// Content of responses.
	{name: "nothing", handler: write("", nil), want: "200 ||0 long"},
	{name: "what fits the buffer has a length", handler: write(strings.Repeat("x", 4096), nil), want: "200 " + strings.Repeat("x", 4096) + "||4096 long"},
	{name: "one byte more has none", handler: write(strings.Repeat("x", 4097), nil), want: "200 " + strings.Repeat("x", 4097) + "||-1 long"},
	{name: "a declared length of more", handler: write(strings.Repeat("x", 50_000), func(w *http1.Response) { w.SetLength(50_000) }), want: "200 " + strings.Repeat("x", 50_000) + "||50000 long"},
	{name: "empty writes", handler: func(w *http1.Response, _ *http1.Request) {
		_ = w.Flush()
		_, _ = w.Write(nil)
		_, _ = w.WriteString("")
		_, _ = w.Write([]byte("x"))
	}, want: "200 x||-1 long"},
	{name: "from a reader", handler: func(w *http1.Response, _ *http1.Request) {
		n, err := w.ReadFrom(strings.NewReader(strings.Repeat("r", 40_000)))
		_, _ = fmt.Fprint(w, n, err)
	}, want: "200 " + strings.Repeat("r", 40_000) + "40000 <nil>||-1 long"},
	{name: "from a reader, as much as was declared", handler: func(w *http1.Response, _ *http1.Request) {
		w.SetLength(5)
		_, _ = w.WriteString("ab")
		_, _ = w.ReadFrom(strings.NewReader("cdefgh"))
	}, want: "200 abcde||5 long"},
	{name: "from a reader that fails", handler: func(w *http1.Response, _ *http1.Request) {
		w.SetLength(5)
		_, _ = w.ReadFrom(io.MultiReader(strings.NewReader("ab"), failing{}))
	}, want: "200 ab||5 long, cut, 2 bytes, disk on fire"},
	{name: "from a reader for HEAD", ask: http1test.Request{Method: "HEAD"}, handler: func(w *http1.Response, _ *http1.Request) {
		_, _ = w.ReadFrom(strings.NewReader("abc"))
	}, want: "200 ||3 long, whole, 3 bytes"},
	{name: "HEAD counts and sends nothing", ask: http1test.Request{Method: "HEAD"}, handler: write("abc", nil), want: "200 ||3 long, whole, 3 bytes"},
	{name: "HEAD of much", ask: http1test.Request{Method: "HEAD"}, handler: write(strings.Repeat("x", 5000), nil), want: "200 ||-1 long, whole, 5000 bytes"},
	{name: "HEAD with a length alone", ask: http1test.Request{Method: "HEAD"}, handler: func(w *http1.Response, _ *http1.Request) { w.SetLength(99) }, want: "200 ||99 long, whole, 0 bytes"},
	{name: "204", handler: func(w *http1.Response, _ *http1.Request) { w.SetStatus(204) }, want: "204 ||0 long"},
	{name: "204 refuses content and stays whole", handler: func(w *http1.Response, _ *http1.Request) {
		w.SetStatus(204)
		_, err1 := w.Write([]byte("x"))
		_, err2 := w.WriteString("x")
		_, err3 := w.ReadFrom(strings.NewReader("x"))
		if !errors.Is(errors.Join(err1, err2, err3), http1.ErrNoContentAllowed) || err1 == nil || err2 == nil || err3 == nil {
			panic("content was taken")
		}
	}, want: "204 ||0 long, whole, 0 bytes"},
	{name: "204 behind content drops it", handler: func(w *http1.Response, _ *http1.Request) { _, _ = w.WriteString("x"); w.SetStatus(204) }, want: "204 ||0 long, whole, 0 bytes"},
	{name: "304 with validators", handler: func(w *http1.Response, _ *http1.Request) { w.SetStatus(304); w.Set("ETag", `"x"`) }, want: `304 |Etag: "x"|`},

	// Handlers that break.
	{name: "panic", handler: func(w *http1.Response, _ *http1.Request) { w.Set("A", "1"); panic("no") }, want: "500 500 Internal Server Error\n|Content-Type: text/plain; charset=utf-8|X-Content-Type-Options: nosniff|26 long, last, 26 bytes, handler panicked: no"},
	{name: "panic with an error", handler: func(*http1.Response, *http1.Request) { panic(io.ErrClosedPipe) }, want: "500 "},
	{name: "panic with nothing", handler: func(*http1.Response, *http1.Request) { panic(nil) }, want: "500 "},
	{name: "panic behind the head", handler: func(w *http1.Response, _ *http1.Request) { _, _ = w.WriteString("a"); _ = w.Flush(); panic("no") }, want: "200 a||-1 long, cut, 1 bytes, handler panicked: no"},
	{name: "abort", handler: func(w *http1.Response, _ *http1.Request) { _, _ = w.WriteString("a"); panic(http1.ErrAbort) }, want: "0 ||0 long, cut, 1 bytes, " + http1.ErrAbort.Error()},
	{name: "abort behind the head", handler: func(w *http1.Response, _ *http1.Request) {
		_, _ = w.WriteString("a")
		_ = w.Flush()
		panic(http1.ErrAbort)
	}, want: "200 a||-1 long, cut"},
	{name: "less than declared", handler: write("ab", func(w *http1.Response) { w.SetLength(3) }), want: "200 ab||3 long, cut, 2 bytes, " + http1.ErrShortContent.Error()},
	{name: "nothing of what was declared", handler: write("", func(w *http1.Response) { w.SetLength(3) }), want: "200 ||3 long, cut"},
	{name: "more than declared, at once", handler: write("abcd", func(w *http1.Response) { w.SetLength(3) }), want: "500 "},
	{name: "more than declared, later", handler: func(w *http1.Response, _ *http1.Request) {
		w.SetLength(3)
		_, _ = w.WriteString("ab")
		if n, err := w.WriteString("cd"); n != 0 || !errors.Is(err, http1.ErrContentLength) {
			panic("too much was taken")
		}
	}, want: "200 ab||3 long, cut, 2 bytes, " + http1.ErrContentLength.Error()},
	{name: "declared below what was written", handler: func(w *http1.Response, _ *http1.Request) { _, _ = w.WriteString("abcd"); w.SetLength(3) }, want: "500 "},
	{name: "declared below, then flushed", handler: func(w *http1.Response, _ *http1.Request) {
		_, _ = w.WriteString("abcd")
		w.SetLength(3)
		if err := w.Flush(); !errors.Is(err, http1.ErrContentLength) {
			panic("a false length was sent")
		}
	}, want: "500 "},
}
