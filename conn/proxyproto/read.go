package proxyproto

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

const (
	lineLimitBytes    = 107     // of a version 1 header, with its CRLF (§2.1)
	fixedBytes        = 16      // of a version 2 header, before what its length counts (§2.2)
	payloadLimitBytes = 4 << 10 // what we take of that: addresses, and TLVs as large as a certificate
)

// Errors of Read. What the parser finds wrong in a complete header is wrapped in ErrMalformed.
var (
	ErrNoHeader  = errors.New("proxyproto: the connection does not begin with a PROXY header")
	ErrTooLong   = errors.New("proxyproto: PROXY header too long")
	ErrMalformed = errors.New("proxyproto: malformed PROXY header")
)

// Read reads one header, at most 4112 bytes, and not one byte that follows it: those are for
// TLS, or for whoever asks the kernel what has been received. It returns the client's
// address and that which the client connected to. Both are the zero AddrPort when the
// header says nothing of them, so that the connection's own stand: UNKNOWN of version 1,
// LOCAL of version 2, and clients on unix sockets. TLVs are ignored.
//
// The error is io.EOF when nothing came at all, io.ErrUnexpectedEOF when the header is cut
// short, one of this package's, or r's. A TLS hello, or a request of HTTP, is refused
// without a wait for more.
func Read(r io.Reader) (client, local netip.AddrPort, err error) {
	header, err := readHeader(r)
	if err != nil {
		return client, local, err
	}
	return parse(header)
}

// readHeader reads as far as the header goes.
func readHeader(r io.Reader) ([]byte, error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return nil, err
	}
	switch first[0] {
	case proxyproto.SIGV1[0]:
		return readLine(r)
	case proxyproto.SIGV2[0]:
		return readBinary(r)
	}
	return nil, ErrNoHeader
}

// readLine reads a version 1 header, of which the first byte was read. Where it ends is
// seen only there, and what follows is not ours: so it comes byte by byte, once for a
// connection.
func readLine(r io.Reader) ([]byte, error) {
	const begin = "PROXY "
	line := append(make([]byte, 0, lineLimitBytes), begin[0])
	for len(line) < lineLimitBytes {
		n := len(line)
		line = line[:n+1]
		if err := readMore(r, line[n:]); err != nil {
			return nil, err
		}
		switch {
		case n < len(begin) && line[n] != begin[n]:
			return nil, ErrNoHeader
		case line[n] == '\n' && line[n-1] == '\r':
			return line, nil
		case line[n] == '\n', line[n-1] == '\r':
			return nil, fmt.Errorf("%w: CR and LF stand apart", ErrMalformed)
		}
	}
	return nil, ErrTooLong
}

// readBinary reads a version 2 header, of which the first byte was read. Nothing is
// allocated for a length before the signature before it is right.
func readBinary(r io.Reader) ([]byte, error) {
	fixed := [fixedBytes]byte{proxyproto.SIGV2[0]}
	if err := readMore(r, fixed[1:]); err != nil {
		return nil, err
	}
	if !bytes.Equal(fixed[:len(proxyproto.SIGV2)], proxyproto.SIGV2) {
		return nil, ErrNoHeader
	}
	payload := int(binary.BigEndian.Uint16(fixed[fixedBytes-2:]))
	if payload > payloadLimitBytes {
		return nil, ErrTooLong
	}
	header := make([]byte, fixedBytes+payload)
	copy(header, fixed[:])
	return header, readMore(r, header[fixedBytes:])
}

// readMore fills p; an end before that is one in the middle.
func readMore(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if errors.Is(err, io.EOF) && len(p) > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parse reads a complete header.
func parse(b []byte) (client, local netip.AddrPort, err error) {
	rest := bufio.NewReaderSize(bytes.NewReader(b), len(b))
	header, err := proxyproto.Read(rest)
	switch {
	case err != nil:
		return client, local, fmt.Errorf("%w: %w", ErrMalformed, err)
	case rest.Buffered() > 0:
		return client, local, fmt.Errorf("%w: %d bytes behind its end", ErrMalformed, rest.Buffered())
	case header.Command.IsLocal():
		return client, local, nil
	}
	return addrPort(header.SourceAddr), addrPort(header.DestinationAddr), nil
}

// addrPort is a's address and port, the zero value for one that has none.
func addrPort(a net.Addr) netip.AddrPort {
	if ip, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		ap := ip.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
