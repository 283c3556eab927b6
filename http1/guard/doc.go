// Package guard bounds what a handler may take: time and content. Each bound is a handler
// around another, for one route or for all:
//
//	guard.Timeout(guard.BodyLimit(upload, 10<<20), 30*time.Second)
//
// None is needed against a panic: http1.Answer, which calls every handler, answers that
// with a 500 or a cut and keeps the books, for handlers and for whatever stands around
// them.
package guard
