package session

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"
)

const (
	// cookieChars is a token in base64url: 32 bytes without padding.
	cookieChars = 43
	// maxCookieBytes bounds the Cookie fields that are read. Browsers keep some 4 KiB of
	// each cookie; a client with more than this for us has them from somebody else.
	maxCookieBytes = 16 << 10
)

// strict refuses a last character whose spare bits are not zero: a token has one spelling.
var strict = base64.RawURLEncoding.Strict()

// finder looks for a cookie in the values of the Cookie fields, one after another (RFC 6265
// §4.2.1). It takes nothing from the heap.
type finder struct {
	name  string
	value []byte // of the last one found
	count int
	bytes int // that were read; more than maxCookieBytes are not
}

// read looks into one field's value.
func (f *finder) read(field []byte) {
	if f.bytes += len(field); f.bytes > maxCookieBytes {
		return
	}
	for len(field) > 0 {
		pair := field
		if end := bytes.IndexByte(field, ';'); end >= 0 {
			pair, field = field[:end], field[end+1:]
		} else {
			field = nil
		}
		for len(pair) > 0 && (pair[0] == ' ' || pair[0] == '\t') {
			pair = pair[1:]
		}
		if n := len(f.name); len(pair) > n && pair[n] == '=' && string(pair[:n]) == f.name {
			f.value = pair[n+1:]
			f.count++
		}
	}
}

// token is the cookie's. There is none if the cookie is missing, malformed, or there several
// times: one of them was planted then, and nothing tells which, since who plants one can choose
// where it comes (RFC 6265 §5.4).
func (f *finder) token() (token [tokenBytes]byte, ok bool) {
	value := bytes.TrimRight(f.value, " \t")
	if f.count != 1 || f.bytes > maxCookieBytes || len(value) != cookieChars {
		return token, false
	}
	n, err := strict.Decode(token[:], value)
	return token, err == nil && n == tokenBytes // fewer: it passes over line ends
}

// cookie is what sets the token for the given time (RFC 6265 §4.1): to this host alone, over
// TLS alone, out of reach of scripts, and not with other sites' posts.
func cookie(name string, token [tokenBytes]byte, lasts time.Duration) string {
	return name + "=" + strict.EncodeToString(token[:]) + cookieAttributes(lasts)
}

// clearing is the cookie that makes the client forget it.
func clearing(name string) string { return name + "=" + cookieAttributes(0) }

func cookieAttributes(lasts time.Duration) string {
	return "; Path=/; Max-Age=" + strconv.FormatInt(int64(max(lasts, 0)/time.Second), 10) + "; Secure; HttpOnly; SameSite=Lax"
}
