package http1

import (
	"errors"
	"fmt"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// ErrCommitted is what comes too late: the response's head is on its way.
var ErrCommitted = errors.New("http1: the response is committed")

// Inform sends an informational response at once (RFC 9110 §15.2), such as 103 with Link
// fields (RFC 8297). fields are name and value in turn. The final response is still to
// come and shares nothing with it. To an HTTP/1.0 client, which knows none, nothing is
// sent. It panics on 100, which the server sends by itself, on 101, which is
// [Response.Upgrade]'s, and on fields that cannot be sent.
func (w *Response) Inform(status int, fields ...string) error {
	if status < 102 || status > 199 {
		panic(fmt.Sprintf("http1: status %d is not one to inform with", status))
	}
	lines := make([]exchange.Line, 0, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		mustBeSendable(fields[i], fields[i+1])
		lines = append(lines, exchange.Line{Name: fields[i], Value: fields[i+1]})
	}
	if w.committed {
		return ErrCommitted
	}
	if w.x.Head.Minor == 0 {
		return nil
	}
	return w.wrote(0, w.x.Sink.Inform(status, lines))
}

// mustBeSendable panics on a field with which whoever supplied it could write fields or
// responses of their own (RFC 9110 §5.5).
func mustBeSendable(name, value string) {
	if !wire.ValidFieldName(name) || !wire.ValidFieldValue(value) {
		panic(fmt.Sprintf("http1: response field %q with value %q cannot be sent", name, value))
	}
}
