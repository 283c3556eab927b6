package files

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// notedLinks is how many paths are remembered as logged. A link to a directory makes
	// as many paths as a client cares to invent: beyond these, silence.
	notedLinks = 1024

	// troubleEvery is how far apart two lines about the disk are.
	troubleEvery = 10 * time.Second
)

// notes writes to the log what its reader can mend, and keeps clients from filling it.
type notes struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	links  map[string]struct{}
	next   time.Time // when there may be another line about the disk
	unsaid int       // how many were left out since the last
}

func newNotes(log *slog.Logger, now func() time.Time) *notes {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &notes{log: log, now: now, links: make(map[string]struct{})}
}

// link notes a path that leads out of the root, once.
func (n *notes) link(name string) {
	n.mu.Lock()
	_, known := n.links[name]
	room := len(n.links) < notedLinks
	if !known && room {
		n.links[name] = struct{}{}
	}
	n.mu.Unlock()
	if !known && room {
		n.log.Warn("not served: a link is absolute or leads out of the root; make it relative and inside", "file", name)
	}
}

// trouble notes an error of the disk, or of the descriptors, or a file that did not stand still.
func (n *notes) trouble(name string, err error) {
	n.mu.Lock()
	now := n.now()
	quiet := now.Before(n.next)
	unsaid := n.unsaid
	if quiet {
		n.unsaid++
	} else {
		n.next, n.unsaid = now.Add(troubleEvery), 0
	}
	n.mu.Unlock()
	if !quiet {
		n.log.Error("file not served", "file", name, "error", err, "similar", unsaid)
	}
}
