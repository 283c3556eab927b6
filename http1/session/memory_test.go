package session_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
	"github.com/holdfast-server/holdfast/http1/session/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) func() session.Store {
		s := session.NewMemory()
		return func() session.Store { return session.Another(s) }
	})
}

func TestMemoryForgets(t *testing.T) {
	t.Run("expired records that nobody asks for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := session.NewMemory()
			put := func(key string, life time.Duration) {
				c := session.Change{Key: key, Value: []byte("x"), Expires: time.Now().Add(life)}
				if err := s.Apply(context.Background(), c); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 1000 {
				put(fmt.Sprint("old/", i), time.Minute)
			}
			time.Sleep(time.Minute) // the bubble's clock
			for i := range 1000 {
				put(fmt.Sprint("new/", i), time.Minute)
			}
			if n := session.MemoryRecords(s); n != 1000 {
				t.Errorf("%d records are kept, want the 1000 new ones", n)
			}
		})
	})
	t.Run("counters whose window is over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := session.NewMemory()
			for i := range 5000 {
				if _, err := s.Take(context.Background(), fmt.Sprint(i), 1, 1, time.Millisecond); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			if n := session.MemoryCounters(s); n > 100 {
				t.Errorf("%d counters are kept of one that counts", n)
			}
		})
	})
}

func BenchmarkMemory(b *testing.B) { storetest.Benchmark(b, session.NewMemory()) }
