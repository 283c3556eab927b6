package nethttp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// behaviour is a handler, and a request to it that both servers answer alike.
type behaviour struct {
	name    string
	request string // GET / when empty
	handler http.HandlerFunc
}

func TestBehavesAsNetHTTP(t *testing.T) {
	for _, rows := range [][]behaviour{heads, contents, lengths, fields, trailers, connections, more, handovers, library(t)} {
		for _, b := range rows {
			t.Run(b.name, func(t *testing.T) { compare(t, b) })
		}
	}
}

func compare(t *testing.T, b behaviour) {
	if b.request == "" {
		b.request = get("/")
	}
	h := withAgain(b.handler)
	theirs := observe(t, serveTheirs(t, h), b.request)
	ours := observe(t, serveOurs(t, h), b.request)
	if a, b := fmt.Sprintf("%#v", theirs), fmt.Sprintf("%#v", ours); a != b {
		t.Errorf("net/http: %s\n     ours: %s", a, b)
	}
}

func set(pairs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Add(pairs[i], pairs[i+1])
		}
		_, _ = io.WriteString(w, "content")
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

var heads = []behaviour{
	{"a handler that does nothing answers an empty 200", "", func(http.ResponseWriter, *http.Request) {}},
	{"a status alone", "", status(404)},
	{"a 204 has no length", "", status(204)},
	{"a 205", "", status(205)},
	{"a 304 loses its content type and length", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		w.Header().Set("Content-Length", "10")
		w.Header().Set("Etag", `"x"`)
		w.WriteHeader(304)
	}},
	{"content of a 204 is refused", "", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
		if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
			panic(http.ErrAbortHandler)
		}
	}},
	{"only the first WriteHeader counts", "", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(500)
	}},
	{"fields that come after WriteHeader are too late", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "early")
		w.WriteHeader(200)
		w.Header().Set("X-A", "late")
		w.Header().Set("X-B", "late")
	}},
	{"fields that come after the first Write are too late", "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
		w.Header().Set("X-B", "late")
	}},
	{"103 goes ahead and the fields stay", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Link", "</a.css>; rel=preload")
		w.Header().Add("Link", "</b.css>; rel=preload")
		w.Header().Set("Content-Length", "2")
		w.WriteHeader(103)
		w.Header().Set("X-Final", "yes")
		w.WriteHeader(102)
		_, _ = io.WriteString(w, "ok")
	}},
	{"HEAD is told the length of what was not sent", message("HEAD /", ""), set()},
	{"HEAD with no content has no length", message("HEAD /", ""), status(200)},
	{"HEAD with a declared length", message("HEAD /", ""), set("Content-Length", "7")},
	{"an empty Write begins the response", "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(nil)
		w.WriteHeader(500)
	}},
}

func write(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, p := range parts {
			_, _ = io.WriteString(w, p)
		}
	}
}

func flushed(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, p := range parts {
			_, _ = w.Write([]byte(p))
			w.(http.Flusher).Flush()
		}
	}
}

func thenFlush(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h(w, r)
		w.(http.Flusher).Flush()
	}
}

var contents = []behaviour{
	{"HTML is recognised", "", write("<html><body>x")},
	{"in pieces as well", "", write("<ht", "ml>", "<p>x")},
	{"binary content is recognised", "", write("\x89PNG\r\n\x1a\n")},
	{"more than the sample is recognised by its beginning", "", write("<html>" + strings.Repeat("x", 1000))},
	{"what was flushed decides", "", flushed("<", "html>")},
	{"a type that was set stays", "", set("Content-Type", "application/x-test")},
	{"a nil type asks for none", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "<html>")
	}},
	{"encoded content has no type to find", "", set("Content-Encoding", "gzip")},
	{"HEAD has the type of what was not sent", message("HEAD /", ""), write("<html>")},
	{"flushed content is chunked", "", flushed("a", "b", "c")},
	{"a flush alone sends an empty chunked response", "", flushed("")},
	{"long content is chunked", "", write(strings.Repeat("0123456789", 10000))},
	{"content of 2 KiB and no more has a length", "", write(strings.Repeat("x", 2048))},
	{"ReadFrom takes a short reader", "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("<html>short"))
	}},
	{"ReadFrom takes a long reader", "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("<html>" + strings.Repeat("x", 99999)))
	}},
	{"ReadFrom with a length finds the type", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("<html>abc"))
	}},
	{"ReadFrom with a length and a long reader", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader(strings.Repeat("x", 100000)))
	}},
	{"a reader that fails behind chunked content", "", func(w http.ResponseWriter, _ *http.Request) {
		failing := io.MultiReader(strings.NewReader(strings.Repeat("x", 9000)), iotest.ErrReader(errors.New("no")))
		if _, err := w.(io.ReaderFrom).ReadFrom(failing); err == nil {
			panic(http.ErrAbortHandler)
		}
	}},
}

var lengths = []behaviour{
	{"a declared length is sent", "", set("Content-Length", "7")},
	{"a length that is none is ignored", "", thenFlush(set("Content-Length", "many"))},
	{"a negative length is ignored", "", thenFlush(set("Content-Length", "-1"))},
	{"too little content cuts the connection", "", set("Content-Length", "70")},
	{"a declared length without any content cuts it", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
	}},
	{"content past the length is refused", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		if _, err := io.WriteString(w, "123456"); err != http.ErrContentLength {
			w.Header().Set("Content-Length", "0") // too late, so the answer differs below
			_, _ = io.WriteString(w, "12345")
		}
	}},
	{"a length beside Transfer-Encoding does not count", "", thenFlush(set("Content-Length", "7", "Transfer-Encoding", "chunked"))},
}

var fields = []behaviour{
	{"several values are several lines", "", set("Set-Cookie", "a=1", "Set-Cookie", "b=2")},
	{"a name keeps the case it was given", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["x-lower"] = []string{"v"}
	}},
	{"line ends in values become spaces", "", set("X-A", "a\r\nX-Evil: 1")},
	{"space around values goes", "", set("X-A", " \t a \n")},
	{"a name that is no token is left out", "", set("X A", "1", "X:B", "2", "", "3", "Ü", "4", "X-Good", "5")},
	{"bytes above ASCII pass", "", set("X-A", "gr\u00fc\u00df\xff")},
	{"a server field of the handler's own", "", set("Server", "mine", "Content-Language", "de")},
	{"a nil value sends nothing", "", func(w http.ResponseWriter, _ *http.Request) { w.Header()["X-A"] = nil }},
}

var trailers = []behaviour{
	{"declared trailers follow the content", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, x-count")
		_, _ = io.WriteString(w, "content")
		w.Header().Set("X-Sum", "abc")
		w.Header().Set("X-Count", "7")
		w.Header().Set("X-Undeclared", "no")
	}},
	{"a trailer without a value is not sent", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(200)
	}},
	{"prefixed trailers follow flushed content", "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "content")
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Sum", "a\nb")
	}},
	{"trailers have no place behind a declared length", "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Content-Length", "7")
		_, _ = io.WriteString(w, "content")
		w.Header().Set("X-Sum", "abc")
	}},
	{"HTTP/1.0 gets no trailers", "GET / HTTP/1.0\r\n\r\n", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "content")
		w.Header().Set("X-Sum", "abc")
	}},
}

var connections = []behaviour{
	{"close by the handler", "", set("Connection", "close")},
	{"close by the client", get("/", "Connection: close"), set()},
	{"HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\n", set()},
	{"HTTP/1.0 with keep-alive and a length stays", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", set("Content-Length", "7")},
	{"HTTP/1.0 with content of unknown length closes", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", flushed("a", "b")},
	{"unread short content does not end the connection", post("unread"), set()},
	{"much unread content does", post(strings.Repeat("x", 1<<20)), set()},
	{"an abort before the head is a cut", "", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	{"an abort behind the head is a cut", "", func(w http.ResponseWriter, _ *http.Request) {
		flushed("part")(w, nil)
		panic(http.ErrAbortHandler)
	}},
	{"a panic behind the head is a cut", "", func(w http.ResponseWriter, _ *http.Request) {
		flushed("part")(w, nil)
		panic("broken on purpose")
	}},
	{"deadlines can be set", post("abc"), func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		later := time.Now().Add(time.Hour)
		fmt.Fprintln(w, c.SetReadDeadline(later), c.SetWriteDeadline(later), c.EnableFullDuplex())
		_, err := io.Copy(w, r.Body)
		fmt.Fprintln(w, err, c.Flush())
	}},
	{"a read past its deadline fails", message("POST /", "", "Content-Length: 3", "Connection: close"), func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
	}},
}

// library are handlers of the standard library.
func library(t *testing.T) []behaviour {
	root := t.TempDir()
	page := []byte(strings.Repeat("<p>0123456789</p>\n", 5000))
	if err := errors.Join(os.WriteFile(filepath.Join(root, "page.html"), page, fs.FileMode(0o600)), os.Mkdir(filepath.Join(root, "sub"), 0o700)); err != nil {
		t.Fatal(err)
	}
	then := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	files := http.FileServer(http.Dir(root)).ServeHTTP
	served := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x.bin", then, bytes.NewReader(page))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /item/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.PathValue("id"), r.Pattern) })
	limited := func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4))
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, tooLarge.Error(), http.StatusRequestEntityTooLarge)
		}
	}
	in := http.TimeoutHandler(http.HandlerFunc(set("X-A", "1")), time.Hour, "late").ServeHTTP
	late := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		_, _ = io.WriteString(w, "too late")
	}), time.Millisecond, "late").ServeHTTP
	return []behaviour{
		{"FileServer sends a file", get("/page.html"), files},
		{"FileServer lists a directory", get("/"), files},
		{"FileServer redirects to a directory", get("/sub"), files},
		{"FileServer misses a file", get("/none"), files},
		{"FileServer answers HEAD", message("HEAD /page.html", ""), files},
		{"FileServer sends a range", get("/page.html", "Range: bytes=100-70000"), files},
		{"ServeContent sends a suffix", get("/", "Range: bytes=-5"), served},
		{"ServeContent refuses a range", get("/", "Range: bytes=999999-"), served},
		{"ServeContent knows what is not modified", get("/", "If-Modified-Since: Sun, 01 Jun 2025 00:00:00 GMT"), served},
		{"ServeMux gives path values", get("/item/7%2F8"), mux.ServeHTTP},
		{"ServeMux refuses a method", message("DELETE /item/7", ""), mux.ServeHTTP},
		{"ServeMux refuses OPTIONS *", message("OPTIONS *", ""), mux.ServeHTTP},
		{"http.Error", "", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }},
		{"http.Redirect", get("/a/b"), func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "../c", http.StatusFound) }},
		{"MaxBytesReader lets small content pass", post("1234"), limited},
		{"TimeoutHandler in time", "", in},
		{"TimeoutHandler too late", "", late},
	}
}
