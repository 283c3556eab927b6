package session

import (
	"bytes"
	"encoding/base64"
	"iter"
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

// readToken finds the token in the values of the Cookie fields (RFC 6265 §4.2.1). There is none
// if the cookie is missing, malformed, or there several times: one of them was planted, and
// nothing tells which (RFC 6265 §5.4 has them in an order that an attacker can choose).
func readToken(fields iter.Seq[[]byte], name string) (token [tokenBytes]byte, ok bool) {
	var value []byte
	count, total := 0, 0
	for field := range fields {
		if total += len(field); total > maxCookieBytes {
			return token, false
		}
		for rest := field; len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte{';'})
			pair = bytes.Trim(pair, " \t")
			if len(pair) > len(name) && pair[len(name)] == '=' && string(pair[:len(name)]) == name {
				value = pair[len(name)+1:]
				count++
			}
		}
	}
	if count != 1 || len(value) != cookieChars {
		return token, false
	}
	n, err := strict.Decode(token[:], value)
	return token, err == nil && n == tokenBytes
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
