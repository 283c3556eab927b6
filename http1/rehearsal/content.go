package rehearsal

import (
	"fmt"
	"math/rand/v2"
)

// Content is what slow answers: n bytes without a pattern, the same each time, so that
// bytes that are missing in the middle do not fit together again.
func Content(n int) []byte {
	content := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // cannot fail
	return content
}

// Events is what stream answers, whole.
func Events(n int) []byte {
	var all []byte
	for i := range n {
		all = append(all, event(i)...)
	}
	return all
}

// event is the event with this number, which is one chunk of the stream.
func event(i int) []byte { return fmt.Appendf(nil, "id: %d\ndata: still here\n\n", i) }
