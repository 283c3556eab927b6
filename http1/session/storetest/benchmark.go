package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// Benchmark measures an empty store by what a member's request costs.
func Benchmark(b *testing.B, s session.Store) {
	value := make([]byte, 300) // a session's
	write := func(b *testing.B, i int, quiet bool) {
		c := session.Change{Key: fmt.Sprint("session/", i%1000), Value: value, Expires: time.Now().Add(time.Hour), Quiet: quiet}
		if err := s.Apply(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("Apply", func(b *testing.B) {
		for i := range b.N {
			write(b, i, false)
		}
	})
	b.Run("Apply/quiet", func(b *testing.B) {
		for i := range b.N {
			write(b, i, true)
		}
	})
	b.Run("Get", func(b *testing.B) {
		write(b, 0, false)
		for b.Loop() {
			if _, err := s.Get(b.Context(), "session/0"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Take", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Take(b.Context(), "quota/a", 1, session.MaxCount, time.Hour); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Changes", func(b *testing.B) {
		since := session.Cursor("")
		for b.Loop() {
			changes, err := s.Changes(b.Context(), since)
			if err != nil {
				b.Fatal(err)
			}
			since = changes.Next
		}
	})
}
