package traffic

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of a response. Ours are small; what is larger is not ours.
const (
	headLimitBytes = 16 << 10
	lineLimitBytes = 1 << 10 // of a chunk's size or a trailer
)

// A responseHead is what decides about the connection and the content.
type responseHead struct {
	status  int
	length  int64 // of the content, -1 when it is chunked
	closing bool  // the peer ends the connection after this response
}

// readResponse reads one response, whose content must be want. It returns whether a
// byte of it came, and whether the peer announced the connection's end with it.
func readResponse(r *bufio.Reader, want []byte) (begun, closing bool, err error) {
	if _, err := r.Peek(1); err != nil {
		return false, false, err
	}
	head, err := readHead(r)
	if err != nil {
		return true, false, err
	}
	content := contentOf(r, head)
	if head.status != 200 {
		if _, err := io.Copy(io.Discard, content); err != nil {
			return true, head.closing, err
		}
		return true, head.closing, fmt.Errorf("%w %d", errWrongStatus, head.status)
	}
	return true, head.closing, expect(content, want)
}

// contentOf reads the content of the response with this head.
func contentOf(r *bufio.Reader, head responseHead) io.Reader {
	if head.length < 0 {
		return &chunks{r: r}
	}
	return &counted{r: r, left: head.length}
}

// expect reads content to its end and compares it. What is wrong counts before what
// is missing: wrong bytes are worse.
func expect(content io.Reader, want []byte) error {
	var piece [4 << 10]byte
	read := 0
	for {
		n, err := content.Read(piece[:])
		if n > len(want)-read || !bytes.Equal(piece[:n], want[read:read+n]) {
			return fmt.Errorf("%w: the content differs from byte %d on", errCorrupt, read)
		}
		read += n
		switch {
		case err == io.EOF && read < len(want):
			return fmt.Errorf("%w: the content ends in good order after %d of %d bytes", errCorrupt, read, len(want))
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// readHead reads the status line and the fields, past informational responses.
func readHead(r *bufio.Reader) (head responseHead, err error) {
	for left := headLimitBytes; ; {
		lines, err := readLines(r, &left)
		if err != nil {
			return head, err
		}
		if head, err = parseHead(lines); err != nil || head.status >= 200 {
			return head, err
		}
	}
}

// readLines reads lines up to an empty one, left bytes at most.
func readLines(r *bufio.Reader, left *int) (lines []string, err error) {
	for {
		line, err := readLine(r, *left)
		if err != nil {
			return nil, err
		}
		if *left -= len(line) + len("\r\n"); line == "" {
			return lines, nil
		}
		lines = append(lines, line)
	}
}

// readLine reads a line of at most limit bytes with its CRLF, which it leaves off.
func readLine(r *bufio.Reader, limit int) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > limit:
			return "", fmt.Errorf("%w: more than %d bytes of lines", errCorrupt, limit)
		case err == bufio.ErrBufferFull:
			continue
		case err != nil:
			return "", whole(err)
		case !bytes.HasSuffix(line, []byte("\r\n")):
			return "", fmt.Errorf("%w: a line without CRLF", errCorrupt)
		}
		return string(line[:len(line)-2]), nil
	}
}

// parseHead is strict where that decides about framing: our own server writes it.
func parseHead(lines []string) (head responseHead, err error) {
	head.length = -1
	chunked := false
	for i, line := range lines {
		if i == 0 {
			if head.status, err = parseStatus(line); err != nil {
				return head, err
			}
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return head, fmt.Errorf("%w: the field line %.40q", errCorrupt, line)
		}
		value = strings.Trim(value, " \t")
		switch strings.ToLower(name) {
		case "content-length":
			if head.length, err = strconv.ParseInt(value, 10, 64); err != nil || head.length < 0 {
				return head, fmt.Errorf("%w: content length %.40q", errCorrupt, value)
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(value, "chunked")
		case "connection":
			head.closing = head.closing || strings.EqualFold(value, "close")
		}
	}
	switch {
	case len(lines) == 0:
		return head, fmt.Errorf("%w: a response without a status line", errCorrupt)
	case head.status >= 200 && chunked == (head.length >= 0):
		return head, fmt.Errorf("%w: a response that does not say where it ends, or says so twice", errCorrupt)
	}
	return head, nil
}

// parseStatus reads the code of a status line (RFC 9112 §4).
func parseStatus(line string) (int, error) {
	rest, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	if ok && len(rest) >= 3 && (len(rest) == 3 || rest[3] == ' ') {
		if code, err := strconv.Atoi(rest[:3]); err == nil && code >= 100 && code <= 599 {
			return code, nil
		}
	}
	return 0, fmt.Errorf("%w: the status line %.40q", errCorrupt, line)
}

// counted is content with a declared length. Its end before that is an error.
type counted struct {
	r    io.Reader
	left int64
}

func (c *counted) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, whole(err)
}

// chunks is chunked content (RFC 9112 §7.1), read to the end of its trailers.
type chunks struct {
	r    *bufio.Reader
	left int64 // of the current chunk
	some bool  // a chunk was read, whose CRLF is still to come
	end  bool
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.left == 0 && !c.end {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if c.end {
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, whole(err)
}

// next reads up to the content of the next chunk, or past the last one.
func (c *chunks) next() error {
	if c.some {
		if line, err := readLine(c.r, lineLimitBytes); err != nil || line != "" {
			return orCorrupt(err, "a chunk goes on behind its size")
		}
	}
	line, err := readLine(c.r, lineLimitBytes)
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 31)
	if err != nil {
		return fmt.Errorf("%w: chunk size %.40q", errCorrupt, size)
	}
	c.left, c.some = int64(n), true
	if n == 0 {
		left := headLimitBytes
		_, err := readLines(c.r, &left)
		c.end = err == nil
		return err
	}
	return nil
}

// orCorrupt is err, or without one that the response is corrupt.
func orCorrupt(err error, why string) error {
	if err == nil {
		err = fmt.Errorf("%w: %s", errCorrupt, why)
	}
	return err
}
