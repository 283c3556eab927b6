package files

import (
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"
)

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func TestNotes(t *testing.T) {
	t.Run("a path is noted once", func(t *testing.T) {
		log := new(journal)
		n := newNotes(log.logger(), time.Now)
		for range 3 {
			n.link("a")
			n.link("b")
		}
		if log.lines() != 2 || log.lines("file=a\n") != 1 || log.lines("file=b\n") != 1 {
			t.Errorf("logged: %s", log.all.String())
		}
	})
	t.Run("paths are remembered up to a number", func(t *testing.T) {
		log := new(journal)
		n := newNotes(log.logger(), time.Now)
		for i := range 2 * notedLinks {
			n.link(strconv.Itoa(i))
		}
		if log.lines() != notedLinks || len(n.links) != notedLinks {
			t.Errorf("%d lines, %d remembered", log.lines(), len(n.links))
		}
	})
	t.Run("trouble is noted once in ten seconds, with how often it was", func(t *testing.T) {
		log, now := new(journal), today
		n := newNotes(log.logger(), func() time.Time { return now })
		for range 5 {
			n.trouble("a", errors.New("broken"))
		}
		if log.lines() != 1 || log.lines("similar=0") != 1 {
			t.Fatalf("logged: %s", log.all.String())
		}
		now = now.Add(troubleEvery)
		n.trouble("b", errors.New("broken"))
		if log.lines() != 2 || log.lines("file=b", "similar=4") != 1 {
			t.Errorf("logged: %s", log.all.String())
		}
	})
	t.Run("a name cannot make a line of its own", func(t *testing.T) {
		log := new(journal)
		newNotes(log.logger(), time.Now).link("a\nlevel=ERROR msg=forged\x1b[2J")
		if log.lines() != 1 || log.lines("\x1b") != 0 {
			t.Errorf("logged: %q", log.all.String())
		}
	})
	t.Run("without a log nothing happens", func(t *testing.T) {
		n := newNotes(nil, time.Now)
		n.link("a")
		n.trouble("a", errors.New("broken"))
		if len(n.links) != 1 {
			t.Errorf("%d remembered", len(n.links))
		}
	})
}
