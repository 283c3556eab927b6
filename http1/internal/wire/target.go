package wire

import "bytes"

// TargetForm is the form of a request target (RFC 9112 §3.2).
type TargetForm uint8

const (
	OriginForm    TargetForm = iota // "/path?query"
	AbsoluteForm                    // "http://host/path?query"
	AuthorityForm                   // "host:port", for CONNECT alone
	AsteriskForm                    // "*", for OPTIONS alone
)

// Paths that a target means without holding them. They are views like any other: not to
// be written to.
var (
	slash    = []byte("/")
	asterisk = []byte("*")
)

// parseTarget takes h.Target apart, as h.Method allows.
func (h *Head) parseTarget() *Reason {
	if r := checkTarget(h.Target); r != nil {
		return r
	}
	t := h.Target
	switch {
	case string(h.Method) == "CONNECT":
		return h.authorityForm(t)
	case t[0] == '/':
		h.splitPath(t)
		return nil
	case len(t) == 1 && t[0] == '*':
		return h.asteriskForm()
	}
	return h.absoluteForm(t)
}

// checkTarget lets through the bytes that RFC 3986 allows and those that browsers send
// although it does not.
func checkTarget(t []byte) *Reason {
	for i, c := range t {
		if class[c]&targetByte == 0 {
			return BadTargetByte
		}
		if c == '%' && (len(t)-i < 3 || !is(t[i+1], hexByte) || !is(t[i+2], hexByte)) {
			return BadEscape
		}
	}
	return nil
}

// splitPath takes path and query apart at the first question mark (RFC 3986 §3.4).
func (h *Head) splitPath(t []byte) {
	h.Path = t
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		h.Path, h.Query, h.HasQuery = t[:i], t[i+1:], true
	}
}

// authorityForm is a host with a port that CONNECT must name (RFC 9112 §3.2.3).
func (h *Head) authorityForm(t []byte) *Reason {
	if bytes.IndexByte(t, '/') >= 0 {
		return BadTarget
	}
	if r := checkTargetAuthority(t); r != nil {
		return r
	}
	if i := bytes.LastIndexByte(t, ':'); i <= bytes.IndexByte(t, ']') || i == len(t)-1 {
		return BadAuthority
	}
	h.Form, h.Authority = AuthorityForm, t
	return nil
}

func (h *Head) asteriskForm() *Reason {
	if string(h.Method) != "OPTIONS" {
		return BadTarget
	}
	h.Form, h.Path = AsteriskForm, asterisk
	return nil
}

// absoluteForm is a whole http or https URI (RFC 9112 §3.2.2). An OPTIONS without path and
// query asks about the server as a whole, as "*" does (§3.2.4).
func (h *Head) absoluteForm(t []byte) *Reason {
	colon := bytes.IndexByte(t, ':')
	if colon < 0 || !bytes.HasPrefix(t[colon+1:], []byte("//")) {
		return BadTarget
	}
	scheme, rest := t[:colon], t[colon+3:]
	if !sameFold(scheme, "http") && !sameFold(scheme, "https") {
		return BadScheme
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if r := checkTargetAuthority(rest[:end]); r != nil {
		return r
	}
	h.Form, h.Scheme, h.Authority = AbsoluteForm, scheme, rest[:end]
	h.splitPath(rest[end:])
	if len(h.Path) == 0 {
		h.Path = slash
		if string(h.Method) == "OPTIONS" && !h.HasQuery {
			h.Path = asterisk
		}
	}
	return nil
}

// checkTargetAuthority names userinfo as such: "http://bank.example@evil.example/" is made
// to mislead, not mistyped.
func checkTargetAuthority(a []byte) *Reason {
	switch {
	case bytes.IndexByte(a, '@') >= 0:
		return Userinfo
	case !validAuthority(a):
		return BadAuthority
	}
	return nil
}
