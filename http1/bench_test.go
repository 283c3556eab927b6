package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// browser is the rest of a head as browsers send it: 20 fields with Host.
var browser = func() string {
	fields := []string{
		"Host: www.example.test", "Connection: keep-alive", "Cache-Control: max-age=0",
		`Sec-Ch-Ua: "Chromium";v="140", "Not=A?Brand";v="24", "Browser";v="140"`, "Sec-Ch-Ua-Mobile: ?0",
		`Sec-Ch-Ua-Platform: "Linux"`, "Upgrade-Insecure-Requests: 1",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1", "Sec-Fetch-Dest: document",
		"Referer: https://www.example.test/articles/2026/index.html", "Accept-Encoding: gzip, deflate, br, zstd",
		"Accept-Language: en-GB,en;q=0.9,de;q=0.8", "Cookie: session=3f9a1c77e2b04d5e8a61; theme=dark; consent=yes",
		`If-None-Match: "66f2a1b3-1c2d"`, "If-Modified-Since: Tue, 24 Sep 2026 10:00:00 GMT", "Priority: u=0, i",
	}
	return strings.Join(fields, "\r\n") + "\r\n\r\n"
}()

// benchmarks are what is asked, and how often in one write.
var benchmarks = []struct {
	name, request string
	pipelined     int
}{
	{"fields=2", "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\n\r\n", 1},
	{"fields=20", "GET / HTTP/1.1\r\n" + browser, 1},
	{"pipelined=16", "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\n\r\n", 16},
}

// constant is the response of all benchmarks: 13 bytes of text.
var constant = HandlerFunc(func(w *Response, _ *Request) {
	w.Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.WriteString("Hello, World!")
})

func BenchmarkKeepAlive(b *testing.B) {
	for _, bench := range benchmarks {
		b.Run("holdfast/"+bench.name, func(b *testing.B) {
			s := &Server{Handler: constant}
			conns := &conn.Server{}
			l := listen(b)
			served := make(chan error, 1)
			go func() { served <- conns.Serve(&conn.Listener{Listener: l, Handler: s}) }()
			exchangeMany(b, l.Addr().String(), bench.request, bench.pipelined)
			conns.CloseListeners(context.Background())
			<-conns.Drain()
			<-served
		})
		b.Run("nethttp/"+bench.name, func(b *testing.B) {
			s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain; charset=utf-8")
				_, _ = io.WriteString(w, "Hello, World!")
			})}
			l := listen(b)
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			exchangeMany(b, l.Addr().String(), bench.request, bench.pipelined)
			_ = s.Close()
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				b.Error(err)
			}
		})
	}
}

func listen(b *testing.B) net.Listener {
	b.Helper()
	l, err := conn.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// exchangeMany sends batches of a request on one connection. The client costs next to
// nothing: once it knows how long a response is it only counts bytes.
func exchangeMany(b *testing.B, address, request string, pipelined int) {
	b.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, request); err != nil {
		b.Fatal(err)
	}
	size, err := responseSize(nc)
	if err != nil {
		b.Fatal(err)
	}
	batch, answers := []byte(strings.Repeat(request, pipelined)), make([]byte, size*pipelined)
	b.ReportAllocs()
	b.ResetTimer()
	for range (b.N + pipelined - 1) / pipelined {
		if _, err := nc.Write(batch); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, answers); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}

// responseSize reads one response and tells how long it was.
func responseSize(r io.Reader) (size int, err error) {
	in := bufio.NewReader(r)
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		size += len(line)
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
				return 0, fmt.Errorf("response without a length: %w", err)
			}
		}
		if line == "\r\n" {
			n, err := io.CopyN(io.Discard, in, int64(length))
			return size + int(n), err
		}
	}
}
