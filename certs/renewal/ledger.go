package renewal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	// ledgerEvents bounds a host's ledger: weeks of failures at one an hour show their
	// last two days, which is what one reads.
	ledgerEvents = 50
	// ledgerWordsBytes bounds one event's words: a CA's problem document may be long.
	ledgerWordsBytes = 500
	// ledgerBytes bounds what the store keeps of a host. In Kubernetes all hosts share 1 MiB
	// with their certificates, and an outage of the CA fills all ledgers at once.
	ledgerBytes = 4 << 10
)

// The kinds of Event.
const (
	EventOrdered  = "ordered"
	EventNote     = "note"       // a step that the issuer told of
	EventIssued   = "issued"     // with serial and expiry
	EventFailed   = "failed"     // Words has the issuer's kind and words
	EventTaken    = "taken-over" // from the store: another replica, or an earlier start
	EventLost     = "lease-lost"
	EventProof    = "proof-failed"
	EventStore    = "store-failed"
	EventStored   = "stored" // after the store had failed
	EventBadEntry = "bad-entry"
	EventAdvice   = "advice" // the CA's window came, or moved
	EventBudget   = "budget"
	EventClock    = "clock"
	EventShorter  = "shorter" // issued, and not served: it ends before the one in use
	EventOverdue  = "overdue"
	EventExpiring = "expiring"
	EventNotYet   = "not-yet-valid"
)

// Event is one line of a host's ledger.
type Event struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	// Holder is the replica that saw it.
	Holder string `json:"holder,omitempty"`
	// Reason is why an order was placed.
	Reason Reason `json:"reason,omitempty"`
	// Serial and NotAfter are the certificate's that the event is about, OldSerial that
	// of the one before it.
	Serial    string    `json:"serial,omitempty"`
	OldSerial string    `json:"old_serial,omitempty"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// Until is the end of the rest that the event began.
	Until time.Time `json:"until,omitzero"`
	// Words say more, for people.
	Words string `json:"words,omitempty"`
}

// ledger is what is kept of a host under "ledger/HOST" (see entry), written only under its lease.
type ledger struct {
	// Failures counts orders that failed since the last that did not.
	Failures int     `json:"failures,omitempty"`
	Hold     hold    `json:"hold,omitzero"`
	Life     seconds `json:"life_seconds,omitempty"` // of the last certificate issued
	Events   []Event `json:"events"`

	changes int // of Events
}

type seconds int64

func (s seconds) duration() time.Duration {
	return time.Duration(max(0, min(s, 1<<32))) * time.Second
}

// add appends e, and lets go of the oldest events when there are too many.
func (l *ledger) add(e Event) {
	// The words may be a stranger's, and are shown on terminals.
	e.Words = strings.Map(printable, e.Words)
	if len(e.Words) > ledgerWordsBytes {
		e.Words = strings.ToValidUTF8(e.Words[:ledgerWordsBytes], "") + "…"
	}
	l.Events = append(l.Events, e)
	l.changes++
	l.trim()
}

func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return ' '
	}
	return r
}

// merge takes in the events of other that l does not have: another replica's, and those
// of an earlier start.
func (l *ledger) merge(other []Event) {
	for _, e := range other {
		if !slices.ContainsFunc(l.Events, e.same) {
			l.Events = append(l.Events, e)
		}
	}
	l.changes++
	slices.SortStableFunc(l.Events, func(a, b Event) int { return a.At.Compare(b.At) })
	l.trim()
}

func (l *ledger) trim() {
	if extra := len(l.Events) - ledgerEvents; extra > 0 {
		l.Events = slices.Delete(l.Events, 0, extra)
	}
}

func (e Event) same(f Event) bool {
	return e.At.Equal(f.At) && e.Kind == f.Kind && e.Holder == f.Holder && e.Serial == f.Serial
}

// issued returns the event that tells of the certificate with this serial being issued.
func (l *ledger) issued(serial string) (Event, bool) {
	at := slices.IndexFunc(l.Events, func(e Event) bool { return e.Kind == EventIssued && e.Serial == serial })
	if at < 0 {
		return Event{}, false
	}
	return l.Events[at], true
}

func parseLedger(value []byte) (ledger, error) {
	var l ledger
	if err := json.Unmarshal(value, &l); err != nil {
		return ledger{}, fmt.Errorf("the ledger is damaged: %w", err)
	}
	l.Failures = max(l.Failures, 0)
	l.Hold = l.Hold.bound()
	l.trim()
	return l, nil
}

// encode returns l as the store keeps it, without its oldest events where they take too
// much room.
func (l *ledger) encode() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // six bytes for one, where no page shows it
	for kept := *l; ; kept.Events = kept.Events[1:] {
		text.Reset()
		if err := encoder.Encode(&kept); err != nil || text.Len() <= ledgerBytes || len(kept.Events) == 0 {
			return text.Bytes(), err
		}
	}
}

// String tells of the event in one line.
func (e Event) String() string {
	words := e.sentence()
	if e.Words != "" {
		words += ": " + e.Words
	}
	if !e.Until.IsZero() {
		words += "; the next try is not before " + stamp(e.Until)
	}
	return fmt.Sprintf("%s %s (%s)", stamp(e.At), words, cmp.Or(e.Holder, "unknown replica"))
}

func (e Event) sentence() string {
	switch e.Kind {
	case EventOrdered:
		return "ordered a certificate, " + e.Reason.words()
	case EventNote:
		return "while ordering"
	case EventIssued:
		return fmt.Sprintf("got certificate %s, valid until %s%s", e.Serial, stamp(e.NotAfter), after(e.OldSerial))
	case EventFailed:
		return "the order failed"
	case EventTaken:
		return fmt.Sprintf("took certificate %s from the store, valid until %s%s", e.Serial, stamp(e.NotAfter), after(e.OldSerial))
	case EventLost:
		return "lost the lease while ordering, so another replica may order"
	case EventProof:
		return fmt.Sprintf("did not serve certificate %s, because a handshake with it failed", e.Serial)
	case EventStore:
		return "the store failed"
	case EventStored:
		return fmt.Sprintf("stored certificate %s at last", e.Serial)
	case EventBadEntry:
		return "passed over what the store holds for this host"
	default:
		return e.remark()
	}
}

// remark is the sentence of an event that is no step of an order.
func (e Event) remark() string {
	switch e.Kind {
	case EventAdvice:
		return "the CA's advice on when to renew"
	case EventBudget:
		return "placed no order, because the local budget is used up"
	case EventClock:
		return "the clock"
	case EventShorter:
		return fmt.Sprintf("kept the certificate in use, because the new one, %s, ends earlier: %s", e.Serial, stamp(e.NotAfter))
	case EventOverdue:
		return fmt.Sprintf("renewal of certificate %s is overdue", e.Serial)
	case EventExpiring:
		return fmt.Sprintf("certificate %s nears its end or has passed it: %s", e.Serial, stamp(e.NotAfter))
	case EventNotYet:
		return fmt.Sprintf("certificate %s is not valid yet by this machine's clock", e.Serial)
	default:
		return e.Kind
	}
}

func after(serial string) string {
	if serial == "" {
		return ""
	}
	return ", after " + serial
}

func (r Reason) words() string {
	switch r {
	case Missing:
		return "because there was none"
	case Moved:
		return "because the one in use is another CA's"
	case Advised:
		return "because the CA asked for it"
	case Asked:
		return "because an operator asked for it"
	case Forced:
		return "because an operator asked for it, beside the budget"
	default:
		return "because its time had come"
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
