// Package traffic is what a rehearsal has for clients: a bounded load on endpoints of the
// loopback that come and go, in which every request ends in exactly one [End].
//
// It speaks HTTP/1.1 by itself, on a socket of its own, because the question is one that
// a library answers for its caller: whether a connection broke before the first byte of
// the response or after it, and whether it had carried a request before. A library
// that asks again by itself would hide a loss.
//
// A [Balancer] stands for a Service in Kubernetes, or any load balancer that learns late:
// clients choose among its endpoints, and go on choosing one for a while after it was
// told to stop. A [Load] is the clients. What they ask is mounted by http1/rehearsal.
package traffic
