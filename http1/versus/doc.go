// Command versus measures what a request and an idle connection cost this server, beside
// net/http, fasthttp, nginx where it is installed, and a loop that only reads and writes.
// It is a tool for development; the server knows nothing of it.
//
// One server at a time runs, as a process of its own, pinned to one core; the load
// generator (wrk where it is installed, else a built-in one) runs on another. A round
// measures each server once, one after another (A B C, A B C, …), so that whatever else
// happens on the machine meets all of them; a server is compared with net/http within the
// round. The measure is the processor time that the kernel booked on the server, per
// request: unlike requests per second it hardly depends on how fast the client is. The
// accepts and handshakes of the 64 connections are in it, under 1 % of two busy seconds.
//
// The cases of files leave out the servers that serve none, and have h2o and lighttpd besides,
// where they are installed. Holdfast has what its command
// has by default there: a cache, and a look for precompressed files.
//
// What an idle connection costs is the growth of the server's resident memory by 10,000
// connections on which one request was answered, six seconds after that. Servers in Go collect their garbage
// before both looks. Memory in the kernel, the same for all, is not in it.
//
//	go run ./http1/versus                          # all cases, all servers
//	go run ./http1/versus -case get,tls -rounds 15
//	go run ./http1/versus -case get -profile .     # and where holdfast's time goes
package main
