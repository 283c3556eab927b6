package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"
)

// run is a connection's life. A panic costs that connection and nothing else: the server has
// better ones.
func (s *Server) run(c *net.UnixConn) {
	defer s.wg.Done()
	keep := false
	defer func() {
		if v := recover(); v != nil {
			s.Log.Error("control connection panicked", "panic", v, "stack", string(debug.Stack()))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
		if keep {
			s.kept = append(s.kept, c)
			return
		}
		_ = c.Close()
	}()
	keep = s.converse(c)
}

// converse answers one request after another. It tells whether the connection is to stay open
// until the process ends.
func (s *Server) converse(c *net.UnixConn) (keep bool) {
	peer, err := s.who(c)
	if err == nil && !peer.mayAsk(os.Geteuid()) {
		s.Log.Warn("control socket: a stranger was sent away", "uid", peer.UID, "pid", peer.PID)
		err = fmt.Errorf("uid %d may not speak to this server: only uid %d and root may", peer.UID, os.Geteuid())
	}
	if err != nil {
		s.send(c, s.answer(nil, err))
		return false
	}
	in := bufio.NewReaderSize(c, RequestBytes)
	for s.listen(c, time.Now().Add(requestTimeout)) {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			s.send(c, s.answer(nil, fmt.Errorf("the request is longer than %d bytes", RequestBytes)))
			return false
		case err == io.EOF && len(line) > 0:
			s.send(c, s.answer(nil, errors.New("the request does not end with a line feed")))
			return false
		case err != nil:
			return false
		}
		again, keep := s.serve(c, in, peer, line)
		if !again {
			return keep
		}
	}
	return false
}

// mayAsk tells whether a server of this user hears the peer.
func (p Peer) mayAsk(euid int) bool { return p.UID == euid || p.UID == 0 }

// serve answers one request.
func (s *Server) serve(c *net.UnixConn, in *bufio.Reader, peer Peer, line []byte) (again, keep bool) {
	q, err := decodeRequest(line)
	var result any
	if err == nil {
		s.Log.Debug("control request", "verb", q.Verb, "uid", peer.UID, "pid", peer.PID)
		result, err = s.Verbs.do(s.context, q, peer, s.Log)
	}
	if err == nil && q.Wait {
		return false, s.await(c, in)
	}
	return s.send(c, s.answer(result, err)), false
}

// await sends the outcome when there is one. A client that goes, or goes on talking, gets none.
func (s *Server) await(c *net.UnixConn, in *bufio.Reader) (told bool) {
	if s.listen(c, time.Time{}) {
		if _, err := in.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
	}
	s.mu.Lock()
	outcome := s.outcome
	s.mu.Unlock()
	return s.send(c, s.answer(outcome, nil))
}

// listen sets the read deadline, and returns false when the server is closing instead.
func (s *Server) listen(c *net.UnixConn, until time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	_ = c.SetReadDeadline(until)
	return true
}

// send writes an answer, and tells whether it went out.
func (s *Server) send(c *net.UnixConn, a Answer) bool {
	_ = c.SetWriteDeadline(time.Now().Add(requestTimeout))
	_, err := c.Write(a.encode())
	return err == nil
}

// marshal is a verb's result as JSON; nothing is an empty object.
func marshal(result any) (json.RawMessage, error) {
	if result == nil {
		return json.RawMessage("{}"), nil
	}
	return json.Marshal(result)
}
