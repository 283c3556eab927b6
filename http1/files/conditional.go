package files

import (
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// A field is a request field's value, and whether there was one.
type field struct {
	value string
	sent  bool
}

// asked is what a request wants to know before it wants content (RFC 9110 §13, §14.2).
type asked struct {
	head              bool
	varies            bool // other requests get other representations of the same date
	ifMatch           field
	ifUnmodifiedSince field
	ifNoneMatch       field
	ifModifiedSince   field
	ifRange           field
	ranges            field
}

func askedBy(r *http1.Request) (a asked) {
	a.head = r.Method() == "HEAD"
	a.ifMatch.value, a.ifMatch.sent = r.Lookup("If-Match")
	a.ifUnmodifiedSince.value, a.ifUnmodifiedSince.sent = r.Lookup("If-Unmodified-Since")
	a.ifNoneMatch.value, a.ifNoneMatch.sent = r.Lookup("If-None-Match")
	a.ifModifiedSince.value, a.ifModifiedSince.sent = r.Lookup("If-Modified-Since")
	a.ifRange.value, a.ifRange.sent = r.Lookup("If-Range")
	a.ranges.value, a.ranges.sent = r.Lookup("Range")
	return a
}

// answer is the status for a file of that size with those validators, and for 206 which
// parts of it (RFC 9110 §13.2.2).
func (a asked) answer(v validators, size int64, now time.Time) (status int, spans []span) {
	switch {
	case !a.unchanged(v, now):
		return 412, nil
	case !a.fresh(v, now):
		return 304, nil
	case a.head || !a.ranges.sent || !a.continues(v, now):
		return 200, nil
	}
	spans, verdict := parseRanges(a.ranges.value, size)
	switch verdict {
	case rangesHold:
		return 206, spans
	case rangesMiss:
		return 416, nil
	}
	return 200, nil
}

// unchanged is steps 1 and 2: the file is still the one that the client knows.
func (a asked) unchanged(v validators, now time.Time) bool {
	if a.ifMatch.sent {
		return listed(a.ifMatch.value, v.etag, strongly)
	}
	if !a.ifUnmodifiedSince.sent || v.modified.IsZero() {
		return true
	}
	t, ok := parseDate(a.ifUnmodifiedSince.value, now)
	return !ok || !v.modified.After(t)
}

// fresh is steps 3 and 4: the file is not the one that the client has.
func (a asked) fresh(v validators, now time.Time) bool {
	if a.ifNoneMatch.sent {
		return !listed(a.ifNoneMatch.value, v.etag, weakly)
	}
	if !a.ifModifiedSince.sent || v.modified.IsZero() {
		return true
	}
	t, ok := parseDate(a.ifModifiedSince.value, now)
	return !ok || v.modified.After(t)
}

// continues is step 5: the part that the client has is of this very file. A date counts
// when it is the same to the second, and that second was over (RFC 9110 §13.1.5). It says
// nothing where several codings have it in common (§8.8.1).
func (a asked) continues(v validators, now time.Time) bool {
	if !a.ifRange.sent {
		return true
	}
	if tag, rest, ok := cutTag(a.ifRange.value); ok {
		return rest == "" && strongly(tag, v.etag)
	}
	t, ok := parseDate(a.ifRange.value, now)
	return ok && !a.varies && v.settled && t.Equal(v.modified)
}

// strongly is the comparison under which only equal bytes are equal, weakly the one for
// equal meaning (RFC 9110 §8.8.3.2).
func strongly(a, b string) bool { return a == b && a != "" && a[0] == '"' }

func weakly(a, b string) bool {
	return b != "" && strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// listed tells whether a list of entity tags, or "*", holds the file's. A list that is
// malformed anywhere holds nothing: 412 or the whole file, both safe.
func listed(list, etag string, same func(a, b string) bool) (found bool) {
	if strings.Trim(list, " \t") == "*" {
		return true
	}
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return found
		}
		tag, rest, ok := cutTag(list)
		rest = strings.TrimLeft(rest, " \t")
		if !ok || rest != "" && rest[0] != ',' {
			return false
		}
		found = found || same(tag, etag)
		list = rest
	}
}

// cutTag takes the entity tag that s begins with (RFC 9110 §8.8.3). Commas and
// backslashes in it are nothing special.
func cutTag(s string) (tag, rest string, ok bool) {
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = 2
	}
	if start >= len(s) || s[start] != '"' {
		return "", s, false
	}
	for i := start + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:], true
		case c <= ' ' || c == 0x7F:
			return "", s, false
		}
	}
	return "", s, false
}
