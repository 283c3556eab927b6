package http1

import (
	"fmt"
	"io"
	"strings"
)

// demo is the handler of most tests here: a path for each kind of response.
var demo = HandlerFunc(func(w *Response, r *Request) {
	if h, ok := demoPaths[r.Path()]; ok {
		h(w, r)
		return
	}
	w.Text(404, "none\n")
})

var demoPaths = map[string]func(w *Response, r *Request){
	"/":   func(w *Response, _ *Request) { _, _ = w.WriteString("OK") },
	"/ok": func(w *Response, _ *Request) { _, _ = w.WriteString("OK") },

	// Responses of each framing.
	"/204":      func(w *Response, _ *Request) { w.SetStatus(204) },
	"/304":      func(w *Response, _ *Request) { w.SetStatus(304) },
	"/304-long": func(w *Response, _ *Request) { w.SetStatus(304); w.SetLength(1234) },
	"/empty":    func(*Response, *Request) {},
	"/length":   func(w *Response, _ *Request) { w.SetLength(10); _, _ = w.WriteString("0123456789") },
	"/large":    func(w *Response, _ *Request) { _, _ = w.WriteString(strings.Repeat("x", 100_000)) },
	"/stream": func(w *Response, _ *Request) {
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "part %d;", i)
			_ = w.Flush()
		}
	},
	"/close": func(w *Response, _ *Request) { w.CloseAfter(); _, _ = w.WriteString("bye") },

	// What becomes of content.
	"/echo": func(w *Response, r *Request) {
		if b, err := io.ReadAll(r.Body()); err == nil {
			_, _ = w.Write(b)
		}
	},
	"/echo-streamed": func(w *Response, r *Request) { _, _ = io.Copy(w, r.Body()) },
	"/read-then-stream": func(w *Response, r *Request) {
		_, _ = io.Copy(io.Discard, r.Body())
		_ = w.Flush()
		_, _ = w.WriteString("all read")
	},
	"/echo-slowly": func(w *Response, r *Request) { // a byte at a time
		var b [1]byte
		for n, err := r.Body().Read(b[:]); err == nil; n, err = r.Body().Read(b[:]) {
			_, _ = w.Write(b[:n])
		}
	},
	"/ignore": func(w *Response, _ *Request) { _, _ = w.WriteString("ignored") },
	"/first-byte": func(w *Response, r *Request) {
		var b [1]byte
		_, err := io.ReadFull(r.Body(), b[:])
		_, _ = fmt.Fprintf(w, "%q %v", b[:], err)
	},
	"/answer-first": func(w *Response, r *Request) {
		_, _ = w.WriteString("early;")
		_ = w.Flush()
		b, err := io.ReadAll(r.Body())
		_, _ = fmt.Fprintf(w, "%d %v", len(b), err)
	},
	"/length-of": func(w *Response, r *Request) {
		n, err := io.Copy(io.Discard, r.Body())
		_, _ = fmt.Fprintf(w, "%d of %d %v", n, r.ContentLength(), err)
	},

	// What the handler sees.
	"/head": func(w *Response, r *Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s?%s %s", r.Proto(), r.Method(), r.Path(), r.Query(), r.Authority())
		for name, value := range r.Fields() {
			_, _ = fmt.Fprintf(w, "|%s=%s", name, value)
		}
	},

	// Broken handlers.
	"/panic":         func(*Response, *Request) { panic("handler is out of luck") },
	"/panic-written": func(w *Response, _ *Request) { _, _ = w.WriteString("secret"); panic("late") },
	"/panic-sent": func(w *Response, _ *Request) {
		_, _ = w.WriteString("half")
		_ = w.Flush()
		panic("too late")
	},
	"/abort":      func(*Response, *Request) { panic(ErrAbort) },
	"/abort-sent": func(w *Response, _ *Request) { _, _ = w.WriteString("half"); _ = w.Flush(); panic(ErrAbort) },
	"/short":      func(w *Response, _ *Request) { w.SetLength(10); _, _ = w.WriteString("short") },
	"/too-much":   func(w *Response, _ *Request) { w.SetLength(3); _, _ = w.WriteString("too much") },
	"/too-much-sent": func(w *Response, _ *Request) {
		w.SetLength(3)
		_, _ = w.WriteString("two")
		_, _ = w.WriteString(" more")
	},
	"/inject":       func(w *Response, r *Request) { w.Set("X", "a\r\nSet-Cookie: stolen=1"); _ = r },
	"/inject-name":  func(w *Response, _ *Request) { w.Add("X: y\r\nZ", "v") },
	"/transfer":     func(w *Response, _ *Request) { w.Set("Transfer-Encoding", "gzip") },
	"/late-length":  func(w *Response, _ *Request) { _, _ = w.WriteString("0123456789"); w.SetLength(5) },
	"/late-204":     func(w *Response, _ *Request) { _, _ = w.WriteString("lost"); w.SetStatus(204) },
	"/late-304":     func(w *Response, _ *Request) { _, _ = w.WriteString("lost"); w.SetStatus(304) },
	"/write-to-204": func(w *Response, _ *Request) { w.SetStatus(204); _, _ = w.WriteString("lost") },
}
