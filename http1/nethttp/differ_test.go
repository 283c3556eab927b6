package nethttp_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// difference is where we answer otherwise than net/http, on purpose.
type difference struct {
	name    string
	why     string
	request string
	handler http.HandlerFunc
	seen    func(outcome) string // what is compared
	they    string
	we      string
}

func code(o outcome) string      { return fmt.Sprint(o.Status) }
func kept(o outcome) string      { return fmt.Sprint(o.Status, " kept=", o.Kept) }
func framing(o outcome) string   { return o.Coding + o.Fields }
func allFields(o outcome) string { return o.Fields }
func behind(o outcome) string    { return o.Content + "|" + o.Trailers }

var differences = []difference{
	{"a panic before the head", "the client of a broken handler is told so", "",
		func(http.ResponseWriter, *http.Request) { panic("on purpose") }, code, "0", "500"},
	{"content between 2 and 4 KiB", "http1's buffer is larger, and a length is better than chunks", "",
		typed(strings.Repeat("x", 3000)), framing, "chunkedContent-Type: a/b\r\n", "Content-Length: 3000\r\nContent-Type: a/b\r\n"},
	{"a status that no RFC knows", "RFC 9110 §15: a client takes it for a 500", "", status(799), code, "799", "500"},
	{"Keep-Alive and Connection of the handler", "they frame the connection, which is the server's", "",
		set("Content-Type", "a/b", "Keep-Alive", "timeout=1", "Connection", "X-A"), allFields,
		"Connection: X-A\r\nContent-Length: 7\r\nContent-Type: a/b\r\nKeep-Alive: timeout=1\r\n",
		"Content-Length: 7\r\nContent-Type: a/b\r\n"},
	{"control bytes in a value", "RFC 9110 §5.5: they are replaced; what net/http sends its own client cannot read", "",
		set("Content-Type", "a/b", "X-A", "a\x00b\x7f\x1bc"), allFields,
		"", "Content-Length: 7\r\nContent-Type: a/b\r\nX-A: a b  c\r\n"},
	{"a trailer set late behind short content", "the handler set it to be sent", "",
		func(w http.ResponseWriter, _ *http.Request) {
			typed("x")(w, nil)
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
		}, behind, "x|", "x|X-Sum: 1\r\n"},
	{"a trailer that must stand in a head", "RFC 9110 §6.5.1", "",
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Set-Cookie, X-Sum")
			typed("x")(w, nil)
			w.Header().Set("Set-Cookie", "a=1")
			w.Header().Set("X-Sum", "1")
		}, behind, "x|Set-Cookie: a=1\r\nX-Sum: 1\r\n", "x|X-Sum: 1\r\n"},
	{"content beyond the declared length", "what was refused was never sent: the response is whole", "",
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1")
			typed("x")(w, nil)
			_, _ = io.WriteString(w, "y")
		}, kept, "200 kept=false", "200 kept=true"},
	{"broken content", "its refusal is the answer, whatever the handler makes of it",
		message("POST /", "zz\r\n", "Transfer-Encoding: chunked"),
		func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }, code, "200", "400"},
	{"no Date", "RFC 9110 §6.6.1: an origin server with a clock sends it", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
	}, func(o outcome) string { return fmt.Sprint(o.Dated) }, "false", "true"},
	{"a transfer coding of the handler's own", "the server frames; net/http's own client cannot read what comes there", "",
		set("Transfer-Encoding", "gzip"), code, "0", "200"},
	{"identity asked for by the handler", "chunks show a whole response from a broken one; the connection ends all the same", "",
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "identity")
			flushed("a", "b")(w, r)
		}, func(o outcome) string { return o.Coding + " " + o.Content }, " ab", "chunked ab"},
	{"close to an HTTP/1.0 client", "the status line has our version (RFC 9110 §6.2), so the reader of this test takes the field away", keepOld,
		set("Content-Type", "a/b", "Connection", "close", "Content-Length", "7"), allFields,
		"Connection: close\r\nContent-Length: 7\r\nContent-Type: a/b\r\n", "Content-Length: 7\r\nContent-Type: a/b\r\n"},
	{"content that a client did not wait to send", "RFC 9110 §10.1.1: what came unasked needs no 100", post("1234", expecting), readAll,
		func(o outcome) string { return fmt.Sprint(o.Informed, o.Content) }, "[100]\"1234\" <nil>", "[]\"1234\" <nil>"},
	{"Upgrade without Connection", "RFC 9110 §7.8: the one brings the other along", "",
		set("Content-Type", "a/b", "Upgrade", "x"), allFields, "Content-Length: 7\r\nContent-Type: a/b\r\nUpgrade: x\r\n",
		"Connection: Upgrade\r\nContent-Length: 7\r\nContent-Type: a/b\r\nUpgrade: x\r\n"},
	{"101 to a client that did not offer", "it would take the rest for another protocol (RFC 9110 §7.8)", "",
		switching, code, "101", "501"},
	{"101 and no Hijack", "the client would wait for another protocol", "", status(101), code, "101", "500"},
	{"informing HTTP/1.0", "RFC 9110 §15.2: it knows no 1xx", "GET / HTTP/1.0\r\n\r\n", status(103),
		func(o outcome) string { return fmt.Sprint(len(o.Informed)) }, "1", "0"},
	{"MaxBytesReader met its limit", "it asks for the close by an unexported method; the content was at hand", post("12345"),
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(http.MaxBytesReader(w, r.Body, 4))
			w.WriteHeader(413)
		}, kept, "413 kept=false", "413 kept=true"},
}

func typed(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "a/b")
		_, _ = io.WriteString(w, content)
	}
}

func TestDiffersFromNetHTTP(t *testing.T) {
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			if d.request == "" {
				d.request = get("/")
			}
			h := withAgain(d.handler)
			if got := d.seen(observe(t, serveTheirs(t, h), d.request)); got != d.they {
				t.Errorf("net/http %q, and not %q: is the difference gone? (%s)", got, d.they, d.why)
			}
			if got := d.seen(observe(t, serveOurs(t, h), d.request)); got != d.we {
				t.Errorf("we %q, and not %q", got, d.we)
			}
		})
	}
}
