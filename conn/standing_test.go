package conn

import (
	"strings"
	"testing"
	"time"
)

const dumped = `goroutine 7 [running]:
main.main()
	/src/main.go:3 +0x1

goroutine 34 [select, 2 minutes]:
internal/poll.runtime_pollWait(0x7f, 0x72)
	/go/src/runtime/netpoll.go:351 +0x85
example.org/app/tide.(*Pool).wait(0xc000010000?, {0x1, 0x2})
	/home/somebody/app/tide/pool.go:12 +0x2b
github.com/holdfast-server/holdfast/http1.HandlerFunc.Serve(...)
	/home/somebody/http1/handler.go:33
github.com/holdfast-server/holdfast/conn.(*Server).serve(0xc0000001, 0xc0000002?, {0x3, 0x2a})
	/home/somebody/conn/server.go:150 +0x90
github.com/holdfast-server/holdfast/conn.(*Server).run(0xc0000001, 0xc0000002)
	/home/somebody/conn/server.go:120 +0x90
created by github.com/holdfast-server/holdfast/conn.(*Server).start in goroutine 5
	/home/somebody/conn/server.go:100 +0x90

goroutine 35 [IO wait]:
github.com/holdfast-server/holdfast/conn.(*Server).serve(0xc0000001, 0xc0000002?, {0x4, 0x2a})
	/home/somebody/conn/server.go:150 +0x90

goroutine 36 [IO wait]:
net.(*conn).Read(0xc0000001)
	/go/src/net/net.go:1 +0x90
github.com/holdfast-server/holdfast/conn.(*Server).serve(0xc0000001, 0xc0`

func TestStacksOf(t *testing.T) {
	stacks := stacksOf(3, dumped)
	want := "select, 2 minutes: tide.(*Pool).wait (pool.go:12) < http1.HandlerFunc.Serve (handler.go:33)"
	if len(stacks) != 1 || stacks[0x2a] != want {
		t.Errorf("got %v, want %q for 42 alone: the others are another server's, and cut off", stacks, want)
	}
	t.Run("a deep stack is cut", func(t *testing.T) {
		deep := "goroutine 1 [running]:\n" + strings.Repeat("a.b()\n\t/c.go:1 +0x1\n", 100) + "x/conn.(*Server).serve(0x1, {0x1, 0x1})\n\t/c.go:1"
		if s := stacksOf(1, deep)[1]; strings.Count(s, "a.b (c.go:1)") != standingFrames || !strings.HasSuffix(s, " < ...") {
			t.Errorf("%s", s)
		}
	})
	t.Run("noise is passed over", func(t *testing.T) {
		for _, dump := range []string{"", "\n\n\n", "conn.(*Server).serve(", "conn.(*Server).serve({0x1, 0xzz})", "goroutine 1\nconn.(*Server).serve(0x1, {0x1, 0x5})"} {
			if s := stacksOf(1, dump); len(s) > 1 {
				t.Errorf("%q: %v", dump, s)
			}
		}
	})
}

// Too many to name are counted, and the idle ones are left out first.
func TestRollIsBounded(t *testing.T) {
	const open = rollLimit + 20
	tr := tracker{conns: map[*Conn]struct{}{}}
	for i := range open {
		c := &Conn{id: uint64(i + 1), sock: new(socket), state: Idle}
		if i%1000 == 0 {
			c.state, c.clock = Active, clockHead
		}
		tr.conns[c] = struct{}{}
	}
	tr.callRoll(time.Now())
	r := tr.rollNow()
	busy := 0
	for _, e := range r.Entries {
		if e.Phase == PhaseHead {
			busy++
		}
	}
	if r.Open != open || len(r.Entries) != rollLimit || busy != 11 {
		t.Errorf("%d open, %d named, %d of them busy; want %d, %d and 11", r.Open, len(r.Entries), busy, open, rollLimit)
	}
}
