package session

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a session.
const (
	// MaxSubjectBytes bounds who a session is for.
	MaxSubjectBytes = 256
	// MaxSessionBytes bounds a session's record, its values and flashes included: what one
	// member may make every process keep. What changes nothing of these may make it some
	// bytes longer: a visit, or a rotation by another agent.
	MaxSessionBytes = 32 << 10

	maxAgentBytes = 256 // of a User-Agent; the rest helps no member to know a device
)

// tokenBytes is the cookie's random value: nobody guesses one of 2^256.
const tokenBytes = 32

// id is the SHA-256 of a token. A plain hash is enough for a value that cannot be guessed, and
// whoever reads the store cannot send what it was made of.
type id [sha256.Size]byte

func newID(token [tokenBytes]byte) id { return sha256.Sum256(token[:]) }

func (i id) String() string { return hex.EncodeToString(i[:]) }

// parseID is the inverse of String: 64 lower-case digits, one spelling for each.
func parseID(s string) (i id, ok bool) {
	if len(s) != 2*len(i) || strings.ToLower(s) != s {
		return i, false
	}
	_, err := hex.Decode(i[:], []byte(s))
	return i, err == nil
}

// Keys of the store.
const (
	sessionPrefix = "session/"
	indexPrefix   = "sessions/"
	subjectPrefix = "subject/"
)

func sessionKey(i id) string { return sessionPrefix + i.String() }

func indexKey(subject string, i id) string { return indexPrefix + subject + "/" + i.String() }

func subjectKey(subject string) string { return subjectPrefix + subject }

// errSubject is what a subject gets that would not be one part of a key.
var errSubject = errors.New("session: a subject is 1 to 256 bytes of UTF-8 without '/' and control characters")

func validSubject(subject string) error {
	if subject == "" || len(subject) > MaxSubjectBytes || !utf8.ValidString(subject) {
		return errSubject
	}
	for _, r := range subject {
		if r == '/' || r < ' ' || r >= 0x7f && r < 0xa0 {
			return errSubject
		}
	}
	return nil
}

// record is a session as the store keeps it. It is shared once it is remembered, and never
// changed: a change makes another.
type record struct {
	Subject string                     `json:"subject,omitempty"`
	Epoch   string                     `json:"epoch,omitempty"`
	Family  string                     `json:"family,omitempty"` // see family
	Began   time.Time                  `json:"began"`
	Seen    time.Time                  `json:"seen"`
	Ends    time.Time                  `json:"ends"`
	Agent   string                     `json:"agent,omitempty"`
	Values  map[string]json.RawMessage `json:"values,omitempty"`
	Flashes []Flash                    `json:"flashes,omitempty"`
}

// indexed is what the member's page shows of a session.
type indexed struct {
	Epoch string    `json:"epoch"`
	Began time.Time `json:"began"`
	Seen  time.Time `json:"seen"`
	Ends  time.Time `json:"ends"`
	Agent string    `json:"agent,omitempty"`
	// Session is the id that the session has now, empty if it is the one in the line's key.
	Session string `json:"session,omitempty"`
}

// family is the id that the session of i began with. Rotations keep it, and it names the
// session's line: so who ends that ends what became of it meanwhile.
func (r *record) family(i id) id {
	if first, ok := parseID(r.Family); ok {
		return first
	}
	return i
}

// subjectRecord holds what all sessions of a subject have in common: one that began under
// another epoch is none.
type subjectRecord struct {
	Epoch string `json:"epoch"`
}

// expires is when the record ends by itself: at the absolute end, or before that unless the
// session is seen again.
func (r *record) expires(idle time.Duration) time.Time {
	if end := r.Seen.Add(idle); end.Before(r.Ends) {
		return end
	}
	return r.Ends
}

// writes are the changes that keep r under i: the session under the condition, and its line in
// the member's list.
func (r *record) writes(i id, idle time.Duration, when Condition, quiet bool) ([]Change, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	until := r.expires(idle)
	changes := []Change{{Key: sessionKey(i), Value: value, Expires: until, If: when, Quiet: quiet}}
	if r.Subject == "" {
		return changes, nil
	}
	first, shown := r.family(i), indexed{Epoch: r.Epoch, Began: r.Began, Seen: r.Seen, Ends: r.Ends, Agent: r.Agent}
	if first != i {
		shown.Session = i.String()
	}
	line, err := json.Marshal(shown)
	if err != nil {
		return nil, err
	}
	return append(changes, Change{Key: indexKey(r.Subject, first), Value: line, Expires: until, Quiet: quiet}), nil
}

// larger tells whether next takes more than a session may, and more than r.
func (r *record) larger(next *record) (bool, error) {
	value, err := json.Marshal(next)
	if err != nil || len(value) <= MaxSessionBytes {
		return false, err
	}
	before, err := json.Marshal(r)
	return len(value) > len(before), err
}

// removals are the changes that end the session of i.
func (r *record) removals(i id, when Condition) []Change {
	changes := []Change{{Key: sessionKey(i), If: when}}
	if r.Subject != "" {
		changes = append(changes, Change{Key: indexKey(r.Subject, r.family(i))})
	}
	return changes
}

// agent is what is kept of a User-Agent: text, of a length that somebody reads.
func agent(field []byte) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(field[:min(len(field), maxAgentBytes)]), ""))
	return strings.TrimSpace(text)
}
