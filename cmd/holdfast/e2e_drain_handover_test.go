package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// handOverFront is one address, whose listening socket goes from a process to its successor.
type handOverFront struct {
	*proof
	log  string // what all of them write, one after another
	pid  int    // of the one that serves
	door *traffic.Endpoint
}

func newHandOverFront(p *proof) *handOverFront {
	dir := p.t.TempDir()
	f := &handOverFront{proof: p, log: filepath.Join(dir, "log")}
	b := &berth{proof: p}
	cmd := b.command(filepath.Join(dir, "state"))
	// A file and no pipe: it stays open from one process to the next.
	log, err := os.Create(f.log)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = nil, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { defer close(gone); _ = cmd.Wait() }()
	f.pid = cmd.Process.Pid
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill() // the first one, which ended long ago where all went well
		_ = syscall.Kill(f.pid, syscall.SIGKILL)
		<-gone
		if text, _ := os.ReadFile(f.log); p.t.Failed() {
			p.t.Logf("the servers' log:\n%s", text)
		}
	})
	r := replica{}
	if err := r.meet(f.await("listening", 1).replicaRecord); err != nil {
		p.t.Fatal(err)
	}
	f.door = r.Endpoint
	p.balancer.Add(f.door)
	return f
}

// replace makes the running process start another and hand its socket over.
func (f *handOverFront) replace(turn int) proofEnd {
	f.door.Leave(time.Now()) // so that a loss says when it was
	old := f.pid
	if err := syscall.Kill(old, syscall.SIGUSR2); err != nil {
		f.t.Fatal(err)
	}
	f.await("listening", turn+2)
	f.pid = f.await("handed over", turn+1).Successor // the old one ends by itself from here on
	f.await("stopped", turn+1)
	return lastWords(f.t, strings.Split(string(f.written()), "\n"))
}

func (f *handOverFront) written() []byte {
	f.t.Helper()
	text, err := os.ReadFile(f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}

// A handOverRecord is one that names who was handed over to, if it is of that kind.
type handOverRecord struct {
	replicaRecord
	Successor int `json:"successor"`
}

// await waits for the nth record of its kind in the log.
func (f *handOverFront) await(msg string, nth int) (found handOverRecord) {
	f.t.Helper()
	eventually(f.t, fmt.Sprintf("record %d of %q", nth, msg), func() bool {
		n := 0
		for line := range bytes.Lines(f.written()) {
			var r handOverRecord
			if json.Unmarshal(line, &r) == nil && r.Msg == msg {
				found = r
				n++
			}
		}
		return n == nth
	})
	return found
}
