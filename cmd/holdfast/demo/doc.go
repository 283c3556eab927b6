// Package demo is the site that holdfast demo serves: pages, pictures and a video that show
// what a server of files does, a stream of events that announces a drain, and a WebSocket
// that sends back what it is sent (RFC 6455, without extensions). All of it is our own and
// in the binary.
//
// The handlers are examples too: an answer without an end listens for [http1.Announced] and
// comes to one, and a connection that was taken over says goodbye before the drain ends.
package demo
