package conn

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// waiter is the read that a parked connection blocks in.
type waiter interface {
	// read blocks until bytes arrive or the read deadline passes.
	read(b Buffer) (int, error)
	// look reads what has been received, without a wait and whatever the deadline; 0
	// when that is nothing. Its errors come again at the next read.
	look(b Buffer) int
}

// newWaiter picks the waiter for a connection: the socket itself for plain TCP, where
// the kernel can be asked again whenever bytes may have come.
func newWaiter(stream net.Conn, sock *socket) waiter {
	if stream == net.Conn(sock) && sock.descriptor != nil {
		w := &socketWaiter{sock: sock}
		w.attempt = w.try
		return w
	}
	return &byteWaiter{stream: stream, sock: sock}
}

// socketWaiter waits for a socket to become readable without holding a buffer.
type socketWaiter struct {
	sock    *socket
	attempt func(fd uintptr) bool // try, bound once
	b       Buffer
	n       int
	err     error
}

func (w *socketWaiter) read(b Buffer) (int, error) {
	w.b, w.n, w.err = b, 0, nil
	err := w.sock.descriptor.Read(w.attempt)
	w.b = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

func (w *socketWaiter) look(b Buffer) int {
	w.b, w.n, w.err = b, 0, nil
	_ = w.sock.descriptor.Control(func(fd uintptr) { w.try(fd) })
	w.b = nil
	return w.n
}

// try is one attempt. False makes the runtime wait until the socket is readable and
// then call it again.
func (w *socketWaiter) try(fd uintptr) bool {
	n, err := readDescriptor(fd, w.b.Room())
	if n > 0 {
		w.n = n
		w.sock.received.Add(int64(n))
		return true
	}
	w.b.Return()
	if errors.Is(err, syscall.EAGAIN) {
		return false
	}
	w.err = err
	return true
}

// readDescriptor is read(2): io.EOF for an end, and EAGAIN with nothing to read.
func readDescriptor(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), p)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case err == nil:
			err = io.EOF
		}
		return 0, err
	}
}

// byteWaiter waits in an ordinary read of one byte, for a stream that buffers beneath
// us as TLS does, and then takes what else is there already.
type byteWaiter struct {
	stream net.Conn
	sock   *socket
	first  [1]byte
}

func (w *byteWaiter) look(b Buffer) int {
	w.sock.atOnce = true
	defer func() { w.sock.atOnce = false }()
	n, _ := w.read(b)
	return n
}

func (w *byteWaiter) read(b Buffer) (int, error) {
	b.Return()
	for {
		n, err := w.stream.Read(w.first[:])
		if n == 0 && err == nil {
			continue
		}
		if n == 0 {
			return 0, err
		}
		room := b.Room()
		room[0] = w.first[0]
		return 1 + w.rest(room[1:]), nil
	}
}

// rest reads what came with the first byte: most often the whole of a head, from the
// record that it was in. An error comes again at the next read.
func (w *byteWaiter) rest(room []byte) int {
	if len(room) == 0 {
		return 0
	}
	before := w.sock.atOnce
	w.sock.atOnce = true
	n, _ := w.stream.Read(room)
	w.sock.atOnce = before
	return n
}
