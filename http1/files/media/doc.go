// Package media reads Accept: which media types a client takes, and how gladly
// (RFC 9110 §12.5.1). It is pure: a field's value goes in, a quality comes out.
package media
