package acme

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
)

// problem is a problem document (RFC 7807) as a CA sends it (RFC 8555 §6.7).
type problem struct {
	Type        string    `json:"type"`
	Detail      string    `json:"detail"`
	Subproblems []problem `json:"subproblems"`
}

const (
	// detailLimitBytes bounds what a CA's words take in a log line or the ledger.
	detailLimitBytes = 300
	// subproblemLimit bounds how many of them are looked at, as of challenges that failed.
	subproblemLimit = 8
)

// parseProblem reads a problem document; false where body is none.
func parseProblem(body []byte) (p problem, ok bool) {
	ok = json.Unmarshal(body, &p) == nil && p.Type != ""
	return p, ok
}

// meaning is what a problem type means here: the kind for metrics, and words for people.
type meaning struct{ kind, words string }

// meanings are those of RFC 8555 §6.7, in lower case, since CAs differ in that.
var meanings = map[string]meaning{
	"ratelimited":             {"rate-limited", "the CA has had too many requests from this account or for this host"},
	"unauthorized":            {"unauthorized", "the CA got a wrong answer to its challenge, or does not accept this account"},
	"incorrectresponse":       {"unauthorized", "the CA got a wrong answer to its challenge"},
	"accountdoesnotexist":     {"unauthorized", "the CA does not know this account"},
	"externalaccountrequired": {"external-account", "the CA wants an external account: --acme-eab-kid and --acme-eab-key-file"},
	"dns":                     {"dns", "the CA cannot resolve the host name"},
	"connection":              {"connection", "the CA cannot connect to this host"},
	"tls":                     {"connection", "the CA's TLS handshake with this host fails"},
	"caa":                     {"caa", "a CAA record in DNS forbids this CA to issue for the host"},
	"badnonce":                {"bad-nonce", "the CA refuses nonce after nonce"},
	"serverinternal":          {"server", "the CA has a fault of its own"},
	"useractionrequired":      {"user-action", "the CA wants a person to act, such as to agree to new terms"},
	"rejectedidentifier":      {"rejected-identifier", "the CA does not issue for this host"},
	"unsupportedidentifier":   {"rejected-identifier", "the CA does not issue for this kind of name"},
	"unsupportedcontact":      {"contact", "the CA does not accept the e-mail address"},
	"invalidcontact":          {"contact", "the CA does not accept the e-mail address"},
	"invalidprofile":          {"profile", "the CA does not offer this profile"},
	"malformed":               {"malformed", "the CA could not read the request"},
}

// meaningOf reads a problem type, or where there is none that we know, the status.
func meaningOf(kind string, status int) meaning {
	name := strings.ToLower(kind[strings.LastIndexByte(kind, ':')+1:])
	m, known := meanings[name]
	switch {
	case known:
		return m
	case status == 429:
		return meanings["ratelimited"]
	case status >= 500:
		return meanings["serverinternal"]
	default:
		return meaning{"malformed", "the CA refused the request"}
	}
}

// meaning is that of the document. One that says "compound" means what its first
// subproblem of a known type means (RFC 8555 §6.7.1).
func (p problem) meaning(status int) meaning {
	if strings.HasSuffix(p.Type, ":compound") {
		for _, sub := range p.Subproblems[:min(len(p.Subproblems), subproblemLimit)] {
			if m := meaningOf(sub.Type, status); m.kind != "malformed" {
				return m
			}
		}
	}
	return meaningOf(p.Type, status)
}

// quoted is text that somebody else wrote, made fit for a line of ours: no control or
// format characters, which could forge lines or turn them around, no white space that
// repeats, at most detailLimitBytes.
func quoted(text string) string {
	const more = "…"
	var b bytes.Buffer
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			r = ' '
		}
		if r == ' ' && (b.Len() == 0 || b.Bytes()[b.Len()-1] == ' ') {
			continue
		}
		if b.Len()+len(string(r)) > detailLimitBytes-len(more) {
			b.WriteString(more)
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " ")
}
