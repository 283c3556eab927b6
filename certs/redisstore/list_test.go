package redisstore

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestListAmongOthers(t *testing.T) {
	r := startRedis(t)
	s := open(t, r.url())
	mustPut(t, s, "cert/example.org", "value", nil)
	const others = 200_000
	r.ask(t, "EVAL", fmt.Sprintf("for i = 1, %d do redis.call('SET', 'other:' .. i, '') end return 1", others), "0")
	if got, err := s.List(within(t), "cert/"); err != nil || len(got) != 1 {
		t.Errorf("List is %q, %v", got, err)
	}
	if got := calls(t, r, "scan"); got == 0 || got > others/scanBatch+10 {
		t.Errorf("it took %d steps", got)
	}
}

// calls is how often Redis was sent a command.
func calls(t *testing.T, r *redisServer, command string) (n int) {
	t.Helper()
	text, _ := r.ask(t, "INFO", "commandstats").(string)
	_, rest, _ := strings.Cut(text, "cmdstat_"+command+":calls=")
	_, _ = fmt.Sscan(strings.SplitN(rest, ",", 2)[0], &n) // 0 where it never was
	return n
}

// stuckScan answers the first step of a scan, and no other.
func stuckScan(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close() // ends the goroutine
		<-ended
	})
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }() // a test's
		buffer := make([]byte, 4096)
		for scans := 0; ; {
			n, err := c.Read(buffer)
			answer := "-ERR unknown command\r\n"
			if bytes.Contains(buffer[:n], []byte("scan")) {
				scans++
				answer = "*2\r\n$1\r\n7\r\n*0\r\n"
			}
			if err != nil || scans < 2 && write(c, answer) != nil {
				return
			}
		}
	}()
	return "redis://" + l.Addr().String()
}

func write(c net.Conn, text string) error {
	_, err := c.Write([]byte(text))
	return err
}

func TestListThatTakesTooLong(t *testing.T) {
	_, err := open(t, stuckScan(t)).List(within(t), "cert/")
	if err == nil || !strings.Contains(err.Error(), "a database of its own") || !strings.Contains(err.Error(), "after 1 steps") {
		t.Errorf("%v", err)
	}
}

func TestCluster(t *testing.T) {
	s := open(t, "redis://localhost")
	for _, answer := range []string{"CROSSSLOT Keys in request don't hash to the same slot", "MOVED 3999 127.0.0.1:6381", "CLUSTERDOWN Hash slot not served"} {
		err := s.fault(t.Context(), "secret", errors.New(answer))
		if !strings.Contains(err.Error(), "without cluster mode") || !strings.Contains(err.Error(), answer) {
			t.Errorf("%v", err)
		}
	}
}
