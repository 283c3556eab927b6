package traffic

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadResponse(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name, text string
		begun      bool
		closing    bool
		err        error
		rest       string
	}{
		{"content with a length", ok + "Content-Length: 2\r\n\r\nhirest", true, false, nil, "rest"},
		{"content in chunks", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\nrest", true, false, nil, "rest"},
		{"the end is announced", ok + "connection: Close\r\nContent-Length: 2\r\n\r\nhi", true, true, nil, ""},
		{"no reason phrase", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", true, false, nil, ""},
		{"nothing", "", false, false, io.EOF, ""},
		{"a status line cut short", "HTTP/1.1 2", true, false, io.ErrUnexpectedEOF, ""},
		{"a bad version", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, false, errCorrupt, ""},
		{"a bad status", "HTTP/1.1 2000 OK\r\n\r\n", true, false, errCorrupt, ""},
		{"a signed status", "HTTP/1.1 +20 OK\r\n\r\n", true, false, errCorrupt, ""},
		{"a line without CR", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nhi", true, false, errCorrupt, ""},
		{"a line without colon", ok + "Content-Length 2\r\n\r\nhi", true, false, errCorrupt, ""},
		{"a negative length", ok + "Content-Length: -2\r\n\r\nhi", true, false, errCorrupt, ""},
		{"no framing", ok + "\r\nhi", true, false, errCorrupt, ""},
		{"two framings", ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi", true, false, errCorrupt, ""},
		{"an empty head", "\r\n\r\n", true, false, errCorrupt, ""},
		{"an endless head", ok + strings.Repeat("A: b\r\n", headLimitBytes), true, false, errCorrupt, ""},
		{"an endless line", ok + strings.Repeat("A", headLimitBytes+1), true, false, errCorrupt, ""},
		{"a chunk without its size", ok + "Transfer-Encoding: chunked\r\n\r\n\r\nhi", true, false, errCorrupt, ""},
		{"a signed chunk size", ok + "Transfer-Encoding: chunked\r\n\r\n+2\r\nhi", true, false, errCorrupt, ""},
		{"a chunk longer than its size", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n", true, false, errCorrupt, ""},
		{"another status whose content is whole", "HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 3\r\n\r\nnope", true, true, errWrongStatus, "e"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, reader := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text))} {
				r := bufio.NewReader(reader)
				begun, closing, err := readResponse(r, []byte("hi"))
				if begun != c.begun || !errors.Is(err, c.err) || c.err == nil && err != nil {
					t.Errorf("begun %v, error %v; want %v, %v", begun, err, c.begun, c.err)
				}
				if closing != c.closing {
					t.Errorf("closing %v", closing)
				}
				if rest, _ := io.ReadAll(r); (c.err == nil || c.rest != "") && string(rest) != c.rest {
					t.Errorf("%q is left, want %q", rest, c.rest)
				}
			}
		})
	}
}

// Whatever a server says, the reader ends, and takes nothing for right that is not.
func FuzzReadResponse(f *testing.F) {
	for _, row := range []string{helloOK, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 100 C\r\n\r\n" + helloOK, "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"} {
		f.Add([]byte(row))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		begun, _, err := readResponse(bufio.NewReader(strings.NewReader(string(b))), []byte("hello"))
		if begun != (len(b) > 0) {
			t.Errorf("begun %v with %d bytes", begun, len(b))
		}
		if err == nil && (!strings.Contains(string(b), "HTTP/1.1 200") || len(b) < len("hello")) {
			t.Errorf("%q is taken for a right answer", b)
		}
	})
}
