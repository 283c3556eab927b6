package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Errors of Ask. Others are the system's.
var (
	// ErrNobody is that no server answers at the path.
	ErrNobody = errors.New("no server listens there")
	// ErrStranger is that whoever listens is neither the state directory's owner nor root, and
	// was told nothing.
	ErrStranger = errors.New("who listens there is neither the state directory's owner nor root")
	// ErrGone is that the server ended without an answer.
	ErrGone = errors.New("the server ended without an answer")
	// ErrNoAnswer is that what came is no answer.
	ErrNoAnswer = errors.New("what answers there is no holdfast server")
)

// dialPatience bridges a hand-over, in which the name is nobody's for some milliseconds;
// dialPause is between two tries.
const (
	dialPatience = 200 * time.Millisecond
	dialPause    = 10 * time.Millisecond
)

// Ask sends the request to the server at this place and returns its answer. With q.Wait it returns
// when the process has gone; when it gave no outcome before, that is [ErrGone]. It gives up
// when ctx is done.
func Ask(ctx context.Context, at Place, q Request) (Answer, error) {
	c, err := dial(ctx, at)
	if err != nil {
		return Answer{}, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	a, err := ask(c, q)
	if ctx.Err() != nil && err != nil {
		err = ctx.Err()
	}
	return a, err
}

// dial connects to a server that may be trusted.
func dial(ctx context.Context, at Place) (*net.UnixConn, error) {
	patience, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	for {
		var dialer net.Dialer
		nc, err := dialer.DialContext(ctx, "unix", at.Path)
		if err == nil {
			return trusted(nc.(*net.UnixConn), at.Owner)
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, err
		}
		select {
		case <-patience.Done():
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", ErrNobody, err)
		case <-time.After(dialPause):
		}
	}
}

// trusted is c, unless the server at its end is a stranger's.
func trusted(c *net.UnixConn, owner int) (*net.UnixConn, error) {
	peer, err := peerOf(c)
	if err == nil && !peer.mayAnswer(owner) {
		err = fmt.Errorf("%w: uid %d", ErrStranger, peer.UID)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// mayAnswer tells whether the peer is believed to be the server of a state directory with this
// owner. That root asks changes nothing: it would act on a stranger's word.
func (p Peer) mayAnswer(owner int) bool { return p.UID == owner || p.UID == 0 }

// ask speaks the protocol on a connection.
func ask(c net.Conn, q Request) (a Answer, err error) {
	q.Protocol = Protocol
	line, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	if len(line) >= RequestBytes {
		return a, fmt.Errorf("the request has %d bytes, more than %d", len(line), RequestBytes)
	}
	// A server that sends us away may have done so already: its answer tells more than
	// the broken pipe does.
	_, werr := c.Write(append(line, '\n'))
	in := bufio.NewReader(io.LimitReader(c, AnswerBytes))
	reply, err := in.ReadBytes('\n')
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return a, err
	case err != nil && len(reply) == 0:
		return a, errors.Join(ErrGone, werr)
	case err != nil || json.Unmarshal(reply, &a) != nil || a.Protocol == 0:
		return Answer{}, ErrNoAnswer
	}
	if q.Wait && len(a.Faults) == 0 {
		_, err = in.ReadByte() // the kernel's word that the process has gone
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	return a, err
}

// ownerOf is the PID of the process that listens at path, 0 when it is not to be had.
func ownerOf(ctx context.Context, path string) int {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return 0
	}
	defer nc.Close()
	peer, err := peerOf(nc.(*net.UnixConn))
	if err != nil {
		return 0
	}
	return peer.PID
}
