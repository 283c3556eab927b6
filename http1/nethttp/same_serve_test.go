package nethttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// nilField is a handler that asks for a field to be left out.
func nilField(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()[name] = nil
		_, _ = io.WriteString(w, "<html>")
	}
}

func form(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.FormValue("a")) }

const (
	keepOld   = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	expecting = "Expect: 100-continue"
)

// more are behaviours that net/http's own tests are about and the other tables leave open.
var more = []behaviour{
	{"a nil length asks for none", "", nilField("Content-Length")},
	{"a nil length without content", "", func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Length"] = nil }},
	{"an empty length", "", set("Content-Length", "")},
	{"an invalid length", "", set("Content-Length", "many")},
	{"an empty type is one", "", set("Content-Type", "")},
	{"a length of 0", "", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") }},
	{"a length of 0 to HTTP/1.0", keepOld, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") }},
	{"204 to HTTP/1.0 keeps the connection", keepOld, status(204)},
	{"304 to HTTP/1.0 keeps the connection", keepOld, status(304)},
	{"204 keeps the connection", "", status(204)},
	{"304 keeps the connection", "", status(304)},
	{"a type is allowed on 204", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "a/b")
		w.WriteHeader(204)
	}},
	{"chunked by the handler is chunked once", "", set("Transfer-Encoding", "chunked")},
	{"http.Error drops what was declared of the content", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Etag", "x")
		http.Error(w, "no", 500)
	}},
	{"HEAD of a ReaderFrom", message("HEAD /", ""), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "7")
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("content"))
	}},
	{"a panic of nil behind the head is a cut", "", func(w http.ResponseWriter, r *http.Request) {
		flushed("part")(w, r)
		panic(nil)
	}},
	{"a form in the query", get("/?a=1&b=2"), form},
	{"a semicolon in the query parts nothing", get("/?a=1;b=2"), form},
	{"unless that is allowed", get("/?a=1;b=2"), http.AllowQuerySemicolons(http.HandlerFunc(form)).ServeHTTP},
	{"MaxBytesHandler lets small content pass", post("1234"), http.MaxBytesHandler(http.HandlerFunc(readAll), 4).ServeHTTP},
	{"a body that the handler takes away", post("1234"), func(w http.ResponseWriter, r *http.Request) {
		r.Body = nil
		_, _ = io.WriteString(w, "none")
	}},
	{"a body that is closed is read no more", post("1234"), func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, errors.Is(err, http.ErrBodyReadAfterClose))
	}},
	{"an answer in place of a 100", message("POST /", "", expecting, "Content-Length: 4", "Connection: close"), status(401)},
	{"reading in one goroutine and writing in another", post("1234"), func(w http.ResponseWriter, r *http.Request) {
		var both sync.WaitGroup
		read := make(chan string, 1)
		both.Go(func() { content, err := io.ReadAll(r.Body); read <- fmt.Sprint(string(content), err) })
		both.Go(func() { _, _ = io.WriteString(w, <-read) })
		both.Wait()
	}},
	{"a wrapped writer is found by the controller", "", func(w http.ResponseWriter, _ *http.Request) {
		c := http.NewResponseController(wrapped{w})
		fmt.Fprintln(w, c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}), c.EnableFullDuplex(), c.Flush())
	}},
	{"trailers of several Trailer fields, one without a value", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-A, X-B")
		w.Header().Add("Trailer", "X-C")
		flushed("content")(w, nil)
		w.Header().Set("X-A", "a")
		w.Header().Set("X-C", "c")
		w.Header().Set("X-D", "undeclared")
	}},
	{"prefixed trailers of several values", "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", "in the head")
		w.Header().Set(http.TrailerPrefix+"X-A", "1")
		flushed("")(w, r)
		w.Header().Add(http.TrailerPrefix+"X-A", "2")
		w.Header().Set(http.TrailerPrefix+"X-B", "3")
	}},
}

func readAll(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%q %v", content, err)
}

// wrapped hides a writer from everything but Unwrap.
type wrapped struct{ inner http.ResponseWriter }

func (w wrapped) Header() http.Header         { return w.inner.Header() }
func (w wrapped) Write(p []byte) (int, error) { return w.inner.Write(p) }
func (w wrapped) WriteHeader(code int)        { w.inner.WriteHeader(code) }
func (w wrapped) Unwrap() http.ResponseWriter { return w.inner }

// hijacking lets speak have the connection, if it can be had, and closes it.
func hijacking(speak func(r *http.Request, rw io.ReadWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, "no", http.StatusNotImplemented)
			return
		}
		defer c.Close()
		if _, err := w.Write(nil); err != http.ErrHijacked {
			return
		}
		speak(r, rw)
		_ = rw.Flush()
	}
}

// sending is a hijacker that writes text.
func sending(text string) http.HandlerFunc {
	return hijacking(func(_ *http.Request, rw io.ReadWriter) { _, _ = io.WriteString(rw, text) })
}

// echoing reads n bytes of the connection and answers with them.
func echoing(n int) http.HandlerFunc {
	return hijacking(func(_ *http.Request, rw io.ReadWriter) {
		got := make([]byte, n)
		_, err := io.ReadFull(rw, got)
		fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%q %v", got, err)
	})
}

// switching is a handler that says 101 in every way before it takes the connection.
func switching(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "other")
	w.WriteHeader(http.StatusSwitchingProtocols)
	_ = http.NewResponseController(w).Flush()
	w.WriteHeader(200)
	if _, err := io.WriteString(w, "x"); err == nil {
		return
	}
	sending("in the other protocol")(w, r)
}

// handovers are connections that the handler takes over.
var handovers = []behaviour{
	{"behind nothing", "", sending("HTTP/1.1 299 Mine\r\nContent-Length: 2\r\n\r\nok")},
	{"behind a flush, to end the content by hand", "", func(w http.ResponseWriter, r *http.Request) {
		flushed("Hello, ")(w, r)
		sending("6\r\nworld!\r\n0\r\n\r\n")(w, r)
	}},
	{"behind a flush, to cut the content short", "", func(w http.ResponseWriter, r *http.Request) {
		flushed("Hello, ")(w, r)
		sending("6\r\nwor")(w, r)
	}},
	{"behind a declared length", "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "13")
		flushed("Hello, ")(w, r)
		sending("world!")(w, r)
	}},
	{"content that was not read is the handler's to read", post("12345"), echoing(5)},
	{"in chunks, as they were framed", message("POST /", chunkedHello, "Transfer-Encoding: chunked"), echoing(len(chunkedHello))},
	{"content that was read in part", post("12345"), func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 2))
		echoing(3)(w, r)
	}},
	{"content that was read whole", post("12345"), func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		sending("no HTTP\r\n")(w, r)
	}},
	{"a panic afterwards", "", hijacking(func(_ *http.Request, rw io.ReadWriter) {
		_, _ = io.WriteString(rw, "HTTP/1.1 200 OK\r\n")
		panic("on purpose")
	})},
	{"behind a 101", handshake, switching},
}
