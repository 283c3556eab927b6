package redisstore

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// write makes n records, which end after life if it is not 0.
func write(t *testing.T, s *Store, prefix string, n int, life time.Duration) {
	t.Helper()
	changes := make([]session.Change, n)
	for i := range changes {
		changes[i] = session.Change{Key: fmt.Sprintf("%s/%04d", prefix, i), Value: []byte("x"), Quiet: true}
		if life != 0 {
			changes[i].Expires = time.Now().Add(life)
		}
	}
	if err := s.Apply(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
}

func TestIndex(t *testing.T) {
	r := startRedis(t)
	s := open(t, r.url())
	indexed := func() int64 { return r.ask(t, "ZCARD", s.keys.index()).(int64) }
	gone := func(t *testing.T, prefix string, n int) {
		t.Helper()
		await(t, "the records end", func() bool {
			return r.ask(t, "EXISTS", s.keys.record(fmt.Sprintf("%s/%04d", prefix, n-1))).(int64) == 0
		})
	}
	t.Run("a List steps over what has expired and removes it", func(t *testing.T) {
		write(t, s, "a", 1, 0)
		write(t, s, "b", 500, 20*time.Millisecond)
		write(t, s, "c", 3, 0)
		gone(t, "b", 500)
		records, err := s.List(t.Context(), "", "", 3)
		if err != nil || len(records) != 3 || records[0].Key != "a/0000" || records[1].Key != "c/0000" || records[2].Key != "c/0001" {
			t.Errorf("%v, %v", records, err)
		}
		if n := indexed(); n != 4 {
			t.Errorf("%d are in the index, want 4", n)
		}
	})
	t.Run("who writes removes some", func(t *testing.T) {
		write(t, s, "b", 100, 20*time.Millisecond)
		gone(t, "b", 100)
		for range 100/4 + 3 {
			write(t, s, "a", 1, 0)
		}
		if n := indexed(); n != 4 {
			t.Errorf("%d are in the index, want 4", n)
		}
	})
	t.Run("the feed keeps the last changes", func(t *testing.T) {
		for range 11 {
			fill(t, s)
		}
		if n := r.ask(t, "ZCARD", s.keys.feed()).(int64); n != feedLimit {
			t.Errorf("%d are kept, want %d", n, feedLimit)
		}
	})
	t.Run("all keys are in one slot of a cluster", func(t *testing.T) {
		for _, key := range r.ask(t, "KEYS", "*").([]any) {
			if !strings.HasPrefix(key.(string), "{"+defaultPrefix+"}") {
				t.Errorf("%s", key)
			}
		}
	})
}

// lines is a log that tests read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func TestWarnings(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"settings that lose members": {[]string{"--maxmemory-policy", "allkeys-lru"}, []string{"noeviction", "appendonly"}},
		"settings that keep them":    {[]string{"--appendonly", "yes"}, nil},
		"a dump now and then loses":  {[]string{"--save", "900 1"}, []string{"appendonly"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRedis(t, c.args...)
			log := new(lines)
			s, err := Open(r.url(), Options{Log: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if s.examined != nil {
				<-s.examined
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			text := log.text.String()
			if strings.Count(text, "\n") != len(c.want) {
				t.Errorf("%q; want %d lines", text, len(c.want))
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q; want %q", text, want)
				}
			}
		})
	}
}

// A Redis that was down at the start is looked at when it answers first.
func TestWarningsLater(t *testing.T) {
	r := startRedis(t)
	r.kill(t)
	log := new(lines)
	s, err := Open(r.url(), Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the look failed", s.examines.Load)
	if !r.start(t) {
		t.Fatalf("redis-server does not start again:\n%s", r.output)
	}
	recovers(t, s)
	<-s.examined
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if text := log.text.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "appendonly") {
		t.Errorf("%q", text)
	}
}

// One script looks at so many keys, and the list is whole all the same.
func TestListLooks(t *testing.T) {
	r := startRedis(t)
	s := open(t, r.url())
	const gone = 2*listLooks + 500
	args := []any{"ZADD", s.keys.index()}
	for i := range gone {
		args = append(args, 0, fmt.Sprintf("a/%08d", i))
	}
	r.ask(t, args...)
	for _, key := range []string{"a/00000000", "a/00003000x", "a/9"} {
		if err := put(t.Context(), s, key, "x"); err != nil {
			t.Fatal(err)
		}
	}
	flat, err := listScript.Run(t.Context(), s.client, []string{s.keys.index()}, s.keys.record(""), "[a/", "(a/\xff", 10, listLooks).Slice()
	if err != nil || len(flat) != 5 || flat[0] == "" {
		t.Fatalf("%v, %v; want to go on after %d keys", flat, err, listLooks)
	}
	for limit, want := range map[int]int{1: 1, 2: 2, 3: 3, 10: 3} {
		if all, err := s.List(t.Context(), "a/", "", limit); err != nil || len(all) != want {
			t.Errorf("%d of %d, %v", len(all), limit, err)
		}
	}
}
