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
		"settings that lose members":   {[]string{"--maxmemory-policy", "allkeys-lru"}, []string{"noeviction", "appendonly"}},
		"settings that keep them":      {[]string{"--appendonly", "yes"}, nil},
		"a dump now and then is known": {[]string{"--save", "900 1"}, nil},
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
