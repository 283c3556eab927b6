package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

// A Peer is the process at the other end.
type Peer struct {
	UID int
	PID int // 0 when it is in a PID namespace that is not seen from here
}

// A Call is a request as its verb sees it.
type Call struct {
	Peer Peer
	Args json.RawMessage // nil without any
}

// Decode reads the arguments into a pointer. Without any it leaves it as it is; a name that
// it does not have is an error, since a misspelt limit must not become none.
func (c Call) Decode(into any) error {
	if len(c.Args) == 0 {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(c.Args)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the arguments are not as they should be: %w", err)
	}
	return nil
}

// A Verb does what it is named for, and returns what JSON makes the answer's result of. The
// context ends with the server, not with the client: what was begun is finished, whoever
// pressed Ctrl-C. Each sentence of an error, see errors.Join, becomes a fault. Several calls
// may run at a time; a panic is logged and is a fault.
type Verb func(ctx context.Context, c Call) (result any, err error)

// Verbs are what a server can be asked, by name.
type Verbs map[string]Verb

// do runs a verb.
func (v Verbs) do(ctx context.Context, q Request, p Peer, log *slog.Logger) (result any, err error) {
	verb := v[q.Verb]
	if verb == nil {
		known := strings.Join(slices.Sorted(maps.Keys(v)), ", ")
		return nil, fmt.Errorf("the server knows no verb %q, only %s: is it of another version?", q.Verb, known)
	}
	defer func() {
		if value := recover(); value != nil {
			log.Error("control verb panicked", "verb", q.Verb, "panic", value, "stack", string(debug.Stack()))
			result, err = nil, errors.New("the server failed over it; its log says where")
		}
	}()
	return verb(ctx, Call{Peer: p, Args: q.Args})
}
