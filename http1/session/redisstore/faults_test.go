package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// manager is how long a manager of sessions waits for a store.
const manager = 100 * time.Millisecond

// put writes a record.
func put(ctx context.Context, s *Store, key, value string) error {
	return s.Apply(ctx, session.Change{Key: key, Value: []byte(value)})
}

// get reads one.
func get(ctx context.Context, s *Store, key string) (string, error) {
	r, err := s.Get(ctx, key)
	return string(r.Value), err
}

// keep writes a record, however busy the machine is.
func keep(t *testing.T, s *Store, key, value string) {
	t.Helper()
	await(t, "a record", func() bool { return put(t.Context(), s, key, value) == nil })
}

// await asks until the answer is yes, and tells how long that took.
func await(t *testing.T, what string, ask func() bool) {
	t.Helper()
	began := time.Now()
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for !ask() {
		<-pause.C
		if time.Since(began) > time.Minute {
			t.Fatalf("%s: not within a minute", what)
		}
	}
	t.Logf("%s: after %v", what, time.Since(began).Round(time.Millisecond))
}

// recovers waits until reads and writes succeed.
func recovers(t *testing.T, s *Store) {
	t.Helper()
	keep(t, s, "back", "x")
	await(t, "and answers", func() bool {
		got, err := get(t.Context(), s, "back")
		if err == nil && got != "x" {
			t.Fatalf("%q", got)
		}
		return err == nil
	})
}

// fails tells whether reads and writes fail, and not as a missing record, for one who waits as long as
// a manager does.
func fails(t *testing.T, s *Store) {
	t.Helper()
	failsWithin(t, s, manager, "")
}

// refuses tells whether Redis has reads and writes fail for this reason.
func refuses(t *testing.T, s *Store, text string) {
	t.Helper()
	failsWithin(t, s, time.Minute, text)
}

func failsWithin(t *testing.T, s *Store, limit time.Duration, text string) {
	t.Helper()
	read, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err := get(read, s, "a")
	write, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, err := range []error{err, put(write, s, "a", "y")} {
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, session.ErrConflict) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v; want %q", err, text)
		}
	}
}

func TestHanging(t *testing.T) {
	r := startRedis(t)
	s := open(t, r.url())
	keep(t, s, "a", "x")
	t.Run("CLIENT PAUSE", func(t *testing.T) {
		r.ask(t, "CLIENT", "PAUSE", 3000, "ALL") // UNPAUSE would wait too
		failsWithin(t, s, manager, "deadline")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := s.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v; want it cancelled", err)
		}
		recovers(t, s)
	})
	t.Run("SIGSTOP under many callers", func(t *testing.T) {
		if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		await(t, "Redis is stopped", func() bool { return isStopped(r.cmd.Process.Pid) })
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() { fails(t, s) })
		}
		all.Wait()
		if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		recovers(t, s)
	})
	t.Run("killed and back without its data", func(t *testing.T) {
		before, err := s.Changes(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		old, err := s.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		r.kill(t)
		fails(t, s)
		if !r.start(t) {
			t.Fatalf("redis-server does not start again:\n%s", r.output)
		}
		recovers(t, s)
		isLost(t, s, before.Next)
		isNew(t, s, old)
	})
}

// isStopped tells whether all threads of a process are: the signal reaches one after the other.
func isStopped(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		_, state, _ := strings.Cut(string(stat), ") ")
		if err != nil || !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return err == nil && len(threads) > 0
}

// isLost tells whether the changes since the cursor are.
func isLost(t *testing.T, s *Store, since session.Cursor) {
	t.Helper()
	if changes, err := s.Changes(t.Context(), since); err != nil || !changes.Lost || changes.Next == "" {
		t.Errorf("%+v, %v; want them lost", changes, err)
	}
}

// isNew makes a record again, which must get another version than it had.
func isNew(t *testing.T, s *Store, old session.Record) {
	t.Helper()
	keep(t, s, old.Key, "x")
	if r, err := s.Get(t.Context(), old.Key); err != nil || r.Version <= old.Version {
		t.Errorf("version %d, %v; want one above %d", r.Version, err, old.Version)
	}
	if err := s.Apply(t.Context(), session.Change{Key: old.Key, If: session.Unchanged(old)}); !errors.Is(err, session.ErrConflict) {
		t.Errorf("%v; want a conflict", err)
	}
}

func TestForgetting(t *testing.T) {
	r := startRedis(t)
	s := open(t, r.url())
	begin := func(t *testing.T) (session.Record, session.Cursor) {
		t.Helper()
		keep(t, s, "a", "x")
		old, err := s.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		changes, err := s.Changes(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return old, changes.Next
	}
	t.Run("FLUSHALL", func(t *testing.T) {
		old, since := begin(t)
		r.ask(t, "FLUSHALL")
		isLost(t, s, since)
		isNew(t, s, old)
		isLost(t, s, since)
	})
	t.Run("FLUSHALL before the first change", func(t *testing.T) {
		r.ask(t, "FLUSHALL")
		changes, err := s.Changes(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		r.ask(t, "FLUSHALL")
		isLost(t, s, changes.Next)
	})
	t.Run("back without its last changes", func(t *testing.T) {
		begin(t)
		r.ask(t, "SAVE")
		old, since := begin(t)
		r.kill(t)
		if !r.start(t) {
			t.Fatalf("redis-server does not start again:\n%s", r.output)
		}
		recovers(t, s) // by a change, so that there is one after the cursor's
		isLost(t, s, since)
		isNew(t, s, old)
	})
	t.Run("back with all of them", func(t *testing.T) {
		_, since := begin(t)
		r.ask(t, "SAVE")
		r.kill(t)
		if !r.start(t) {
			t.Fatalf("redis-server does not start again:\n%s", r.output)
		}
		recovers(t, s)
		if changes, err := s.Changes(t.Context(), since); err != nil || changes.Lost || fmt.Sprint(changes.Keys) != "[back]" {
			t.Errorf("%+v, %v; want the one change since", changes, err)
		}
	})
}

// fill writes a thousand records.
func fill(t *testing.T, s *Store) {
	t.Helper()
	changes := make([]session.Change, session.MaxChanges)
	for i := range changes {
		changes[i] = session.Change{Key: "fill/" + rand.Text(), Value: make([]byte, 200)}
	}
	if err := s.Apply(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
}

func TestLoading(t *testing.T) {
	r := startRedis(t)
	s := open(t, r.url())
	keep(t, s, "a", "x")
	for range 3 {
		fill(t, s)
	}
	r.ask(t, "SAVE")
	r.kill(t)
	r.args = append(r.args, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
	if !r.start(t) {
		t.Fatalf("redis-server does not start again:\n%s", r.output)
	}
	await(t, "Redis says that it is loading", func() bool {
		_, err := get(t.Context(), s, "a")
		if err == nil {
			t.Fatal("it has loaded before anybody saw it")
		}
		return strings.Contains(err.Error(), "still loading")
	})
	recovers(t, s)
	if got, err := get(t.Context(), s, "a"); got != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMemoryLimit(t *testing.T) {
	r := startRedis(t)
	s := open(t, r.url())
	keep(t, s, "a", "x")
	if _, err := s.Take(t.Context(), "quota/a", 1, 9, time.Hour); err != nil {
		t.Fatal(err)
	}
	r.ask(t, "CONFIG", "SET", "maxmemory", "1")
	if err := put(t.Context(), s, "b", "x"); err == nil || !strings.Contains(err.Error(), "raise maxmemory") {
		t.Errorf("%v", err)
	}
	if _, err := s.Take(t.Context(), "quota/a", 1, 9, time.Hour); err == nil || !strings.Contains(err.Error(), "raise maxmemory") {
		t.Errorf("%v", err)
	}
	if got, err := get(t.Context(), s, "a"); got != "x" {
		t.Errorf("get: %q, %v", got, err)
	}
	if records, err := s.List(t.Context(), "", "", 9); err != nil || len(records) != 1 {
		t.Errorf("list: %v, %v", records, err)
	}
	if c, err := s.Take(t.Context(), "quota/a", 0, 9, time.Hour); err != nil || c.Used != 1 {
		t.Errorf("look: %+v, %v", c, err)
	}
	if _, err := s.Changes(t.Context(), ""); err != nil {
		t.Errorf("changes: %v", err)
	}
	if err := s.Apply(t.Context(), session.Change{Key: "a"}); err != nil {
		t.Errorf("a removal, which makes room: %v", err)
	}
	r.ask(t, "CONFIG", "SET", "maxmemory", "0")
	recovers(t, s)
}

func TestRefused(t *testing.T) {
	t.Run("a replica", func(t *testing.T) {
		r := startRedis(t)
		s := open(t, r.url())
		keep(t, s, "a", "x")
		r.ask(t, "REPLICAOF", "127.0.0.1", "1")
		if err := put(t.Context(), s, "a", "y"); err == nil || !strings.Contains(err.Error(), "name the primary") {
			t.Errorf("%v", err)
		}
		r.ask(t, "REPLICAOF", "NO", "ONE")
		recovers(t, s)
	})
	t.Run("a cluster's node", func(t *testing.T) {
		r := startRedis(t, "--cluster-enabled", "yes")
		refuses(t, open(t, r.url()), "without cluster mode")
	})
	t.Run("another's keys", func(t *testing.T) {
		r := startRedis(t)
		s := open(t, r.url())
		r.ask(t, "SET", s.keys.record("a"), "x")
		refuses(t, s, "a prefix of its own")
	})
	t.Run("the password", func(t *testing.T) {
		r := startRedis(t, "--requirepass", "right-horse")
		for url, want := range map[string]string{
			"redis://:wrong-staple@" + r.addr: "password was refused", "redis://ada:wrong-staple@" + r.addr: "password was refused",
			"redis://" + r.addr: "password is needed",
		} {
			s := open(t, url)
			refuses(t, s, want)
			if err := put(t.Context(), s, "a", "x"); err == nil || strings.Contains(err.Error()+s.String(), "staple") || strings.Contains(err.Error()+s.String(), "ada") {
				t.Errorf("%v of %s has what is secret", err, s)
			}
		}
		recovers(t, open(t, "redis://:right-horse@"+r.addr+"/3"))
	})
}

// startSilent is a server that takes connections and says nothing, or ends them at once.
func startSilent(t *testing.T, ends bool) (address string, made *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	made = new(atomic.Int64)
	var work sync.WaitGroup
	work.Go(func() {
		var conns []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			made.Add(1)
			if conns = append(conns, c); ends {
				_ = c.Close() // that is what it does
			}
		}
		for _, c := range conns {
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // Accept ends
		work.Wait()
	})
	return l.Addr().String(), made
}

func TestNoStorm(t *testing.T) {
	storm := func(t *testing.T, s *Store, made *atomic.Int64) {
		began := time.Now()
		var calls atomic.Int64
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for time.Since(began) < time.Second {
					if _, err := get(t.Context(), s, "a"); err == nil || errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%v; want that it cannot be known", err)
					}
					calls.Add(1)
				}
			})
		}
		all.Wait()
		most := connectionsLimit + int64(time.Since(began)/dialPause) + 1
		if n := made.Load(); n > most {
			t.Errorf("%d connections, want at most %d", n, most)
		}
		t.Logf("%d calls, %d connections in %v", calls.Load(), made.Load(), time.Since(began).Round(time.Millisecond))
	}
	for name, ends := range map[string]bool{"one that says nothing": false, "one that ends connections": true} {
		t.Run(name, func(t *testing.T) {
			address, made := startSilent(t, ends)
			storm(t, open(t, "redis://"+address), made)
		})
	}
	t.Run("nobody there, and then Redis", func(t *testing.T) {
		r := startRedis(t)
		s := open(t, r.url())
		r.kill(t)
		storm(t, s, new(atomic.Int64))
		if !r.start(t) {
			t.Fatalf("redis-server does not start again:\n%s", r.output)
		}
		recovers(t, s)
	})
}

// What stands in for Redis may repeat what it was sent.
func TestReplyRepeatsPassword(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer func() { _ = c.Close() }() // it has answered
				b := make([]byte, 4096)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					sent := strings.ReplaceAll(string(b[:n]), "\r\n", " ")
					if _, err := fmt.Fprintf(c, "-ERR unknown command, with args beginning with: %s\r\n", sent); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // Accept ends
		work.Wait()
	})
	s := open(t, "redis://ada:hunter2@"+l.Addr().String())
	_, err = get(t.Context(), s, "a")
	_, changes := s.Changes(t.Context(), "")
	for _, err := range []error{err, changes} {
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ada") || !strings.Contains(err.Error(), "ERR") {
			t.Errorf("%v", err)
		}
	}
	if err := s.fault("get", errors.New("a proxy for ada:hunter2")); strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ada") {
		t.Errorf("%v", err)
	}
}
