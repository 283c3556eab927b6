package conn

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// peek is how many bytes, at most one, wait to be read.
func peek(fd uintptr) int {
	n, _, _ := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
	return n
}

// step is a wait and what it brought.
type step struct {
	waited time.Duration
	bytes  int64
}

func repeat(n int, s step) (steps []step) {
	for range n {
		steps = append(steps, s)
	}
	return steps
}

func TestPaceOfReading(t *testing.T) {
	for _, row := range []struct {
		name  string
		steps []step
		slow  int // the step that is too slow, from 1; 0 for none
	}{
		{"at the rate", repeat(1000, step{time.Second, 240}), 0},
		{"just below it", repeat(1000, step{time.Second, 239}), 6},
		{"no wait, however little comes", repeat(1000, step{0, 1}), 0},
		{"a hiccup, read out by the kilobyte", append([]step{{20 * time.Second, 1000}}, repeat(100, step{time.Millisecond, 1000})...), 0},
		{"a hiccup, and too little behind it", []step{{20 * time.Second, 1000}, {time.Millisecond, 1000}, {time.Second, 1000}}, 3},
		{"a byte every 10 ms", repeat(1000, step{10 * time.Millisecond, 1}), 550},
		{"a burst is forgotten with its grace", append([]step{{0, 1 << 20}}, repeat(100, step{time.Second, 1})...), 12},
	} {
		t.Run(row.name, func(t *testing.T) {
			var p pace
			got := 0
			for i, s := range row.steps {
				if p.read(s.waited, s.bytes, 240, 5*time.Second) && got == 0 {
					got = i + 1
				}
			}
			if got != row.slow {
				t.Errorf("too slow at step %d, want %d", got, row.slow)
			}
		})
	}
}

func TestPaceOfWriting(t *testing.T) {
	for _, row := range []struct {
		name  string
		steps []step
		slow  int
	}{
		{"at the rate", repeat(100, step{5 * time.Second, 1200}), 0},
		{"just below it", repeat(100, step{5 * time.Second, 1199}), 1},
		{"nothing at all is the stall clock's to judge", repeat(100, step{5 * time.Second, 0}), 0},
		{"a crumb after nothing is judged with it", append(repeat(3, step{5 * time.Second, 0}), step{5 * time.Second, 1200}), 4},
		{"a grace is collected from short waits", repeat(100, step{time.Second, 100}), 5},
	} {
		t.Run(row.name, func(t *testing.T) {
			var p pace
			got := 0
			for i, s := range row.steps {
				if p.wrote(s.waited, s.bytes, 240, 5*time.Second) && got == 0 {
					got = i + 1
				}
			}
			if got != row.slow {
				t.Errorf("too slow at step %d, want %d", got, row.slow)
			}
		})
	}
}

func TestSourceOf(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1:1":              "192.0.2.1",
		"[::ffff:192.0.2.1]:1":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::",
		"[fe80::1%eth0]:1":         "fe80::",
	} {
		if got := sourceOf(netip.MustParseAddrPort(from)).String(); got != want {
			t.Errorf("%s counts by %s, want %s", from, got, want)
		}
	}
	if sourceOf(addrPort(&net.UnixAddr{Name: "@"})).IsValid() {
		t.Error("a unix socket has a source")
	}
}

func TestLimitsDefaults(t *testing.T) {
	if got := (Limits{}).withDefaults(); got != DefaultLimits() {
		t.Errorf("the zero Limits mean %+v", got)
	}
	mine := Limits{
		Connections: 1, ConnectionsPerIP: 2, Handshakes: 8, HandshakeTimeout: 3, HeadTimeout: 4, IdleTimeout: 5, StallTimeout: 6,
		MinBytesPerSecond: -1, RateGrace: 7,
	}
	if got := mine.withDefaults(); got != mine {
		t.Errorf("%+v became %+v", mine, got)
	}
}
