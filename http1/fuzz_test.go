package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/holdfast-server/holdfast/conn"
)

// tight are limits that a fuzzer reaches.
var tight = Limits{
	HeadBytes: 1024, LineBytes: 256, MethodBytes: 16, Fields: 16, TrailerBytes: 256,
	ChunkLineBytes: 64, ChunkExcessBytes: 256, BodyBytes: 4096,
}

// fuzzed answers in the ways that the loop can tell apart. It commits no response before
// it has read the content, so that a refusal always finds its answer.
var fuzzed = HandlerFunc(func(w *Response, r *Request) {
	switch path := r.Path(); {
	case strings.HasPrefix(path, "/e"):
		b, _ := io.ReadAll(r.Body())
		_, _ = w.Write(b)
	case strings.HasPrefix(path, "/b"):
		var b [3]byte
		var got []byte
		for n, err := r.Body().Read(b[:]); n > 0 && err == nil; n, err = r.Body().Read(b[:]) {
			got = append(got, b[:n]...)
		}
		w.SetLength(int64(len(got)))
		_, _ = w.Write(got)
	case strings.HasPrefix(path, "/s"):
		_, _ = io.Copy(io.Discard, r.Body())
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "%d", i)
			_ = w.Flush()
		}
	case strings.HasPrefix(path, "/n"):
		w.SetStatus(204)
	case strings.HasPrefix(path, "/h"):
		for name, value := range r.Fields() {
			_, _ = fmt.Fprintf(w, "%s=%s;", name, value)
		}
	default:
		_, _ = w.WriteString("OK")
	}
})

// FuzzConnection sends arbitrary bytes in arbitrary pieces to a connection. However they
// are cut, the same comes back: well-formed responses, one for each request in the
// records, in their order, and none behind a refusal.
func FuzzConnection(f *testing.F) {
	for i := range talks {
		f.Add([]byte(strings.NewReplacer("/echo-slowly", "/b", "/read-then-stream", "/s", "/stream", "/s", "/204", "/n", "/head", "/h").Replace(talks[i].send)), []byte{1, 7, 64})
	}
	f.Add([]byte(expecting("/e")+"hello"+expecting("/ignore")+"hello"+get("/ok")), []byte{100})
	f.Add([]byte(get("/h", "A: 1")+chunked("/s", "1;a=\"\\\"\"\r\nx\r\n0\r\nT: v\r\n\r\n")+"HEAD /s HTTP/1.0\r\n\r\n"), []byte{})
	f.Fuzz(func(t *testing.T, message, cuts []byte) {
		if len(message) > 16<<10 || len(cuts) > 64 {
			return
		}
		whole := converse(t, message, nil)
		pieces := converse(t, message, cuts)
		// Whether content came before it was asked for decides about the 100.
		if !bytes.Contains(bytes.ToLower(message), []byte("expect")) && whole != pieces {
			t.Errorf("whole: %q\nin pieces: %q", whole, pieces)
		}
	})
}

// converse sends message, checks what comes back against the records, and returns it.
func converse(t *testing.T, message, cuts []byte) (heard string) {
	t.Helper()
	var records []Record
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: fuzzed, Limits: tight, poison: true, Observe: func(r *Record) { records = append(records, *r) }}
		m := openMemory(s, conn.Limits{})
		defer m.close(t)
		p := m.meet(t)
		for _, n := range cuts {
			piece := message[:min(int(n), len(message))]
			message = message[len(piece):]
			if _, err := p.Write(piece); err != nil {
				break
			}
			synctest.Wait()
		}
		_, _ = p.Write(message)
		_ = p.CloseWrite()
		if err := <-p.ended; err != nil {
			t.Errorf("the connection ended with %v", err)
		}
		_ = p.Close()
		heard = p.heard.String()
	})
	account(t, heard, records)
	return heard
}

// account checks that heard is the responses that records tell of, and nothing else.
func account(t *testing.T, heard string, records []Record) {
	t.Helper()
	in := bufio.NewReader(strings.NewReader(heard))
	for i, r := range records {
		if r.Status == 0 || r.Ending != Completed && r.Ending != Refused || (r.Reason != nil) != (r.Ending == Refused) {
			t.Fatalf("record %d: %+v", i, r)
		}
		res, err := http.ReadResponse(in, &http.Request{Method: r.Method})
		for err == nil && res.StatusCode == 100 {
			res, err = http.ReadResponse(in, &http.Request{Method: r.Method})
		}
		if err != nil {
			t.Fatalf("response %d of %d: %v in %q", i, len(records), err, heard)
		}
		content, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != r.Status || r.Method != "HEAD" && int64(len(content)) != r.Bytes {
			t.Fatalf("response %d: %d with %d bytes (%v), recorded %d with %d", i, res.StatusCode, len(content), err, r.Status, r.Bytes)
		}
		if last := i == len(records)-1; r.Ending == Refused && (!last || !res.Close) || res.Close && !last {
			t.Fatalf("response %d of %d: %s, close %t", i, len(records), r.Ending, res.Close)
		}
	}
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		t.Fatalf("%q behind the last of %d responses", rest, len(records))
	}
}
