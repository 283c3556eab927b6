package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-server/holdfast/certs/store"
)

func values(t *testing.T, p Peer) {
	a, b := p.Open(t), p.Open(t)
	put(t, a, "cert/example.org", "first", nil)
	holds(t, b, "cert/example.org", "first")
	put(t, b, "cert/example.org", "second", nil)
	put(t, b, "cert/a.example.org", "other", nil)
	put(t, b, "ledger/example.org", "{}", nil)
	holds(t, a, "cert/example.org", "second")
	for prefix, want := range map[string][]string{
		"cert/":          {"cert/a.example.org", "cert/example.org"},
		"cert/example":   {"cert/example.org"},
		"":               {"cert/a.example.org", "cert/example.org", "ledger/example.org"},
		"challenge/none": nil,
	} {
		if got, err := a.List(within(t), prefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) is %q, %v, want %q", prefix, got, err, want)
		}
	}
	if err := a.Delete(within(t), "cert/example.org", nil); err != nil {
		t.Error(err)
	}
	_, err := b.Get(within(t), "cert/example.org")
	is(t, "Get after Delete", err, fs.ErrNotExist)
	if got, err := b.List(within(t), "cert/"); err != nil || !slices.Equal(got, []string{"cert/a.example.org"}) {
		t.Errorf("List after Delete is %q, %v", got, err)
	}
}

func absence(t *testing.T, p Peer) {
	s := p.Open(t)
	for _, name := range []string{"nothing", "cert/nothing.example"} {
		_, err := s.Get(within(t), name)
		is(t, "Get", err, fs.ErrNotExist)
		if err := s.Delete(within(t), name, nil); err != nil {
			t.Errorf("Delete of nothing: %v", err)
		}
	}
	if got, err := s.List(within(t), ""); err != nil || len(got) > 0 {
		t.Errorf("an empty store lists %q, %v", got, err)
	}
	if s.String() == "" {
		t.Error("the store has no name")
	}
}

func sizes(t *testing.T, p Peer) {
	s := p.Open(t)
	for _, n := range []int{0, 1, 4096, 10_000, store.MaxValueBytes} {
		value := bytes.Repeat([]byte{0, '\n', 0xff, 'x'}, n/4+1)[:n]
		put(t, s, "size/value", string(value), nil)
		holds(t, s, "size/value", string(value))
	}
	put(t, s, "size/value", "small", nil)
	if err := s.Put(within(t), "size/value", make([]byte, store.MaxValueBytes+1), nil); err == nil {
		t.Error("a value over the limit was taken")
	}
	holds(t, s, "size/value", "small")
}

func ownership(t *testing.T, p Peer) {
	s := p.Open(t)
	mine := []byte("value")
	if err := s.Put(within(t), "cert/example.org", mine, nil); err != nil {
		t.Fatal(err)
	}
	copy(mine, "VALUE")
	got, err := s.Get(within(t), "cert/example.org")
	if err != nil {
		t.Fatal(err)
	}
	copy(got, "12345")
	holds(t, s, "cert/example.org", "value")
}

func names(t *testing.T, p Peer) {
	s := p.Open(t)
	good := []string{
		"a", "a/b", "a/b/c", "a.b", "a-b_c", "a/b.c", "0", "s", "ss/s", "l/l",
		"challenge/http-01/" + strings.Repeat("h", 253) + "/" + strings.Repeat("0f", 32),
	}
	for _, name := range good {
		put(t, s, name, "the value of "+name, nil)
	}
	for _, name := range good {
		holds(t, s, name, "the value of "+name)
	}
	slices.Sort(good)
	if got, err := s.List(within(t), ""); err != nil || !slices.Equal(got, good) {
		t.Errorf("List is %q, %v, want %q", got, err, good)
	}
	for _, name := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "a/../b", ".a", "a/.b", "A", "a b", "a*", "a:b", "a+b", "ä", "a\x00", "a\n",
		strings.Repeat("h", 254), strings.Repeat("a/", 300) + "a",
	} {
		_, getErr := s.Get(within(t), name)
		_, acquireErr := s.Acquire(within(t), name, "a test", hour)
		for what, err := range map[string]error{
			"Get": getErr, "Acquire": acquireErr, "Put": s.Put(within(t), name, nil, nil), "Delete": s.Delete(within(t), name, nil),
		} {
			if err == nil {
				t.Errorf("%s takes the name %.40q", what, name)
			}
		}
	}
}

func writers(t *testing.T, p Peer) {
	const each = 5
	views := []store.Store{p.Open(t), p.Open(t), p.Open(t)}
	ctx := within(t)
	var wg sync.WaitGroup
	for v, s := range views {
		for i := range each {
			wg.Go(func() {
				value := strings.Repeat(fmt.Sprintf("%d.%d ", v, i), 2000)
				if err := s.Put(ctx, "race/same", []byte(value), nil); err != nil {
					t.Errorf("Put: %v", err)
				}
				own := fmt.Sprintf("race/own.%d.%d", v, i)
				if err := s.Put(ctx, own, []byte(own), nil); err != nil {
					t.Errorf("Put: %v", err)
				}
				if got, err := s.Get(ctx, "race/same"); err != nil || !whole(got) {
					t.Errorf("in the middle of it: %.20q of %d bytes, %v", got, len(got), err)
				}
			})
		}
	}
	wg.Wait()
	got, err := views[0].List(ctx, "race/")
	if err != nil || len(got) != len(views)*each+1 {
		t.Errorf("List is %q, %v", got, err)
	}
	for _, name := range got {
		if name != "race/same" {
			holds(t, views[1], name, name)
		}
	}
}

// whole tells of a value that it is one writer's and not a mixture.
func whole(value []byte) bool {
	first, _, _ := bytes.Cut(value, []byte(" "))
	return len(value) == 8000 && bytes.Equal(value, bytes.Repeat(append(first, ' '), 2000))
}

func contexts(t *testing.T, p Peer) {
	s := p.Open(t)
	put(t, s, "cert/example.org", "value", nil)
	lease := acquire(t, s, "order/example.org", hour)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := s.Get(ended, "cert/example.org")
	_, listErr := s.List(ended, "")
	_, acquireErr := s.Acquire(ended, "order/other", "a test", hour)
	for what, err := range map[string]error{
		"Get": getErr, "List": listErr, "Acquire": acquireErr, "Renew": lease.Renew(ended),
		"Put": s.Put(ended, "cert/example.org", []byte("new"), nil), "Delete": s.Delete(ended, "cert/example.org", nil),
	} {
		is(t, what, err, context.Canceled)
	}
	holds(t, s, "cert/example.org", "value")
}
