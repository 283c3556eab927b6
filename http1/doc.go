// Package http1 speaks HTTP/1.1 (RFC 9110, RFC 9112) on the connections of package conn.
//
// A [Server] reads requests with a strict parser of its own, shows each to a [Handler] as
// a [Request] and a [Response], and keeps the connection while both sides of it agree.
// The loop is in server.go, a request's content in body.go, a response's bytes in
// sink.go; the grammar is in internal/wire, which knows no sockets.
//
// VERDICTS.md has, for each point on which servers differ, what this one does and with which
// [Reason].
//
// Reading and writing are two axes: a connection takes its next request only when the
// response is whole and the content was read to its end. Responses are held back while
// further requests are at hand and sent before a read that may block.
package http1
