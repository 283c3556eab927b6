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
