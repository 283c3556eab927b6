package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// corpusPatience is how long a client waits for what must come.
const corpusPatience = 10 * time.Second

// corpusHandler is the handler that the corpus speaks to; testdata/README.md tells its
// readers what it answers.
func corpusHandler(w *Response, r *Request) {
	method, path := r.Method(), r.Path()
	switch {
	case method == "POST" || method == "PUT":
		// All of it before the first byte of the response: a refusal comes in its place.
		content, err := io.ReadAll(r.Body())
		if err == nil {
			_, _ = w.Write(content)
		}
	case path == "/canary":
		_, _ = w.WriteString("alive")
	case path == "/field":
		_, _ = w.WriteString(r.Field("X"))
	case path == "/stream":
		_ = w.Flush()
		_, _ = w.WriteString("OK")
	case method == "GET" || method == "HEAD":
		_, _ = w.WriteString("OK")
	case method == "CONNECT":
		w.Text(501, corpusDescribe(r))
	default:
		_, _ = w.WriteString(corpusDescribe(r))
	}
}

// corpusDescribe tells what the server took the target for.
func corpusDescribe(r *Request) string {
	text := corpusOrDash(r.Authority()) + " " + corpusOrDash(r.Path())
	if q := r.Query(); q != "" {
		text += "?" + q
	}
	return text
}

func corpusOrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// corpusSite is a server on loopback to which one client at a time speaks.
type corpusSite struct {
	server Server
	conns  conn.Server
	addr   string
	cuts   atomic.Pointer[[]int] // of the next connection
	served chan error

	smuggled atomic.Int64 // requests for a path that no client sent as a request

	mu      sync.Mutex
	records map[netip.AddrPort][]Record // by client
}

// corpusOpen starts a site and ends it with the test.
func corpusOpen(t *testing.T) *corpusSite {
	t.Helper()
	s := &corpusSite{records: map[netip.AddrPort][]Record{}, served: make(chan error, 1)}
	s.server = Server{Handler: HandlerFunc(s.answer), Observe: s.observe, poison: true}
	l, err := conn.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	go func() {
		s.served <- s.conns.Serve(&conn.Listener{Listener: &corpusListener{l, &s.cuts}, Handler: &s.server})
	}()
	t.Cleanup(func() { s.close(t) })
	return s
}

// close drains the site; then no request may be open and the books must balance.
func (s *corpusSite) close(t *testing.T) {
	t.Helper()
	s.conns.Announce()
	s.conns.CloseListeners(context.Background())
	<-s.conns.Drain()
	if err := <-s.served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	l, c := s.server.Ledger(), s.conns.Ledger()
	if err := errors.Join(l.Balance(), c.Balance()); err != nil || l.Open != 0 || c.Open != 0 || l.Begun == 0 {
		t.Errorf("the books: %v, %+v, %+v", err, l, c)
	}
	if n := s.smuggled.Load(); n > 0 {
		t.Errorf("%d smuggled requests reached the handler", n)
	}
	if len(s.records) > 0 {
		t.Errorf("records that belong to no conversation: %v", s.records)
	}
}

func (s *corpusSite) answer(w *Response, r *Request) {
	if strings.Contains(r.Path(), "smuggled") {
		s.smuggled.Add(1)
	}
	corpusHandler(w, r)
}

func (s *corpusSite) observe(r *Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[r.Client] = append(s.records[r.Client], *r)
}

// take returns and forgets the records of a connection that has ended.
func (s *corpusSite) take(client netip.AddrPort) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer delete(s.records, client)
	return s.records[client]
}

// corpusListener cuts what its connections read.
type corpusListener struct {
	net.Listener
	cuts *atomic.Pointer[[]int]
}

func (l *corpusListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if cuts := l.cuts.Swap(nil); cuts != nil {
		return &corpusCut{corpusHalves: c.(*net.TCPConn), cuts: *cuts}, nil
	}
	return c, nil
}

// corpusCut is a socket of which no read goes past the next cut. A client's own writes
// would not do: the kernel joins what is not read in time. It is no syscall.Conn, so that
// the server cannot read around it.
type corpusCut struct {
	corpusHalves
	cuts []int // offsets, rising
	at   int
}

type corpusHalves interface {
	net.Conn
	CloseWrite() error
	SetLinger(sec int) error
}

func (c *corpusCut) Read(p []byte) (int, error) {
	for len(c.cuts) > 0 && c.cuts[0] <= c.at {
		c.cuts = c.cuts[1:]
	}
	if len(c.cuts) > 0 {
		p = p[:min(len(p), c.cuts[0]-c.at)]
	}
	n, err := c.corpusHalves.Read(p)
	c.at += n
	return n, err
}

// corpusClient is the client's end of a connection.
type corpusClient struct {
	*net.TCPConn
	in *bufio.Reader
}

// dial connects to s, which will read in the pieces that cuts bound.
func (s *corpusSite) dial(cuts []int) (*corpusClient, error) {
	if len(cuts) > 0 {
		s.cuts.Store(&cuts)
	}
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	// A reset in place of the last FIN: ten thousand connections must not leave as many
	// ports waiting.
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.SetDeadline(time.Now().Add(corpusPatience))
	return &corpusClient{TCPConn: c.(*net.TCPConn), in: bufio.NewReader(c)}, nil
}

func (c *corpusClient) address() netip.AddrPort {
	return c.LocalAddr().(*net.TCPAddr).AddrPort()
}

// speak plays steps. closes says that the last response must announce the end.
func (c *corpusClient) speak(steps []corpusStep, closes bool) error {
	for i, s := range steps {
		if _, err := c.Write(s.send); err != nil {
			return err
		}
		if s.halfClose {
			if err := c.CloseWrite(); err != nil {
				return err
			}
		}
		for j := range s.want {
			last := i == len(steps)-1 && j == len(s.want)-1
			if err := c.hear(&s.want[j], closes && last); err != nil {
				return fmt.Errorf("response %d of step %d: %w", j+1, i+1, err)
			}
		}
	}
	return nil
}

// hear reads one response and compares it.
func (c *corpusClient) hear(want *corpusResponse, closes bool) error {
	const interim = "HTTP/1.1 100"
	if next, err := c.in.Peek(len(interim)); want.optional && err == nil && string(next) != interim {
		return nil
	}
	asked := &http.Request{Method: "GET"}
	if want.head {
		asked.Method = "HEAD"
	}
	res, err := http.ReadResponse(c.in, asked)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode == 100 && want.status == 100 && len(res.Header) == 0 {
		return nil
	}
	return want.compare(res, content, closes)
}

// compare checks a final response and what every one must have (RFC 9110 §6.6.1, RFC 9112
// §6.3 and §9.6).
func (want *corpusResponse) compare(res *http.Response, content []byte, closes bool) error {
	wantContent := want.content
	if want.head {
		wantContent = ""
	}
	length := res.Header.Get("Content-Length")
	switch {
	case res.StatusCode != want.status || string(content) != wantContent:
		return fmt.Errorf("got %d with %.200q, want %d with %.200q", res.StatusCode, content, want.status, wantContent)
	case res.Close != closes:
		return fmt.Errorf("Connection: close is %t, want %t", res.Close, closes)
	case len(res.Header.Values("Date")) != 1:
		return errors.New("no Date, or two")
	case length != "" && length != strconv.Itoa(len(want.content)):
		return fmt.Errorf("Content-Length %q, want %d", length, len(want.content))
	case want.refusal != nil && length == "":
		return errors.New("a refusal without Content-Length")
	}
	return nil
}

// isOpen asks once more and says goodbye.
func (c *corpusClient) isOpen() error {
	canary := []byte("GET /canary HTTP/1.1\r\nHost: a.example\r\n\r\n")
	err := c.speak([]corpusStep{{send: canary, want: []corpusResponse{{status: 200, content: "alive"}}}}, false)
	if err != nil {
		return fmt.Errorf("the connection was not kept: %w", err)
	}
	return c.CloseWrite()
}

// ends reads the end: an orderly one, with no byte before it.
func (c *corpusClient) ends() error {
	rest, err := io.ReadAll(c.in)
	if err != nil {
		return fmt.Errorf("instead of the end: %w", err)
	}
	if len(rest) > 0 {
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		return fmt.Errorf("answered once more: %.100q", line)
	}
	return nil
}
