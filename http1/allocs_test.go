//go:build !race

package http1

import (
	"io"
	"strings"
	"testing"
)

// withDefaults is what a middleware makes of the constant handler: that costs nothing either.
var withDefaults = HandlerFunc(func(w *Response, r *Request) {
	w.SetDefault("X-Content-Type-Options", "nosniff")
	w.SetDefault("Referrer-Policy", "no-referrer")
	constant.Serve(w, r)
})

// In steady state a constant response allocates nothing, whatever the head that asks. The
// race detector makes sync.Pool forget at random, so there the figure means nothing.
func TestConstantResponseAllocatesNothing(t *testing.T) {
	for _, bench := range benchmarks {
		t.Run(bench.name, func(t *testing.T) {
			s := open(t, "plain", withDefaults, func(s *site) { s.server.Observe = nil })
			c := s.dial()
			c.send(bench.request)
			size, err := responseSize(c.nc)
			if err != nil {
				t.Fatal(err)
			}
			batch, answers := []byte(strings.Repeat(bench.request, bench.pipelined)), make([]byte, size*bench.pipelined)
			once := func() {
				if _, err := c.nc.Write(batch); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c.nc, answers); err != nil {
					t.Fatal(err)
				}
			}
			if got := testing.AllocsPerRun(2000, once); got > 0 {
				t.Errorf("%v allocations for %d requests, want 0", got, bench.pipelined)
			}
		})
	}
}
