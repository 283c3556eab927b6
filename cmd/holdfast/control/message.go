package control

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Protocol is the version of the requests and answers. It changes when an old reader would
// misunderstand a new writer; a new field or verb does not change it.
const Protocol = 1

const (
	// RequestBytes is how long the line of a request may be.
	RequestBytes = 16 << 10
	// AnswerBytes is how long the line of an answer may be.
	AnswerBytes = 1 << 20
)

// A Request is what a client asks.
type Request struct {
	Protocol int             `json:"protocol"`
	Verb     string          `json:"verb"`
	Args     json.RawMessage `json:"args,omitempty"` // as the verb wants them
	// Wait asks for the answer when the server has stopped: its result is what Close was
	// given. Faults of the verb come at once.
	Wait bool `json:"wait,omitempty"`
}

// An Answer is what the server says to it.
type Answer struct {
	Protocol int             `json:"protocol"`
	PID      int             `json:"pid"`
	Version  string          `json:"version"` // of the server's binary
	Result   json.RawMessage `json:"result,omitempty"`
	Faults   []string        `json:"faults,omitempty"` // each one sentence; none when it went well
}

// decodeRequest reads a line, and says what is wrong with it in words for its writer.
func decodeRequest(line []byte) (q Request, err error) {
	if err := json.Unmarshal(line, &q); err != nil {
		return q, fmt.Errorf("the request is no JSON object that is understood here: %w", err)
	}
	switch {
	case q.Protocol != Protocol:
		return q, fmt.Errorf("the request speaks version %d of the control protocol, this server version %d: use the binary that the server runs", q.Protocol, Protocol)
	case q.Verb == "":
		return q, errors.New("the request has no verb")
	}
	return q, nil
}

// encode is an answer's line. One that is too long for the reader becomes a fault.
func (a Answer) encode() []byte {
	line, err := json.Marshal(a)
	if err == nil && len(line) >= AnswerBytes {
		err = fmt.Errorf("the answer has %d bytes, more than %d", len(line), AnswerBytes)
	}
	if err != nil {
		line, _ = json.Marshal(Answer{Protocol: a.Protocol, PID: a.PID, Version: a.Version, Faults: []string{err.Error()}})
	}
	return append(line, '\n')
}

// sentences are the parts of an error, one for each that was joined.
func sentences(err error) (all []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, sentences(e)...)
		}
		return all
	}
	return []string{err.Error()}
}
