package proxyproto_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/holdfast-server/holdfast/conn/proxyproto"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// binaryHeader is a version 2 header with the length of its payload.
func binaryHeader(command, family byte, payload string) string {
	b := append([]byte(signature), 0x20|command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	return string(b) + payload
}

const (
	ports = "\xc3\x50\x01\xbb" // 50000 to 443
	four  = "\xc0\x00\x02\x01\xc0\x00\x02\x50" + ports
	six   = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + ports
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x50" + ports
)

// goodRows cite the sections of the specification. An empty address is the connection's own.
var goodRows = []struct{ name, header, client, local string }{
	{"§2.1 TCP4", "PROXY TCP4 192.0.2.1 192.0.2.80 50000 443\r\n", "192.0.2.1:50000", "192.0.2.80:443"},
	{"§2.1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 50000 443\r\n", "[2001:db8::1]:50000", "[2001:db8::2]:443"},
	{"§2.1 TCP6 with mapped addresses is IPv4", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.80 1 2\r\n", "192.0.2.1:1", "192.0.2.80:2"},
	{"§2.1 the longest TCP6 line", "PROXY TCP6 " + strings.Repeat("ffff:", 7) + "ffff " + strings.Repeat("ffff:", 7) + "ffff 65535 65535\r\n",
		"[" + strings.Repeat("ffff:", 7) + "ffff]:65535", "[" + strings.Repeat("ffff:", 7) + "ffff]:65535"},
	{"§2.1 UNKNOWN alone", "PROXY UNKNOWN\r\n", "", ""},
	{"§2.1 UNKNOWN with anything behind it, 107 bytes", "PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r\n", "", ""},
	{"§2.2 TCP over IPv4", binaryHeader(1, 0x11, four), "192.0.2.1:50000", "192.0.2.80:443"},
	{"§2.2 TCP over IPv6", binaryHeader(1, 0x21, six), "[2001:db8::1]:50000", "[2001:db8::2]:443"},
	{"§2.2 mapped addresses are IPv4", binaryHeader(1, 0x21, mapped), "192.0.2.1:50000", "192.0.2.80:443"},
	{"§2.2 UDP over IPv4, as of QUIC at the proxy", binaryHeader(1, 0x12, four), "192.0.2.1:50000", "192.0.2.80:443"},
	{"§2.2 TLVs are passed over", binaryHeader(1, 0x11, four+"\x04\x00\x04abcd"), "192.0.2.1:50000", "192.0.2.80:443"},
	{"§2.2 so are bytes that are no TLVs", binaryHeader(1, 0x11, four+"\x04\xff\xff"), "192.0.2.1:50000", "192.0.2.80:443"},
	{"§2.2 4 KiB behind the length", binaryHeader(1, 0x11, four+strings.Repeat("x", 4096-len(four))), "192.0.2.1:50000", "192.0.2.80:443"},
	{"§2.2 a unix socket has no address", binaryHeader(1, 0x31, "/client"+strings.Repeat("\x00", 209)), "", ""},
	{"§2.2 LOCAL", binaryHeader(0, 0x00, ""), "", ""},
	{"§2.2 LOCAL with addresses", binaryHeader(0, 0x11, four), "", ""},
	{"§2.2 LOCAL with a payload that does not fit its family", binaryHeader(0, 0x11, "abc"), "", ""},
}

var badRows = []struct {
	name, sent string
	want       error
}{
	{"nothing", "", io.EOF},
	{"a request", "GET / HTTP/1.1\r\n", proxyproto.ErrNoHeader},
	{"a request that begins like a line", "PROPFIND / HTTP/1.1\r\n", proxyproto.ErrNoHeader},
	{"a request by POST", "POST", proxyproto.ErrNoHeader},
	{"the version 1 name in lower case", "Proxy TCP4 ", proxyproto.ErrNoHeader},
	{"a name that goes on", "PROXYX TCP4 ", proxyproto.ErrNoHeader},
	{"a TLS hello", "\x16\x03\x01\x02\x00", proxyproto.ErrNoHeader},
	{"another signature", "\r\n\r\n\x00\r\nQUIT\r!\x11\x00\x0c", proxyproto.ErrNoHeader},
	{"half a line", "PROXY TCP4 192.0.2.1", io.ErrUnexpectedEOF},
	{"one byte of it", "P", io.ErrUnexpectedEOF},
	{"a line without an end", "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", proxyproto.ErrTooLong},
	{"a line that ends in LF", "PROXY UNKNOWN\n", proxyproto.ErrMalformed},
	{"a CR in a line", "PROXY UNKNOWN a\rb\r\n", proxyproto.ErrMalformed},
	{"an unknown family", "PROXY TCP5 192.0.2.1 192.0.2.80 1 2\r\n", proxyproto.ErrMalformed},
	{"an IPv6 address as TCP4", "PROXY TCP4 ::1 ::2 1 2\r\n", proxyproto.ErrMalformed},
	{"a zone", "PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n", proxyproto.ErrMalformed},
	{"a port too high", "PROXY TCP4 192.0.2.1 192.0.2.80 65536 2\r\n", proxyproto.ErrMalformed},
	{"two blanks", "PROXY  TCP4 192.0.2.1 192.0.2.80 1 2\r\n", proxyproto.ErrMalformed},
	{"a field too many", "PROXY TCP4 192.0.2.1 192.0.2.80 1 2 3\r\n", proxyproto.ErrMalformed},
	{"a field too few", "PROXY TCP4 192.0.2.1 192.0.2.80 1\r\n", proxyproto.ErrMalformed},
	{"half a signature", signature[:5], io.ErrUnexpectedEOF},
	{"a header without its payload", binaryHeader(1, 0x11, four)[:16], io.ErrUnexpectedEOF},
	{"half a payload", binaryHeader(1, 0x11, four)[:20], io.ErrUnexpectedEOF},
	{"a payload too long", binaryHeader(1, 0x11, four+strings.Repeat("x", 4097-len(four))), proxyproto.ErrTooLong},
	{"a payload too short for its family", binaryHeader(1, 0x11, four[:11]), proxyproto.ErrMalformed},
	{"version 1 in a binary header", strings.Replace(binaryHeader(1, 0x11, four), "\n\x21", "\n\x11", 1), proxyproto.ErrMalformed},
	{"a command that is none", binaryHeader(2, 0x11, four), proxyproto.ErrMalformed},
	{"a transport that is none", binaryHeader(1, 0x13, four), proxyproto.ErrMalformed},
	{"PROXY for nobody", binaryHeader(1, 0x00, ""), proxyproto.ErrMalformed},
}

func text(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// What follows a header; it must stay where it is.
const rest = "\x16\x03\x01 the rest, PROXY UNKNOWN\r\n"

func TestRead(t *testing.T) {
	for _, row := range goodRows {
		t.Run(row.name, func(t *testing.T) {
			for name, cut := range pieces {
				left := strings.NewReader(row.header + rest)
				client, local, err := proxyproto.Read(cut(left))
				if err != nil || text(client) != row.client || text(local) != row.local {
					t.Errorf("%s: %v, %v, %v", name, client, local, err)
				}
				if left.Len() != len(rest) {
					t.Errorf("%s: %d bytes are left, want the %d behind the header", name, left.Len(), len(rest))
				}
			}
		})
	}
}

// pieces are the ways in which bytes may come.
var pieces = map[string]func(io.Reader) io.Reader{
	"whole":        func(r io.Reader) io.Reader { return r },
	"byte by byte": iotest.OneByteReader,
	"half of it":   iotest.HalfReader,
}

func TestReadRefuses(t *testing.T) {
	for _, row := range badRows {
		t.Run(row.name, func(t *testing.T) {
			for name, cut := range pieces {
				client, local, err := proxyproto.Read(cut(strings.NewReader(row.sent)))
				if !errors.Is(err, row.want) || client.IsValid() || local.IsValid() {
					t.Errorf("%s: %v, %v, %v, want %v", name, client, local, err, row.want)
				}
			}
		})
	}
	t.Run("the reader's own error is told", func(t *testing.T) {
		broken := errors.New("broken")
		for _, sent := range []string{"", "PROXY TC", signature} {
			_, _, err := proxyproto.Read(io.MultiReader(strings.NewReader(sent), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) {
				t.Errorf("after %q: %v", sent, err)
			}
		}
	})
	t.Run("a request is refused without a wait for more", func(t *testing.T) {
		for _, sent := range []string{"G", "PO", "\x16"} {
			endless := io.MultiReader(strings.NewReader(sent), iotest.ErrReader(errors.New("read on")))
			if _, _, err := proxyproto.Read(endless); !errors.Is(err, proxyproto.ErrNoHeader) {
				t.Errorf("%q: %v", sent, err)
			}
		}
	})
}

// counting reads in pieces of a size that changes, and never gives more than is asked for.
type counting struct {
	from  *bytes.Reader
	step  byte
	asked int // the most bytes asked for at once
}

func (c *counting) Read(p []byte) (int, error) {
	c.asked = max(c.asked, len(p))
	c.step = c.step*5 + 3
	return c.from.Read(p[:min(len(p), 1+int(c.step%7))])
}

// FuzzRead: whatever comes in whatever pieces, a header is at most 4112 bytes, ends where
// its own bytes say, and is the same header when nothing follows it.
func FuzzRead(f *testing.F) {
	for _, row := range goodRows {
		f.Add([]byte(row.header+rest), byte(0))
	}
	for _, row := range badRows {
		f.Add([]byte(row.sent), byte(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, step byte) {
		from := bytes.NewReader(b)
		c := &counting{from: from, step: step}
		client, local, err := proxyproto.Read(c)
		took := len(b) - from.Len()
		if took > 4112 || c.asked > 4096 {
			t.Fatalf("%d bytes taken, %d asked for at once", took, c.asked)
		}
		if err != nil {
			if client.IsValid() || local.IsValid() {
				t.Fatalf("%v and %v with %v", client, local, err)
			}
			return
		}
		header := b[:took]
		if end := headerEnd(header); end != took {
			t.Fatalf("%d bytes taken of %q, which ends at %d", took, header, end)
		}
		again, localAgain, err := proxyproto.Read(bytes.NewReader(header))
		if err != nil || again != client || localAgain != local {
			t.Fatalf("alone it is %v, %v, %v; was %v, %v", again, localAgain, err, client, local)
		}
		if _, _, err := proxyproto.Read(bytes.NewReader(header[:took-1])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("without its last byte: %v", err)
		}
	})
}

// headerEnd is where a header ends, found in another way than Read does.
func headerEnd(b []byte) int {
	if bytes.HasPrefix(b, []byte("PROXY ")) {
		return bytes.Index(b, []byte("\r\n")) + 2
	}
	return 16 + int(b[14])<<8 + int(b[15])
}
