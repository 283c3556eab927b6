package account

import (
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// Bounds of a password, in bytes of its prepared form. Eight is NIST SP 800-63B's least for a
// password that a person chose; the most keeps a request from buying more work than a hash.
const (
	PasswordLeastBytes = 8
	PasswordMostBytes  = 1024
)

// prepared is the form in which passwords are hashed: PRECIS's OpaqueString (RFC 8265 §4.2),
// so that a letter with its accent is one, whichever keyboard made it.
func prepared(password string) (string, bool) {
	if len(password) > PasswordMostBytes || !utf8.ValidString(password) {
		return "", false
	}
	p, err := precis.OpaqueString.String(password)
	return p, err == nil && len(p) <= PasswordMostBytes
}

// newPassword prepares a password for a member to have. The error is an [*Invalid].
func newPassword(password string, of Name) (string, error) {
	p, ok := prepared(password)
	switch {
	case len(password) > PasswordMostBytes:
		return "", &Invalid{"password", "A password has at most 1,024 bytes."}
	case password != "" && !ok:
		return "", &Invalid{"password", "A password has no control characters in it."}
	case len(p) < PasswordLeastBytes:
		return "", &Invalid{"password", "A password has at least 8 characters."}
	case sameAsName(p, of):
		return "", &Invalid{"password", "This is the name: choose something that nobody guesses first."}
	case isCommon(p):
		return "", &Invalid{"password", "This is one of the commonest passwords: choose something that nobody guesses first."}
	}
	return p, nil
}

// presented prepares a password that somebody claims to have. One that no member can have is
// not right, whatever is hashed in its place.
func presented(password string) (p string, admitted bool) {
	p, ok := prepared(password)
	if !ok || len(p) < PasswordLeastBytes {
		return "not a password", false
	}
	return p, true
}

// sameAsName tells whether the password is the name, or the name twice.
func sameAsName(password string, of Name) bool {
	p := strings.ToLower(password)
	return p == of.Key || p == strings.ToLower(of.Shown) || p == of.Key+of.Key
}

//go:embed common.txt
var commonText string

// common are passwords that guessers try first, in lower case.
var common = sync.OnceValue(func() map[string]struct{} {
	set := make(map[string]struct{})
	for word := range strings.FieldsSeq(commonText) {
		set[word] = struct{}{}
	}
	return set
})

// isCommon tells whether a password is among the first that are guessed: in the list, whatever
// its case, or one character again and again.
func isCommon(password string) bool {
	p := strings.ToLower(password)
	if _, ok := common()[p]; ok {
		return true
	}
	first, _ := utf8.DecodeRuneInString(p)
	return strings.Trim(p, string(first)) == ""
}
