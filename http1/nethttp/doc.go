// Package nethttp runs any net/http handler on http1.
//
// [Handler] shows an [http.Handler] the request and the response writer that net/http's
// own server would have shown it, http.ResponseController's methods included. Parsing,
// framing, limits and the drain stay http1's, so a few things differ, each on purpose:
//
//   - A response of up to 4 KiB gets its Content-Length (there: 2 KiB).
//   - Reading and writing are always full duplex.
//   - A panic before the head is answered with 500 (there: a cut). http.ErrAbortHandler
//     cuts here too.
//   - Content whose framing is broken, or that is too large or too slow, is answered with
//     its refusal (400, 413, 408) unless the response has begun.
//   - OPTIONS * reaches the handler, as with DisableGeneralOptionsHandler there.
//   - Framing is the server's: of Connection only "close" counts, and Keep-Alive,
//     Transfer-Encoding, an empty Date and WriteHeader(100) are passed over. The 100 is
//     sent when the content is first read.
//   - Control bytes in field values become spaces, not only line ends; a field whose name
//     is no token is dropped with a log line, there in silence.
//   - A status from 600 to 999, which no RFC knows, goes out as 500.
//   - A 101 without a Hijack behind it is a 500: the client would no longer speak HTTP.
//   - Trailers that must stand in a head (RFC 9110 §6.5.1) are dropped with a log line;
//     others are sent even behind a short response, where net/http forgets those that it
//     hears of too late.
//   - [http.MaxBytesReader] cannot announce the connection's end, since it asks the writer
//     for that by an unexported method; the connection ends all the same when too much is
//     left unread.
//   - Hijack wants the content read to its end and nothing flushed. What the
//     client sent behind its request stands at the front of the connection, where both
//     the bufio.Reader and whoever reads past it find it. The peer sees the end
//     of a hijacked connection when it is closed and the handler has returned.
package nethttp
