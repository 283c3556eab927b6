package traffic

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-server/holdfast/http1/rehearsal"
)

// A Kind is what a client does, again and again.
type Kind uint8

// The kinds of clients.
const (
	KeepAlive     Kind = iota // small requests on one connection, with a pause to think
	NewConnection             // a connection for each
	Download                  // content that comes slowly
	Upload                    // content that goes slowly
	Stream                    // a stream of events
	Idle                      // a connection that carries something only now and then
	kindCount
)

var kindNames = [kindCount]string{"keep_alive", "new_connection", "slow_download", "slow_upload", "stream", "idle"}

// String is the kind's name, which is stable.
func (k Kind) String() string { return kindNames[k] }

// Kinds are all of them, in their order.
func Kinds() []Kind {
	all := make([]Kind, kindCount)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// What requests are made of.
const (
	smallBytes    = 512
	uploadBytes   = 32 << 10
	downloadBytes = 256 << 10
	events        = 20
	uploadPieces  = 20
)

// pauses are the shortest and the longest pause between two requests.
var pauses = [kindCount][2]time.Duration{
	KeepAlive:     {0, 50 * time.Millisecond},
	NewConnection: {0, 200 * time.Millisecond},
	Download:      {0, 100 * time.Millisecond},
	Upload:        {0, 100 * time.Millisecond},
	Stream:        {0, 100 * time.Millisecond},
	Idle:          {500 * time.Millisecond, 3 * time.Second},
}

// A request is what is sent and what must come back.
type request struct {
	head, content []byte
	want          []byte
	pieces        int           // that the content goes in
	over          time.Duration // that they are spread over
	closing       bool          // the client wants no more on this connection
	patience      time.Duration // for all of it
}

// request is the next one of a client of this kind. number is another for each, so that
// a response that was meant for another request shows.
func (l *Load) request(k Kind, number uint64) *request {
	switch k {
	case Download:
		q := get(fmt.Sprintf("slow?bytes=%d&over=%v", downloadBytes, l.Transfer), rehearsal.Content(downloadBytes))
		q.patience = l.Patience + l.Transfer
		return q
	case Stream:
		q := get(fmt.Sprintf("stream?events=%d&over=%v", events, l.Transfer), rehearsal.Events(events))
		q.patience = l.Patience + l.Transfer
		return q
	case Upload:
		q := put(l.content(uploadBytes, number), false)
		q.pieces, q.over, q.patience = uploadPieces, l.Transfer, l.Patience+l.Transfer
		return q
	}
	q := put(l.content(smallBytes, number), k == NewConnection)
	q.patience = l.Patience
	return q
}

func get(target string, want []byte) *request {
	head := "GET " + rehearsal.Prefix + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
	return &request{head: []byte(head), want: want}
}

func put(content []byte, closing bool) *request {
	head := fmt.Sprintf("PUT %secho HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", rehearsal.Prefix, len(content))
	if closing {
		head += "Connection: close\r\n"
	}
	return &request{head: []byte(head + "\r\n"), content: content, want: content, closing: closing, pieces: 1}
}

// content is n bytes that begin with the number, or as many as the server takes.
func (l *Load) content(n int, number uint64) []byte {
	content := rehearsal.Content(n)
	binary.BigEndian.PutUint64(content, number)
	if l.ContentLimitBytes >= 0 && int64(n) > l.ContentLimitBytes {
		content = content[:l.ContentLimitBytes]
	}
	return content
}

// send writes the request to w, in one write when it is small, else with pauses.
func (q *request) send(ctx context.Context, w io.Writer) error {
	if q.pieces <= 1 {
		_, err := w.Write(append(q.head[:len(q.head):len(q.head)], q.content...))
		return err
	}
	if _, err := w.Write(q.head); err != nil {
		return err
	}
	for i := range q.pieces {
		piece := q.content[len(q.content)*i/q.pieces : len(q.content)*(i+1)/q.pieces]
		if _, err := w.Write(piece); err != nil {
			return err
		}
		if !pause(ctx, q.over/time.Duration(q.pieces)) {
			return ctx.Err()
		}
	}
	return nil
}

// pause waits, and tells whether it could to the end.
func pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
