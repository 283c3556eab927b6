package control

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// FuzzConverse feeds a connection anything. Whatever that is, each answer is a whole line with
// either a result or faults, there is at most one for a line, and the conversation ends.
func FuzzConverse(f *testing.F) {
	for _, seed := range []string{
		echo, echo + echo, "", "\n\n", "{", `{"protocol":1,"verb":"panic"}` + "\n", `{"protocol":1,"verb":"fail","wait":true}` + "\n",
		`{"protocol":1e9,"verb":"echo"}` + "\n", `{"protocol":1,"verb":"echo","args":{"a":[}}` + "\n" + echo, "\xff\xfe\n",
		`{"protocol":1,"verb":"\u0000"}` + "\n", `{"Protocol":1,"VERB":"echo","args":null}` + "\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		release := make(chan struct{})
		close(release)
		verbs := testVerbs(release)
		delete(verbs, "stall") // it waits for the end of the server
		s := &Server{Verbs: verbs, Version: "v1"}
		s.setUp()
		ours, theirs := socketPair(t)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.converse(theirs)
			_ = theirs.Close()
		}()
		go func() {
			_, _ = ours.Write(sent) // it breaks off where the server does not want it all
			_ = ours.CloseWrite()
		}()
		_ = ours.SetReadDeadline(time.Now().Add(patience))
		got, err := io.ReadAll(ours)
		if os.IsTimeout(err) {
			t.Fatal("the conversation does not end")
		}
		<-ended
		checkAnswers(t, got, bytes.Count(sent, []byte("\n"))+1)
	})
}

func checkAnswers(t *testing.T, got []byte, limit int) {
	t.Helper()
	lines := bytes.Split(got, []byte("\n"))
	if last := lines[len(lines)-1]; len(last) > 0 {
		t.Errorf("the last answer %q has no end", last)
	}
	lines = lines[:len(lines)-1]
	if len(lines) > limit {
		t.Errorf("%d answers for %d requests at most", len(lines), limit)
	}
	for _, line := range lines {
		var a Answer
		if err := json.Unmarshal(line, &a); err != nil || a.Protocol != Protocol || (len(a.Faults) == 0) == (a.Result == nil) {
			t.Errorf("%q is no answer: %v", line, err)
		}
	}
}

// socketPair is two ends of a unix connection.
func socketPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socketpair")
		c, err := net.FileConn(file)
		_ = file.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}
