package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// reason is the one with that code.
func reason(code string) *http1.Reason {
	i := slices.IndexFunc(http1.Reasons(), func(r *http1.Reason) bool { return r.Code == code })
	return http1.Reasons()[i]
}

// TestHandlers runs each row twice, over HTTP/1.1 on a socket and over the protocol in
// memory. What a handler sees and what becomes of its response must not depend on the
// protocol: so a further one can move in.
func TestHandlers(t *testing.T) {
	for _, row := range handlers {
		t.Run(row.name, func(t *testing.T) {
			inMemory, onSocket := row.inMemory(), row.onSocket(t)
			if inMemory != onSocket {
				t.Errorf("in memory: %s\non a socket: %s", inMemory, onSocket)
			}
			if !strings.HasPrefix(onSocket, row.want) {
				t.Errorf("got %.300s\nwant %s…", onSocket, row.want)
			}
		})
	}
}

// handlerRow is a handler, what it is asked, and how the answer begins.
type handlerRow struct {
	name    string
	ask     http1test.Request
	handler http1.HandlerFunc
	want    string
	broken  string // over a socket: the chunks that lead to ask.Refused
}

// outcome is what came of an exchange in one line.
func outcome(status int, content string, fields []string, length int64, last, cut bool, res http1.Result) string {
	slices.SortStableFunc(fields, func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	if status == 204 || status == 304 { // no two readers agree on the length of what is not there
		length = 0
	}
	what := "whole"
	if cut {
		what = "cut" // whether its head announced the end does not matter any more
	} else if last {
		what = "last"
	}
	end := ""
	if res.Err != nil {
		end = ", " + res.Err.Error()
	}
	return fmt.Sprintf("%d %s|%s|%d long, %s, %d bytes%s", status, content, strings.Join(fields, "|"), length, what, res.Bytes, end)
}

func (row *handlerRow) inMemory() string {
	res := http1test.Do(row.handler, row.ask)
	var fields []string
	for _, l := range res.Fields {
		fields = append(fields, http.CanonicalHeaderKey(l.Name)+": "+l.Value)
	}
	return outcome(res.Status, string(res.Content), fields, res.Length, res.Close, res.Cut, res.Result)
}

// onSocket asks the same of a server on loopback.
func (row *handlerRow) onSocket(t *testing.T) string {
	t.Helper()
	var result atomic.Pointer[http1.Result]
	server := &http1.Server{Handler: row.handler, Observe: func(r *http1.Record) {
		result.Store(&http1.Result{Status: r.Status, Bytes: r.Bytes, Err: r.Err})
	}}
	server.Poison()
	l := serve(t, server)
	if row.ask.Closing {
		l.conns.Announce()
	}
	nc, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, row.message()); err != nil {
		t.Fatal(err)
	}
	status, content, fields, length, last, cut := receive(nc, row.ask.Method)
	_ = nc.Close()
	l.stop()
	return outcome(status, content, fields, length, last, cut, *result.Load())
}

// message is the row's request in HTTP/1.1.
func (row *handlerRow) message() string {
	var b strings.Builder
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", or(row.ask.Method, "GET"), or(row.ask.Target, "/"), or(row.ask.Authority, "example.test"))
	for i := 0; i < len(row.ask.Fields); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", row.ask.Fields[i], row.ask.Fields[i+1])
	}
	switch content := row.ask.Content; {
	case row.broken != "":
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n" + row.broken)
	case row.ask.Chunked && content == "":
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	case row.ask.Chunked:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(content), content)
	case content != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(content), content)
	default:
		b.WriteString("\r\n")
	}
	return b.String()
}

// receive reads a response as any client does, without what HTTP/1.1 alone has in it.
func receive(r io.Reader, method string) (status int, content string, fields []string, length int64, last, cut bool) {
	res, err := http.ReadResponse(bufio.NewReader(r), &http.Request{Method: method})
	if err != nil {
		return 0, "", nil, 0, false, true
	}
	b, err := io.ReadAll(res.Body)
	for name, values := range res.Header {
		switch name {
		case "Date", "Content-Length", "Connection", "Keep-Alive":
			continue
		}
		for _, v := range values {
			fields = append(fields, name+": "+v)
		}
	}
	return res.StatusCode, string(b), fields, res.ContentLength, res.Close, err != nil
}
