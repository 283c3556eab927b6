// Package wire turns the bytes of HTTP/1.1 messages into values and back (RFC 9112).
//
// It is sans-IO: bytes go in, values come out, and it imports neither net nor io, time
// or sync. Who reads the bytes, how long that may take and what happens after a refusal
// is the caller's affair. "More bytes are needed" is an answer here, never an error.
//
// A request passes through in this order:
//
//	Scanner.Scan   finds the end of the head; refuses hopeless bytes before it is there
//	Head.Parse     request line, target, fields, host and framing of a whole head
//	Chunked.Next   content in the chunked coding, up to and with its last chunk
//	Trailers       Scan and Parse of the section behind the last chunk
//
// and the Append functions write what goes the other way.
//
// Everything returned by Parse and Next is a view into the caller's buffer: nothing is
// copied, nothing is allocated once a Head has seen its largest request, and nothing is
// valid any longer than the buffer is.
//
// # What is contested, and what we do
//
// Two parsers that read one message differently are how requests are smuggled. So a
// message is read in one way or refused; where RFC 9112 leaves a choice between
// repairing and refusing, we refuse:
//
//   - A line ends in CRLF. A bare LF or a bare CR is refused wherever it stands.
//   - One empty line before a request line is skipped (§2.2), a second is refused.
//   - The request line has exactly two spaces. No version, no request.
//   - A version is HTTP/d.d in capitals; every 1.x above 1.1 is read as 1.1.
//   - Targets hold no raw byte above 0x7E and none of # < > " \; each percent sign begins
//     an escape. What else RFC 3986 would have escaped (| ^ { } and so on) passes, since
//     browsers send it and nothing splits on it.
//   - absolute-form is for http and https, without userinfo; its authority wins over
//     Host, which must be there and valid all the same.
//   - A host is an IPv6 address in brackets or a name of the grammar's characters without
//     comma and percent sign: a list or a second spelling of one name routes two ways.
//   - Host is required in HTTP/1.1, and is never empty or sent twice.
//   - Field names are tokens with the colon directly behind them; folded lines are
//     refused; values hold no control byte but TAB.
//   - Spaces and TABs around a value do not belong to it, for framing fields too.
//   - Content-Length is digits, once. Transfer-Encoding is "chunked", once, alone, and not
//     in HTTP/1.0. Both together are refused. One other coding, well-formed, is 501.
//   - A chunk size is 1 to 16 hex digits. Extensions follow the grammar without the
//     optional whitespace ("bad" whitespace, as RFC 9112 §7.1.1 itself calls it).
//   - Trailers must not frame, route, authenticate, or describe content (RFC 9110 §6.5.1).
package wire
