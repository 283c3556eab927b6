package nethttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// serveOurs runs h on http1 until the test ends, and gives its address.
func serveOurs(t *testing.T, h http.Handler) string {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	address, _ := serveHandler(t, nethttp.Options{Log: quiet}.Handler(h))
	return address
}

func serveHandler(t *testing.T, h http1.Handler) (string, *conn.Server) {
	t.Helper()
	listener, err := conn.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns, served := &conn.Server{}, make(chan error, 1)
	server := &http1.Server{Handler: h}
	go func() { served <- conns.Serve(&conn.Listener{Listener: listener, Handler: server}) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		conns.Announce()
		conns.CloseListeners(ctx)
		select {
		case <-conns.Drain():
		case <-ctx.Done():
			t.Error("connections were left")
			conns.Cut()
		}
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return listener.Addr().String(), conns
}

// serveTheirs runs h on net/http's own server.
func serveTheirs(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.DisableGeneralOptionsHandler = true // OPTIONS * is the handler's here
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// outcome is what a client sees of an exchange, Date and the connection's own fields aside.
type outcome struct {
	Informed []string
	Status   int
	Fields   string
	Coding   string
	Content  string
	Broken   bool // the content broke off
	Trailers string
	Dated    bool // it had a Date, which a 101 need not have
	Kept     bool // another request was answered on the connection
}

// observe sends one raw request and then, on a connection that is kept, another.
func observe(t *testing.T, address, request string) (o outcome) {
	t.Helper()
	c, r := dial(t, address)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			o.Broken = true // no response at all
			return o
		}
		if res.StatusCode > 199 || res.StatusCode == http.StatusSwitchingProtocols {
			o.describe(res)
			o.Kept = answersAgain(t, address, c, r, res.Close || o.Broken)
			return o
		}
		o.Informed = append(o.Informed, fmt.Sprint(res.StatusCode, flat(res.Header)))
	}
}

func (o *outcome) describe(res *http.Response) {
	content, err := io.ReadAll(res.Body)
	o.Status, o.Content, o.Broken = res.StatusCode, string(content), err != nil
	o.Coding = strings.Join(res.TransferEncoding, ",")
	o.Dated = res.Header.Get("Date") != "" || res.StatusCode < 200
	res.Header.Del("Date")
	// For how long it is kept is the server's to say.
	switch other, kept := strings.CutPrefix(res.Header.Get("Connection"), "keep-alive"); {
	case kept && other == "":
		res.Header.Del("Connection")
		res.Header.Del("Keep-Alive")
	case kept:
		res.Header.Set("Connection", strings.TrimPrefix(other, ", "))
		res.Header.Del("Keep-Alive")
	}
	o.Fields, o.Trailers = flat(res.Header), flat(res.Trailer)
}

// flat is a header as one comparable string.
func flat(h http.Header) string {
	var b strings.Builder
	for name, values := range h {
		h[name] = []string{strings.Join(values, ", ")}
	}
	_ = h.Write(&b) // sorted
	return b.String()
}

// answersAgain asks for /again, unless the end was announced: then it waits for it.
func answersAgain(t *testing.T, address string, c net.Conn, r *bufio.Reader, over bool) bool {
	t.Helper()
	if over {
		if _, err := io.Copy(io.Discard, r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection was to be closed and is not", address)
		}
		return false
	}
	_, _ = io.WriteString(c, "GET /again HTTP/1.1\r\nHost: example.test\r\n\r\n")
	res, err := http.ReadResponse(r, nil)
	return err == nil && res.StatusCode == http.StatusNoContent
}

func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c, bufio.NewReader(c)
}

// withAgain answers /again for answersAgain.
func withAgain(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/again" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// get is a request for /path with the given further field lines.
func get(path string, lines ...string) string { return message("GET "+path, "", lines...) }

func message(start, content string, lines ...string) string {
	head := start + " HTTP/1.1\r\nHost: example.test\r\n"
	for _, l := range lines {
		head += l + "\r\n"
	}
	return head + "\r\n" + content
}

// post is a request with content of a declared length.
func post(content string, lines ...string) string {
	return message("POST /", content, append(lines, fmt.Sprintf("Content-Length: %d", len(content)))...)
}

const chunkedHello = "5\r\nhello\r\n0\r\n\r\n"
