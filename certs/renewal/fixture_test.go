package renewal

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// world is a CA, a shared store and the replicas that use them, in one bubble.
type world struct {
	t      *testing.T
	ca     *ca
	memory *memory
	log    *lines
	// shorterAllowed is set by a test in which somebody asks for a shorter certificate,
	// expiredAllowed by one in which none can be had in time.
	shorterAllowed, expiredAllowed bool
}

func newWorld(t *testing.T, life time.Duration) *world {
	return &world{t: t, ca: newCA(t, life), memory: newMemory(), log: new(lines)}
}

// replica is one process.
type replica struct {
	*Source
	world  *world
	store  *replicaStore
	offset atomic.Int64 // of its wall clock
	stop   func()
	served map[string]*certs.Certificate
	swaps  int
}

// start starts a replica for hosts; change may alter its configuration first.
func (w *world) start(name string, change func(*Config), hosts ...string) *replica {
	w.t.Helper()
	r := &replica{world: w, store: &replicaStore{memory: w.memory}, served: make(map[string]*certs.Certificate)}
	config := Config{
		Hosts: hosts, Name: "test CA", Store: r.store, Issuer: issuer{w.ca, name}, Holder: name,
		Now: r.now, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	if change != nil {
		change(&config)
	}
	source, err := New(config)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Source = source
	source.OnChange(r.watch)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(r.stop)
	return r
}

func (r *replica) now() time.Time { return time.Now().Round(0).Add(time.Duration(r.offset.Load())) }

// watch holds, at every change: what was served until now was valid until now, and what
// comes is no worse. Real time judges, not the replica's clock.
func (r *replica) watch() {
	for _, c := range r.Certificates() {
		old := r.served[c.Names[0]]
		r.served[c.Names[0]] = c
		if old == nil || old == c {
			continue
		}
		r.swaps++
		if c.NotAfter.Before(old.NotAfter) && !r.world.shorterAllowed {
			r.world.t.Errorf("at %v a certificate until %v was replaced by one until %v", time.Now(), old.NotAfter, c.NotAfter)
		}
		if !time.Now().Before(old.NotAfter) && !r.world.expiredAllowed {
			r.world.t.Errorf("at %v a certificate was replaced that had expired at %v", time.Now(), old.NotAfter)
		}
	}
}

// serial returns the serial of what is served for the host, "" for none.
func (r *replica) serial() string {
	for _, c := range r.Certificates() {
		if c.Names[0] == host {
			return c.Serial
		}
	}
	return ""
}

func (r *replica) status() Status { return r.Status()[0] }

// pass lets time go by in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// lines is a log that tests read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// count returns how many lines hold words.
func (l *lines) count(words string) int {
	n := 0
	for line := range strings.Lines(l.all()) {
		if strings.Contains(line, words) {
			n++
		}
	}
	return n
}
