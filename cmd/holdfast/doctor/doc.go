// Package doctor looks at a host with the eyes of a public CA before one is asked: do the
// names lead here, may the CA issue for them, do its challenges arrive, is the clock right,
// and will what it issues be kept.
//
// It proves that a name leads here by going there: where nothing listens yet, it opens the
// port for a moment with a page, or a certificate, that nobody else can have, and dials the
// name's public addresses.
package doctor
