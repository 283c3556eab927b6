package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// A load is clients that ask one URL after another until it is stopped.
type load struct {
	t       testing.TB
	cancel  context.CancelFunc
	clients sync.WaitGroup
	answers atomic.Int64

	mu     sync.Mutex
	faults []string
}

// loadClients is how many ask at a time: enough to have requests in every state.
const loadClients = 4

// loadOn lets clients ask for url. Every other one makes a new connection, and so a new
// handshake, for each request. check says what is wrong with an answer, "" for nothing.
func loadOn(t testing.TB, url string, newClient func() *http.Client, check func(*http.Response, []byte) string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, cancel: cancel}
	t.Cleanup(l.clients.Wait)
	t.Cleanup(cancel)
	for i := range loadClients {
		c := newClient()
		c.Transport.(*http.Transport).DisableKeepAlives = i%2 == 0
		l.clients.Go(func() {
			for ctx.Err() == nil {
				response, body, err := fetch(c, url)
				if err != nil {
					l.fault(fmt.Sprintf("request %d: %v", l.answers.Load(), err))
				} else if wrong := check(response, body); wrong != "" {
					l.fault(wrong)
				}
				l.answers.Add(1)
			}
		})
	}
	return l
}

func (l *load) fault(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) < 10 {
		l.faults = append(l.faults, text)
	}
}

// progress waits until so many more answers came.
func (l *load) progress(answers int64) {
	l.t.Helper()
	want := l.answers.Load() + answers
	eventually(l.t, "answers under load", func() bool { return l.answers.Load() >= want })
}

// stop ends the load and reports what went wrong.
func (l *load) stop() {
	l.t.Helper()
	l.cancel()
	l.clients.Wait()
	if len(l.faults) > 0 {
		l.t.Errorf("of %d requests some failed, the first ones:\n%s", l.answers.Load(), listed(l.faults))
	}
}
