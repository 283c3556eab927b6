// Package coding negotiates the content codings of a response (RFC 9110 §8.4, §12.5.3)
// and makes those that are made on the fly, gzip (RFC 1952) and zstd (RFC 8878).
//
// [Parse] is pure: bytes in, a verdict out. [Encoders] bound how many encoders run at a
// time, since compression is the one thing that a client can have of a file server for the
// price of a request and that costs it a multiple of the file in processor time.
package coding
