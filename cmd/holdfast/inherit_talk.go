package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"
)

// The talk between a predecessor and its successor, over the two pipes of a bequest:
//
//	successor                                     predecessor
//	what it says on stderr, faults too      ->    keeps it, for the reason of a failure
//	ready, and which sockets it takes       ->
//	                                        <-    begin
//	accepts; writes the pid file, tells the
//	supervisor its number; serves           ->    gives up the names that there is one of
//	                                        <-    yours
//
// Both accept from "begin" on. Until it hears "serves" the predecessor serves as before, and
// goes on doing so when the successor ends, or takes too long. Until it hears "yours" the
// successor does not speak for the service, and removes no path. The pipes stay open as long as
// the predecessor lives and has an interest: their end means that it is dead.

// talkMark begins the lines that are for the predecessor itself. Words have no control bytes.
const talkMark = "\x06"

// servesLine is the second such line; the first is talkMark and a readiness.
const servesLine = talkMark + "serves\n"

// A readiness is the line's content.
type readiness struct {
	Takes []string `json:"takes"` // addresses of the inherited sockets that are to be used on
}

// takeOver tells the predecessor that all is open, and waits until we may begin. When it dies
// instead, we may; and when it gives up on us, we hear a signal.
func (i *inheritance) takeOver() {
	if !i.succeeds() {
		return
	}
	var r readiness
	for _, k := range i.sockets {
		if k.taken {
			r.Takes = append(r.Takes, k.name+" "+k.address)
		} else {
			_ = k.listener.Close() // the predecessor empties its queue
		}
	}
	line, _ := json.Marshal(r) // strings always can be
	i.say(talkMark + string(line) + "\n")
	if _, alive := i.hear(); !alive {
		i.predecessor = nil // it has died, perhaps before we looked who our parent is
	}
}

// serves tells the predecessor that we do, and waits until the service is ours: true, also when
// it has died. False means that ctx is done. A stop of ours is no reason to wait no more: the
// predecessor may hand over all the same, and then the service's stop is ours to tell.
func (i *inheritance) serves(ctx context.Context, listeners []namedListener) (ours bool) {
	if !i.succeeds() {
		return true
	}
	i.say(servesLine)
	i.hangUp()
	defer context.AfterFunc(ctx, func() { _ = i.begin.SetReadDeadline(time.Unix(1, 0)) })()
	if heard, _ := i.hear(); !heard {
		return false
	}
	_ = i.begin.Close()
	i.ours.Store(true)
	for _, l := range listeners {
		l.listener.TakeOver()
	}
	return true
}

// despair tells the predecessor why we do not serve.
func (i *inheritance) despair(why error) {
	if i.succeeds() {
		i.say("holdfast: " + plain(why.Error()) + "\n")
		i.hangUp()
	}
}

// say sends a line. Whoever does not hear it has ended.
func (i *inheritance) say(line string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, _ = i.ready.WriteString(line)
}

// hangUp ends what we say.
func (i *inheritance) hangUp() {
	i.mu.Lock()
	defer i.mu.Unlock()
	_ = i.ready.Close()
	i.closed = true
}

// hear waits for the predecessor's next word, or its end, after which it is not alive; heard is
// false when the wait was ended.
func (i *inheritance) hear() (heard, alive bool) {
	n, err := i.begin.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, true
	}
	return true, n > 0
}

// overheard is stderr of a successor: until it serves its predecessor hears what it says.
type overheard struct {
	*os.File
	by *inheritance
}

func (o overheard) Write(p []byte) (int, error) {
	o.by.mu.Lock()
	defer o.by.mu.Unlock()
	if !o.by.closed {
		_, _ = o.by.ready.Write(p)
	}
	return o.File.Write(p)
}

// stderr is where the process complains.
func (i *inheritance) stderr(f *os.File) io.Writer {
	if !i.succeeds() {
		return f
	}
	return overheard{f, i}
}
