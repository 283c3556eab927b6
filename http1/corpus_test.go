package http1

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	corpusLeast       = 300     // entries
	corpusShortBytes  = 200     // below it a message is cut in two at every byte
	corpusMediumBytes = 4 << 10 // up to it a message is read byte by byte
)

// TestCorpus plays every entry of the corpus: whole, twice on one connection, in front of
// a request that must not be answered where the connection ends, byte by byte, and cut in
// two: at each byte where that takes no further connections, else at each that ends a part.
func TestCorpus(t *testing.T) {
	byFile := map[string][]corpusEntry{}
	for _, e := range corpusLoad(t) {
		byFile[e.file] = append(byFile[e.file], e)
	}
	for file, entries := range byFile {
		t.Run(strings.TrimSuffix(file, ".http"), func(t *testing.T) {
			t.Parallel()
			s := corpusOpen(t)
			for _, e := range entries {
				t.Run(e.name, func(t *testing.T) { e.play(t, s) })
			}
		})
	}
}

// A corpusPlay is one way to play an entry: so many times on one connection.
type corpusPlay struct {
	name   string
	copies int
	behind string // sent behind it, never to be answered
	cuts   []int
}

// corpusSmuggled is what must not be answered behind a message that ends its connection.
const corpusSmuggled = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"

func (e *corpusEntry) play(t *testing.T, s *corpusSite) {
	for _, p := range e.plays() {
		if err := s.play(e, &p); err != nil {
			t.Fatalf("%s, %s: %v", e.clause, p.name, err)
		}
	}
}

func (e *corpusEntry) plays() []corpusPlay {
	m := e.message()
	plays := []corpusPlay{{name: "whole", copies: 1}}
	if e.repeats() {
		plays = append(plays, corpusPlay{name: "twice", copies: 2})
	}
	if e.shuts() {
		plays = append(plays, corpusPlay{name: "with a request behind it", copies: 1, behind: corpusSmuggled})
	}
	if len(m) <= corpusMediumBytes {
		plays = append(plays, corpusPlay{name: "byte by byte", copies: 1, cuts: corpusEveryByte(len(m))})
	}
	if len(m) >= corpusShortBytes {
		return plays
	}
	if e.end == corpusKept {
		return append(plays, e.cutInOneGo(len(m)))
	}
	for at := 1; at < len(m); at++ {
		if corpusParts(m[at-1]) || corpusParts(m[at]) {
			plays = append(plays, corpusPlay{name: fmt.Sprintf("cut at %d", at), copies: 1, cuts: []int{at}})
		}
	}
	return plays
}

// corpusParts tells whether a parser changes its state at b. A connection for each byte of
// what ends one would be 100,000 of them.
func corpusParts(b byte) bool { return b < ' ' || b == ':' || b == ';' }

// repeats tells whether a second copy makes sense: behind an unfinished message it would
// be the rest of that, and behind nothing it is not a second one.
func (e *corpusEntry) repeats() bool {
	return len(e.responses()) > 0 && (e.end == corpusEnded || !e.halfCloses())
}

// shuts tells whether what stands behind the entry must not be answered.
func (e *corpusEntry) shuts() bool {
	return e.end == corpusClosed && !e.halfCloses()
}

// cutInOneGo plays all the cuts of an entry that keeps its connection on one: as many
// copies as it has cuts, each read in two pieces.
func (e *corpusEntry) cutInOneGo(n int) corpusPlay {
	p := corpusPlay{name: "cut at every byte", copies: n - 1}
	for i := range p.copies {
		p.cuts = append(p.cuts, i*n+i+1, (i+1)*n)
	}
	return p
}

func corpusEveryByte(n int) (cuts []int) {
	for at := 1; at <= n; at++ {
		cuts = append(cuts, at)
	}
	return cuts
}

// script is the conversation of a play. Copies are pipelined: the first step of one goes
// out with the last step of the one before.
func (e *corpusEntry) script(p *corpusPlay) []corpusStep {
	steps := []corpusStep{{}}
	for i := range p.copies {
		answered := i == 0 || !e.shuts()
		for j, s := range e.steps {
			if !answered {
				s.want = nil
			}
			if j > 0 && answered {
				steps = append(steps, corpusStep{})
			}
			steps[len(steps)-1].join(s)
		}
	}
	last := &steps[len(steps)-1]
	last.send = append(last.send, p.behind...)
	last.halfClose = e.halfCloses()
	return steps
}

// join adds what t sends and expects to s.
func (s *corpusStep) join(t corpusStep) {
	s.send = append(slices.Clip(s.send), t.send...)
	s.want = append(slices.Clip(s.want), t.want...)
}

// play plays e on a connection of its own.
func (s *corpusSite) play(e *corpusEntry, p *corpusPlay) error {
	steps := e.script(p)
	c, err := s.dial(p.cuts)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	err = c.speak(steps, e.end == corpusClosed)
	if err == nil && e.end == corpusKept {
		err = c.isOpen()
	}
	if err == nil {
		err = c.ends()
	}
	// The connection has ended, so whatever was observed on it was.
	return errors.Join(err, corpusAudit(e, steps, s.take(c.address())))
}

// corpusAudit compares what was observed with what was answered.
func corpusAudit(e *corpusEntry, steps []corpusStep, records []Record) error {
	var want, got []string
	for _, s := range steps {
		for _, r := range s.want {
			if r.status >= 200 {
				want = append(want, corpusVerdict(r.status, r.refusal))
			}
		}
	}
	if e.end == corpusKept {
		want = append(want, corpusVerdict(200, nil))
	}
	for _, r := range records {
		if (r.Ending == Refused) != (r.Reason != nil) || r.Ending > Refused {
			return fmt.Errorf("a request was %s with reason %v", r.Ending, r.Reason)
		}
		got = append(got, corpusVerdict(r.Status, r.Reason))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("observed %v, want %v", got, want)
	}
	return nil
}

func corpusVerdict(status int, r *Reason) string {
	if r == nil {
		return fmt.Sprint(status)
	}
	return fmt.Sprint(status, " ", r.Code)
}

// corpusTimed are the reasons that no bytes alone can bring about: two need a clock, one
// needs TLS.
var corpusTimed = []string{"head-timeout", "body-timeout", "plain-on-tls"}

func TestCorpusIsWhole(t *testing.T) {
	entries := corpusLoad(t)
	t.Run("every reason is exercised", func(t *testing.T) {
		seen := map[string]bool{}
		for _, e := range entries {
			for _, r := range e.responses() {
				if r.refusal != nil {
					seen[r.refusal.Code] = true
				}
			}
		}
		for _, r := range Reasons() {
			if timed := slices.Contains(corpusTimed, r.Code); seen[r.Code] == timed {
				t.Errorf("%s: in the corpus: %t, needs more than bytes: %t", r.Code, seen[r.Code], timed)
			}
		}
	})
	t.Run("there are hundreds of messages and no two alike", func(t *testing.T) {
		if len(entries) < corpusLeast {
			t.Errorf("%d entries, want at least %d", len(entries), corpusLeast)
		}
		names, messages := map[string]string{}, map[string]string{}
		for _, e := range entries {
			where := e.file + ": " + e.name
			key := fmt.Sprintf("%q %t %d", e.message(), e.halfCloses(), len(e.steps))
			if names[where] != "" || messages[key] != "" {
				t.Errorf("%s is there twice, see %s%s", where, names[where], messages[key])
			}
			names[where], messages[key] = where, where
		}
	})
	t.Run("the guide names every file", func(t *testing.T) {
		guide, err := os.ReadFile("testdata/README.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !bytes.Contains(guide, []byte("`"+e.file+"`")) {
				t.Fatalf("testdata/README.md says nothing of %s", e.file)
			}
		}
	})
}
