package redisstore

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/holdfast-server/holdfast/http1/session"
	"github.com/holdfast-server/holdfast/http1/session/storetest"
)

func TestStore(t *testing.T) {
	r := startRedis(t)
	var stores atomic.Int64
	storetest.Run(t, func(t *testing.T) func() session.Store {
		address := fmt.Sprintf("%s?prefix=test%d", r.url(), stores.Add(1))
		return func() session.Store { return open(t, address) }
	})
}

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, open(b, startRedis(b).url())) }
