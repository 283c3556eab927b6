package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// addHeads adds a raw head for each row of the tables.
func addHeads(f *testing.F) {
	for _, row := range lineRows {
		f.Add([]byte(row.in + "\r\nHost: a\r\n\r\n"))
	}
	for _, row := range targetRows {
		f.Add([]byte(row.in + " HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	for _, rows := range [][]row{hostRows, framingRows, optionRows} {
		for _, row := range rows {
			f.Add([]byte("POST / HTTP/" + row.in + "\r\n\r\n"))
			f.Add([]byte("POST / HTTP/" + row.in + "\r\nHost: a\r\n\r\n"))
		}
	}
	for _, row := range fieldRows {
		f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n" + row.in + "\r\n\r\n"))
	}
	for _, row := range scanRows {
		f.Add([]byte(row.in))
	}
	f.Add([]byte(smallHead))
	f.Add([]byte(browserHead))
}

// FuzzHead: the verdict does not depend on how bytes were cut, nor on what stands behind
// them; what is accepted, written out and read again is the same.
func FuzzHead(f *testing.F) {
	addHeads(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		lim := small()
		lim.HeadBytes, lim.Fields = 300, 8
		h, n, r := receive(t, raw, len(raw), &lim)
		for _, step := range []int{1, 3} {
			h1, n1, r1 := receive(t, raw, step, &lim)
			if n != n1 || r != r1 || text(h) != text(h1) {
				t.Fatalf("whole: %d, %v, %s\nin steps of %d: %d, %v, %s", n, r, text(h), step, n1, r1, text(h1))
			}
		}
		var alone Head
		_ = alone.Parse(raw, &lim) // whatever comes, no panic
		if n == 0 || r != nil {
			return
		}
		if behind, n1, r1 := receive(t, append(bytes.Clone(raw[:n]), "GET / x"...), n+7, &lim); n1 != n || r1 != nil || text(behind) != text(h) {
			t.Fatalf("with more behind it: %d, %v, %s", n1, r1, text(behind))
		}
		again := write(h)
		h2, n2, r2 := receive(t, again, len(again), &lim)
		if n2 != len(again) || r2 != nil || text(h2) != text(h) {
			t.Fatalf("%q was written as %q: %v, %s, before: %s", raw, again, r2, text(h2), text(h))
		}
	})
}

// write makes a head of what was parsed.
func write(h *Head) []byte {
	b := append(bytes.Clone(h.Method), ' ')
	b = append(append(b, h.Target...), " HTTP/1."...)
	b = append(b, '0'+h.Minor, '\r', '\n')
	for _, f := range h.Fields {
		b = append(append(b, f.Name...), ':')
		b = append(append(b, f.Value...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// FuzzTarget: a target that is accepted is made of its parts.
func FuzzTarget(f *testing.F) {
	for _, row := range targetRows {
		method, target, _ := strings.Cut(row.in, " ")
		f.Add(method, target)
	}
	for _, a := range addresses {
		f.Add("GET", "http://["+a+"]:1/?")
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		h := Head{Method: []byte(method), Target: []byte(target)}
		if target == "" || h.parseTarget() != nil {
			return
		}
		var whole string
		if h.Form == AbsoluteForm {
			whole = string(h.Scheme) + "://"
		}
		whole += string(h.Authority)
		if !strings.HasPrefix(target, whole) {
			t.Fatalf("%q does not begin with %q", target, whole)
		}
		rest := target[len(whole):]
		if path := string(h.Path); strings.HasPrefix(rest, path) {
			rest = rest[len(path):]
		} else if h.Form != AbsoluteForm {
			t.Fatalf("%q does not hold the path %q", target, path)
		}
		if h.HasQuery {
			rest = strings.TrimPrefix(rest, "?"+string(h.Query))
		}
		if rest != "" {
			t.Fatalf("%q has a rest: %q", target, rest)
		}
		if len(h.Authority) > 0 && !validAuthority(h.Authority) || h.HasQuery && strings.Contains(string(h.Path), "?") {
			t.Fatalf("%q: authority %q, path %q", target, h.Authority, h.Path)
		}
	})
}

// FuzzTrailers: as FuzzHead, and nothing forbidden passes.
func FuzzTrailers(f *testing.F) {
	for _, row := range trailerRows {
		f.Add([]byte(row.in))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		lim := DefaultLimits()
		lim.TrailerBytes, lim.Fields = 200, 8
		var whole, cut Trailers
		n, r := section(&whole, raw, len(raw), &lim)
		n1, r1 := section(&cut, raw, 1, &lim)
		if n != n1 || r != r1 || fieldText(whole.Fields) != fieldText(cut.Fields) {
			t.Fatalf("whole: %d, %v, %s\nby byte: %d, %v, %s", n, r, fieldText(whole.Fields), n1, r1, fieldText(cut.Fields))
		}
		if n == 0 && r == nil && len(raw) >= lim.TrailerBytes {
			t.Fatal("the limit did not suffice for a verdict")
		}
		for _, f := range whole.Fields {
			if n > 0 && r == nil && (ForbiddenInTrailer(f.Name) || !ValidFieldName(string(f.Name)) || !ValidFieldValue(string(f.Value))) {
				t.Fatalf("%q passed", f.Name)
			}
		}
		var alone Trailers
		_ = alone.Parse(raw, &lim)
	})
}

// FuzzChunked: content and verdict do not depend on how bytes were cut, and what we decode
// net/http decodes to the same.
func FuzzChunked(f *testing.F) {
	for _, row := range chunkRows {
		if len(row.in) < 1000 {
			f.Add([]byte(row.in))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		lim := DefaultLimits()
		lim.BodyBytes, lim.ChunkLineBytes, lim.ChunkExcessBytes = 1000, 100, 300
		content, n, done, r := decode(t, raw, len(raw)+1, &lim)
		for _, step := range []int{1, 3} {
			content1, n1, done1, r1 := decode(t, raw, step, &lim)
			if !bytes.Equal(content, content1) || n != n1 || done != done1 || r != r1 {
				t.Fatalf("whole: %q, %d, %v, %v\nin steps of %d: %q, %d, %v, %v", content, n, done, r, step, content1, n1, done1, r1)
			}
		}
		if int64(len(content)) > lim.BodyBytes {
			t.Fatalf("%d bytes of content", len(content))
		}
		if !done {
			return
		}
		req := "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + string(raw[:n]) + "\r\n"
		std, err := http.ReadRequest(bufio.NewReader(strings.NewReader(req)))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := io.ReadAll(std.Body)
		if err != nil || !bytes.Equal(theirs, content) {
			t.Fatalf("%q: we decode %q, net/http %q, %v", raw[:n], content, theirs, err)
		}
	})
}

// stricter are the Reasons for which we refuse what http.ReadRequest accepts, and what it
// does instead. It reads for clients and proxies too and leaves some checks to its server.
var stricter = map[*Reason]string{
	BareLF:             "it takes LF for a line end",
	SpaceBeforeColon:   "it keeps the space in the name; its server refuses that",
	BadFieldName:       "the same, for a space within",
	BadTargetByte:      "it escapes what may not stand there",
	BadHost:            "its server checks it, for control bytes and delimiters",
	MissingHost:        "its server checks it",
	DuplicateHost:      "its server checks it",
	DuplicateLength:    "it takes the same length twice",
	LengthAndCoding:    "it drops the length",
	CodingIn10:         "it ignores the coding",
	UnsupportedVersion: "its server refuses some",
	UnknownExpectation: "its server answers it",
	ObsFold:            "it unfolds the line",
	MethodTooLong:      "it has no such limit",
	RequestLineTooLong: "it has no such limit",
	HeadTooLarge:       "its server has one",
	TooManyFields:      "it has no such limit",
	BodyTooLarge:       "it has no such limit",
	BadRequestLine:     "it takes an empty target with CONNECT",
	BadTarget:          "it takes a path with CONNECT and an asterisk with any method",
	BadScheme:          "it takes any scheme",
	BadAuthority:       "it takes an empty host, and any byte in a name",
	BadEscape:          "it does not look at queries",
	Userinfo:           "it drops it from the host",
}

// looser are the requests that we accept and http.ReadRequest refuses, each with why.
var looser = []struct {
	why string
	is  func(h *Head, err error) bool
}{
	{"it reads a Trailer field, whose names we check when trailers come", func(h *Head, _ error) bool {
		_, ok := h.Lookup("Trailer")
		return ok && h.Framing == Chunks
	}},
}

// FuzzReadRequest: a request that we accept net/http accepts as the same request, and what
// we refuse alone is on a list.
func FuzzReadRequest(f *testing.F) {
	addHeads(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		lim := DefaultLimits()
		h, n, r := receive(t, raw, len(raw), &lim)
		if n == 0 && r == nil {
			return
		}
		theirs := bytes.TrimPrefix(raw, crlf) // it does not skip an empty line
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(theirs)))
		switch {
		case r != nil && err == nil && stricter[r] == "":
			t.Fatalf("%q: refused as %s, net/http has %v", raw, r.Code, req)
		case r != nil:
			return
		case err != nil:
			for _, l := range looser {
				if l.is(h, err) {
					return
				}
			}
			t.Fatalf("%q: accepted, net/http says %v", raw, err)
		}
		sameRequest(t, h, req)
	})
}

// sameRequest compares all that the two say of one request.
func sameRequest(t *testing.T, h *Head, req *http.Request) {
	t.Helper()
	if req.Method != string(h.Method) || req.RequestURI != string(h.Target) || req.ProtoMajor != 1 || req.ProtoMinor != int(h.Minor) {
		t.Errorf("%s %s 1.%d, net/http: %s %s %s", h.Method, h.Target, h.Minor, req.Method, req.RequestURI, req.Proto)
	}
	if req.Host != string(h.Authority) {
		t.Errorf("authority %q, net/http: %q", h.Authority, req.Host)
	}
	if path := req.URL.EscapedPath(); h.Form == OriginForm && path != string(h.Path) && req.URL.RawPath != string(h.Path) {
		t.Errorf("path %q, net/http: %q", h.Path, path)
	}
	if h.Form != AuthorityForm && req.URL.RawQuery != string(h.Query) {
		t.Errorf("query %q, net/http: %q", h.Query, req.URL.RawQuery)
	}
	length := map[Framing]int64{NoBody: 0, Length: h.ContentLength, Chunks: -1}[h.Framing]
	if req.ContentLength != length || (len(req.TransferEncoding) > 0) != (h.Framing == Chunks) {
		t.Errorf("framing %d, length %d, net/http: %v, %d", h.Framing, length, req.TransferEncoding, req.ContentLength)
	}
	sameFields(t, h, req.Header)
}

// removed are fields that net/http keeps elsewhere or adds to.
var removed = []string{"Host", "Transfer-Encoding", "Trailer", "Cache-Control"}

func sameFields(t *testing.T, h *Head, header http.Header) {
	t.Helper()
	ours := http.Header{}
	for _, f := range h.Fields {
		ours.Add(string(f.Name), string(f.Value))
	}
	for _, name := range removed {
		delete(ours, name)
		delete(header, name)
	}
	if len(ours) != len(header) {
		t.Errorf("fields %v, net/http: %v", ours, header)
	}
	for name, values := range ours {
		if !slices.Equal(values, header[name]) {
			t.Errorf("%s: %q, net/http: %q", name, values, header[name])
		}
	}
}
