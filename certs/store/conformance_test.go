package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/certs/store/storetest"
)

const shortTTL = 30 * time.Millisecond

func openDir(t *testing.T, path string) *store.Dir {
	t.Helper()
	d, err := store.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Peer {
		m := new(store.Memory)
		return storetest.Peer{Open: func(*testing.T) store.Store { return m }, TTL: shortTTL}
	})
}

func TestDir(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Peer {
		path := filepath.Join(t.TempDir(), "store")
		return storetest.Peer{Open: func(t *testing.T) store.Store { return openDir(t, path) }, TTL: shortTTL}
	})
}

// Layered is a Store like any other, when its layers work.
func TestLayered(t *testing.T) {
	layered := func(t *testing.T, from store.Layers) store.Store {
		from.Fresh = time.Nanosecond // what another view wrote is seen at once
		from.Wait = time.Minute      // no machine is so slow
		l := store.NewLayered(from)
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
		return l
	}
	t.Run("on a directory", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Peer {
			path := filepath.Join(t.TempDir(), "store")
			return storetest.Peer{Open: func(t *testing.T) store.Store { return layered(t, store.Layers{Local: openDir(t, path)}) }, TTL: shortTTL}
		})
	})
	t.Run("on nothing but memory", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Peer {
			l := layered(t, store.Layers{})
			return storetest.Peer{Open: func(*testing.T) store.Store { return l }, TTL: shortTTL}
		})
	})
	// Every name passes: a copy elsewhere would put back what is deleted.
	t.Run("on a remote store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Peer {
			remote := new(store.Memory)
			return storetest.Peer{Open: func(t *testing.T) store.Store {
				return layered(t, store.Layers{Local: openDir(t, t.TempDir()), Remote: remote, Passing: []string{""}})
			}, TTL: shortTTL}
		})
	})
}
