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
//   - Framing is the server's: of Connection only "close" counts, in a list too, and Upgrade
//     is named in it wherever a response has one. Keep-Alive and WriteHeader(100) are
//     passed over, and so is Transfer-Encoding, but that "chunked" asks for no length and
//     "identity" for the connection's end. The 100 is sent when the content is first read
//     and has not come by then. The status line says HTTP/1.1 to clients of 1.0 as well.
//   - A Date is always sent (RFC 9110 §6.6.1); only another one can take its place.
//   - Control bytes in field values become spaces, not only line ends; a field whose name
//     is no token is dropped with a log line, there in silence.
//   - RemoteAddr is the client as [http1.Request.Client] has it: behind a trusted proxy not
//     the connection's other end, and its port is 0 where only the address is known.
//   - A status from 600 to 999, which no RFC knows, goes out as 500.
//   - A 101 without a Hijack behind it is a 500: the client would no longer speak HTTP.
//   - Trailers that must stand in a head (RFC 9110 §6.5.1) are dropped with a log line;
//     others are sent even behind a short response, where net/http forgets those that it
//     hears of too late.
//   - [http.MaxBytesReader] cannot announce the connection's end, since it asks the writer
//     for that by an unexported method; the connection ends all the same when too much is
//     left unread.
//   - Hijack fails behind WriteHeader(101) where the client did not offer to upgrade or its
//     content is unread (RFC 9110 §7.8), and once content is refused. What the client sent
//     behind its request stands at the front of the connection, where both the
//     bufio.Reader and whoever reads past it find it. The peer sees the end of a hijacked
//     connection when it is closed and the handler has returned; CloseWrite shows it at
//     once. The access log has such a request with detached=true when that is over, and
//     with status 0 where the handler wrote its head itself.
//
// BEHAVIOURS.md lists net/http's own tests, and where each is answered here.
//
// A connection that was hijacked stays counted, and a drain waits for it. Its handler hears
// of the drain by [http1.Announced] with the request's context.
package nethttp
