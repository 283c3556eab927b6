package http1

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
)

// process tells this process's request ids from every other's: 32 random bits.
var process = func() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}()

// formatID writes an id as process-connection-request, such as "9f86d081-2a-1".
func formatID(id exchange.ID) string {
	b := make([]byte, 0, 32)
	b = append(b, process...)
	b = strconv.AppendUint(append(b, '-'), id.Conn, 16)
	b = strconv.AppendUint(append(b, '-'), id.Seq, 16)
	return string(b)
}

// id is that of the request under way.
func (v *visit) id() exchange.ID { return exchange.ID{Conn: v.conn.ID(), Seq: v.seq.Load()} }
