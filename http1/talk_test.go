package http1

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/holdfast-server/holdfast/conn"
)

// talk is a row of the table that every transport must pass: what a client sends and what
// it gets. Each response is written as "STATUS CONTENT", with the method it answers in
// front where that is not GET.
type talk struct {
	name string
	send string
	want []string
	open bool // the connection goes on
	mute bool // it ends, and the last response did not know that yet
}

var talks = []talk{
	// RFC 9112 §9.3: persistence.
	{"HTTP/1.1 keeps the connection", get("/ok"), []string{"200 OK"}, true, false},
	{"close is obeyed", get("/ok", "Connection: close"), []string{"200 OK"}, false, false},
	{"close among other options is obeyed", get("/ok", "Connection: foo, Close"), []string{"200 OK"}, false, false},
	{"the handler may close", get("/close"), []string{"200 bye"}, false, false},
	{"HTTP/1.0 ends the connection", "GET /ok HTTP/1.0\r\n\r\n", []string{"200 OK"}, false, false},
	{"HTTP/1.0 with keep-alive keeps it", "GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"200 OK"}, true, false},
	{"HTTP/1.0 cannot take chunks and is closed", "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"200 part 0;part 1;part 2;"}, false, false},
	{"HTTP/1.0 with a known length keeps it", "GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"200 0123456789"}, true, false},
	{"HTTP/1.2 is answered as 1.1 (RFC 9110 §2.5)", "GET /ok HTTP/1.2\r\nHost: a\r\n\r\n", []string{"200 OK"}, true, false},
	{"pipelined requests are answered in their order (§9.3.2)", get("/ok") + get("/length") + get("/stream") + get("/204") + get("/ok"),
		[]string{"200 OK", "200 0123456789", "200 part 0;part 1;part 2;", "204 ", "200 OK"}, true, false},
	{"nothing is answered behind a close", get("/ok", "Connection: close") + get("/ok"), []string{"200 OK"}, false, false},
	{"one empty line before a request is skipped (§2.2)", "\r\n" + get("/ok"), []string{"200 OK"}, true, false},
	{"an empty line between requests is skipped", get("/ok") + "\r\n" + get("/ok"), []string{"200 OK", "200 OK"}, true, false},
	{"two empty lines are refused", "\r\n\r\n" + get("/ok"), []string{"400 leading-lines"}, false, false},

	// RFC 9112 §6.3: framing of responses.
	{"a short response has its length", get("/empty"), []string{"200 "}, true, false},
	{"a long one without a length is chunked", get("/large"), []string{"200 " + strings.Repeat("x", 100_000)}, true, false},
	{"204 has no content", get("/204"), []string{"204 "}, true, false},
	{"304 has no content", get("/304"), []string{"304 "}, true, false},
	{"304 may tell a length", get("/304-long"), []string{"304 "}, true, false},
	{"content written before a 204 was set is not sent", get("/late-204"), []string{"204 "}, true, false},
	{"content written before a 304 was set is not sent", get("/late-304"), []string{"304 "}, true, false},
	{"content written to a 204 is not sent", get("/write-to-204"), []string{"204 "}, true, false},
	{"HEAD gets the head alone", "HEAD /ok HTTP/1.1\r\nHost: a\r\n\r\n", []string{"HEAD 200 "}, true, false},
	{"HEAD of a declared length", "HEAD /length HTTP/1.1\r\nHost: a\r\n\r\n", []string{"HEAD 200 "}, true, false},
	{"HEAD of a stream", "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", []string{"HEAD 200 "}, true, false},
	{"HEAD of a long response", "HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n", []string{"HEAD 200 "}, true, false},
	{"HEAD of an error", "HEAD /panic HTTP/1.1\r\nHost: a\r\n\r\n", []string{"HEAD 500 "}, false, false},
	{"HEAD to HTTP/1.0", "HEAD /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"HEAD 200 "}, true, false},
	{"a HEAD that the parser refuses gets no content", "HEAD / HTTP/1.1\r\n\r\n", []string{"HEAD 400 "}, false, false},

	// RFC 9112 §6.3: framing of requests.
	{"content by length", post("/echo", 5, "hello"), []string{"POST 200 hello"}, true, false},
	{"content of length 0", post("/echo", 0, ""), []string{"POST 200 "}, true, false},
	{"POST without content", "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", []string{"POST 200 "}, true, false},
	{"GET with content", "GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", []string{"200 abc"}, true, false},
	{"content by length read a byte at a time", post("/echo-slowly", 5, "hello"), []string{"POST 200 hello"}, true, false},
	{"content in chunks (§7.1)", chunked("/echo", "5\r\nhello\r\n6;x=1;y=\"a\\\"b\"\r\n world\r\n0\r\n\r\n"), []string{"POST 200 hello world"}, true, false},
	{"chunks read a byte at a time", chunked("/echo-slowly", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), []string{"POST 200 hello!"}, true, false},
	{"no chunk but the last", chunked("/echo", "0\r\n\r\n"), []string{"POST 200 "}, true, false},
	{"trailers are read and dropped (§7.1.2)", chunked("/echo", "1\r\na\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"), []string{"POST 200 a"}, true, false},
	{"the length is the handler's to know", post("/length-of", 5, "hello"), []string{"POST 200 5 of 5 <nil>"}, true, false},
	{"the length of chunks is not known", chunked("/length-of", "5\r\nhello\r\n0\r\n\r\n"), []string{"POST 200 5 of -1 <nil>"}, true, false},
	{"requests behind content", post("/echo", 2, "ab") + chunked("/echo", "1\r\nc\r\n0\r\n\r\n") + get("/ok"), []string{"POST 200 ab", "POST 200 c", "200 OK"}, true, false},
	{"content echoed as it comes", post("/echo-streamed", 5, "hello"), []string{"POST 200 hello"}, true, false},

	// Content that the handler does not want.
	{"little unread content is skipped", post("/ignore", 5, "hello") + get("/ok"), []string{"POST 200 ignored", "200 OK"}, true, false},
	{"unread chunks are skipped", chunked("/ignore", "5\r\nhello\r\n0\r\nA: b\r\n\r\n") + get("/ok"), []string{"POST 200 ignored", "200 OK"}, true, false},
	{"content that was begun is skipped", post("/first-byte", 5, "hello") + get("/ok"), []string{"POST 200 \"h\" <nil>", "200 OK"}, true, false},
	{"unread chunks that are broken are refused all the same", chunked("/ignore", "zz\r\n") + get("/ok"), []string{"400 bad-chunk-size"}, false, false},

	// RFC 9110 §10.1.1.
	{"Expect of something else is refused", get("/ok", "Expect: tea"), []string{"417 unknown-expectation"}, false, false},
	{"Expect without content means nothing", get("/ok", "Expect: 100-continue"), []string{"200 OK"}, true, false},
	{"HTTP/1.0 expects nothing", "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", []string{"POST 200 hi"}, false, false},

	// What the parser refuses; nothing behind it is answered.
	{"a missing Host", "GET / HTTP/1.1\r\n\r\n" + get("/ok"), []string{"400 missing-host"}, false, false},
	{"two lengths", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab" + get("/ok"), []string{"POST 400 duplicate-length"}, false, false},
	{"length and coding", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []string{"POST 400 length-and-coding"}, false, false},
	{"an unknown coding", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", []string{"POST 501 unknown-coding"}, false, false},
	{"another major version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", []string{"505 unsupported-version"}, false, false},
	{"noise", "\x00\x01\x02\x03", []string{"400 bad-method"}, false, false},
	{"content over the limit is refused before it comes", post("/echo", 1<<40, ""), []string{"POST 413 body-too-large"}, false, false},
	{"a target too long", get("/" + strings.Repeat("a", 9000)), []string{"414 request-line-too-long"}, false, false},
	{"too many fields", get("/", slices.Repeat([]string{"A: b"}, 101)...), []string{"431 too-many-fields"}, false, false},
	{"a refusal behind good requests", get("/ok") + get("/ok") + "GET / HTTP/1.1\nHost: a\n\n" + get("/ok"), []string{"200 OK", "200 OK", "400 bare-lf"}, false, false},

	// What the body reader refuses overrides a response that is not committed.
	{"a bad chunk size", chunked("/echo", "5x\r\nhello\r\n0\r\n\r\n") + get("/ok"), []string{"POST 400 bad-chunk-size"}, false, false},
	{"a stream that begins behind a bad chunk", chunked("/read-then-stream", "zz\r\n"), []string{"POST 400 bad-chunk-size"}, false, false},
	{"a stream that begins behind good ones", chunked("/read-then-stream", "1\r\na\r\n0\r\n\r\n"), []string{"POST 200 all read"}, true, false},
	{"a chunk without its end", chunked("/echo", "5\r\nhelloXX0\r\n\r\n"), []string{"POST 400 bad-chunk-end"}, false, false},
	{"a forbidden trailer", chunked("/echo", "0\r\nContent-Length: 3\r\n\r\n"), []string{"POST 400 forbidden-trailer"}, false, false},
	{"a chunk beyond the limit", chunked("/echo", "FFFFFFFFFF\r\n"), []string{"POST 413 body-too-large"}, false, false},

	// Handlers that break.
	{"a panic is a 500", get("/panic") + get("/ok"), []string{"500 500 Internal Server Error\n"}, false, false},
	{"a panic drops what was not sent", get("/panic-written"), []string{"500 500 Internal Server Error\n"}, false, false},
	{"too much content at once is a 500", get("/too-much"), []string{"500 500 Internal Server Error\n"}, false, false},
	{"a length below what was written is a 500", get("/late-length"), []string{"500 500 Internal Server Error\n"}, false, false},
	{"a value with a line end is a 500", get("/inject"), []string{"500 500 Internal Server Error\n"}, false, false},
	{"a name with a line end is a 500", get("/inject-name"), []string{"500 500 Internal Server Error\n"}, false, false},
	{"a framing field is a 500", get("/transfer"), []string{"500 500 Internal Server Error\n"}, false, false},

	// The head as the handler sees it.
	{"fields, trimmed, in their order", "GET /head?a=1&b HTTP/1.1\r\nHost: example.test:8080\r\nA:  x \t\r\nb: \r\nA: y\r\n\r\n",
		[]string{"200 HTTP/1.1 GET /head?a=1&b example.test:8080|Host=example.test:8080|A=x|b=|A=y"}, true, false},
	{"absolute-form names the authority (RFC 9112 §3.2.2)", "GET http://b.test/head HTTP/1.1\r\nHost: a.test\r\n\r\n",
		[]string{"200 HTTP/1.1 GET /head? b.test|Host=a.test"}, true, false},
}

// post is a POST with so long a content.
func post(path string, length int64, content string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", path, length, content)
}

// chunked is a POST with these bytes for its chunks.
func chunked(path, chunks string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
}

// check reads the responses that a row wants. A refusal is told by its code.
func (row *talk) check(t *testing.T, in *bufio.Reader) {
	t.Helper()
	for i, want := range row.want {
		method, rest, ok := strings.Cut(want, " ")
		if !ok || method[0] < 'A' {
			method, rest = "GET", want
		}
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("response %d: %v", i, err)
		}
		content, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("response %d: content: %v", i, err)
		}
		got := fmt.Sprintf("%d %s", res.StatusCode, content)
		if res.StatusCode >= 400 && res.StatusCode != 500 && len(content) > 0 {
			_, why, _ := strings.Cut(string(content), "\n")
			got = fmt.Sprintf("%d %s", res.StatusCode, strings.Fields(why)[0])
		}
		if got != rest {
			t.Fatalf("response %d: got %.120q, want %.120q", i, got, rest)
		}
		last := i == len(row.want)-1
		if res.Header.Get("Date") == "" || res.Close != (last && !row.open && !row.mute) {
			t.Errorf("response %d: Date %q, close %t", i, res.Header.Get("Date"), res.Close)
		}
	}
}

func TestTalks(t *testing.T) {
	overBoth(t, demo, func(t *testing.T, s *site) {
		for _, row := range talks {
			t.Run(row.name, func(t *testing.T) {
				c := s.ask(row.send)
				c.t = t
				row.check(t, c.in)
				if row.open {
					c.isOpen()
					c.finish()
				}
				c.ends()
			})
		}
	})
}

// TestTalksOfHalfClosedClients plays the table with clients that have sent their FIN
// before they read: what was asked is answered all the same.
func TestTalksOfHalfClosedClients(t *testing.T) {
	overBoth(t, demo, func(t *testing.T, s *site) {
		for _, row := range talks {
			t.Run(row.name, func(t *testing.T) {
				c := s.ask(row.send)
				c.t = t
				c.finish()
				row.check(t, c.in)
				c.ends()
			})
		}
	})
}

// TestTalksInPieces plays the table once more, cut at every byte: it must make no
// difference. Rows that are too long to be worth it are cut into 1000 bytes.
func TestTalksInPieces(t *testing.T) {
	for _, row := range talks {
		t.Run(row.name, func(t *testing.T) {
			piece := 1
			if len(row.send) > 3000 {
				piece = 1000
			}
			synctest.Test(t, func(t *testing.T) { row.trickle(t, piece) })
		})
	}
}

// trickle sends the row in pieces and lets the server see each before the next comes.
func (row *talk) trickle(t *testing.T, piece int) {
	m := openMemory(&Server{Handler: demo, poison: true}, conn.Limits{})
	defer m.close(t)
	c := m.dial(t)
	for rest := row.send; rest != ""; {
		n := min(piece, len(rest))
		if _, err := io.WriteString(c, rest[:n]); err != nil {
			break // it has heard enough
		}
		synctest.Wait()
		rest = rest[n:]
	}
	in := bufio.NewReader(c)
	row.check(t, in)
	_ = c.CloseWrite()
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("got %.80q and %v behind the last response", rest, err)
	}
}
