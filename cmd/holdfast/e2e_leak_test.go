package main

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// descriptors is how many file descriptors the server has open.
func (s *server) descriptors(t testing.TB) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func TestDescriptorsComeBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts descriptors in /proc, which only Linux has")
	}
	const rounds, together = 5, 40
	s := launch(t, site(t, map[string]string{"index.html": "the quay", "rope": bulk(downloadBytes)}))
	s.awaitSocket()
	before := s.descriptors(t)
	for range rounds {
		for i := range together {
			s.leave(t, i)
		}
	}
	eventually(t, "the descriptors of 200 connections are closed", func() bool { return s.descriptors(t) <= before })
	s.stop()
	if open := s.ledger("connections")["open"]; open != 0.0 {
		t.Errorf("%v connections open at the end", open)
	}
}

// leave is a connection that ends in one of the ways that clients have.
func (s *server) leave(t *testing.T, way int) {
	p := dialTCP(t, s.https, 0)
	defer p.conn.Close()
	switch way % 4 {
	case 0: // without a word
	case 1: // after a handshake
		p.secure(s.trust())
	case 2: // after an answer
		p = p.secure(s.trust())
		p.get("/")
		p.response(200)
	case 3: // in the midst of an answer
		p = p.secure(s.trust())
		p.get("/rope")
		p.head(200)
	}
}
