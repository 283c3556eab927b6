package kubestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-server/holdfast/certs/store"
)

const (
	// secretLimitBytes is what Kubernetes lets the values of a Secret have in all.
	secretLimitBytes = 1 << 20
	// reservedBytes are kept for certificates, keys and challenges: without a ledger a host is
	// served, without a certificate it is not.
	reservedBytes = secretLimitBytes / 4
	// fenceLimit is what nobody counts to: a holder each second comes there in 34 years.
	fenceLimit = 1 << 30
	// keyLimitBytes is the longest key of a Secret.
	keyLimitBytes = 253

	// slash stands for "/" in a key. No name has an upper-case letter.
	slash = "S"
	// longKey begins a key that a hash stands in for: the name is the value's first line.
	longKey = "L"

	lessOfIt = "give some hosts to a store of their own, or use a Redis"

	fencePrefix = "holdfast.dev/fence-"
)

// secret is a Secret. What we do not know of it is kept as it came: a write is of the
// whole object.
type secret struct {
	rest     map[string]json.RawMessage
	metadata map[string]json.RawMessage
	notes    map[string]string // the annotations
	data     map[string][]byte
}

// newSecret is one that is to be created.
func newSecret(name string) *secret {
	quoted, _ := json.Marshal(name) // a string always can be
	return &secret{
		rest:     map[string]json.RawMessage{"apiVersion": []byte(`"v1"`), "kind": []byte(`"Secret"`), "type": []byte(`"Opaque"`)},
		metadata: map[string]json.RawMessage{"name": quoted},
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (x *secret) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &x.rest); err != nil {
		return err
	}
	for key, to := range map[string]any{"metadata": &x.metadata, "data": &x.data} {
		if part, ok := x.rest[key]; ok {
			if err := json.Unmarshal(part, to); err != nil {
				return err
			}
		}
	}
	if notes, ok := x.metadata["annotations"]; ok {
		return json.Unmarshal(notes, &x.notes)
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (x *secret) MarshalJSON() ([]byte, error) {
	for _, part := range []struct {
		in    map[string]json.RawMessage
		key   string
		value any
	}{{x.metadata, "annotations", x.notes}, {x.rest, "metadata", x.metadata}, {x.rest, "data", x.data}} {
		text, err := json.Marshal(part.value)
		if err != nil {
			return nil, err
		}
		part.in[part.key] = text
	}
	return json.Marshal(x.rest)
}

// keyOf is the key of a name in the Secret, whose alphabet is [-._a-zA-Z0-9].
func keyOf(name string) string {
	key := strings.ReplaceAll(name, "/", slash)
	if len(key) <= keyLimitBytes {
		return key
	}
	sum := sha256.Sum256([]byte(name))
	return longKey + hex.EncodeToString(sum[:])
}

// get returns the value under name.
func (x *secret) get(name string) (value []byte, ok bool) {
	key := keyOf(name)
	value, ok = x.data[key]
	if strings.HasPrefix(key, longKey) {
		_, value, _ = bytes.Cut(value, []byte("\n"))
	}
	return value, ok
}

// put sets the value under name, unless there is no room for it.
func (x *secret) put(name string, value []byte) error {
	key := keyOf(name)
	if strings.HasPrefix(key, longKey) {
		value = append([]byte(name+"\n"), value...)
	}
	if x.data == nil {
		x.data = make(map[string][]byte)
	}
	grows := len(value) > len(x.data[key])
	x.data[key] = value
	total := 0
	for _, value := range x.data {
		total += len(value)
	}
	if limit := roomFor(name); total > limit && (grows || total > secretLimitBytes) {
		return fmt.Errorf("%w: %d bytes with %s, the limit is %d: %s", errTooLarge, total, name, limit, lessOfIt)
	}
	return nil
}

// roomFor is how large the Secret may be with a value of this name.
func roomFor(name string) int {
	switch kind, _, _ := strings.Cut(name, "/"); kind {
	case "cert", "account", "secret", "challenge":
		return secretLimitBytes
	}
	return secretLimitBytes - reservedBytes
}

// names are those of our values. A key that somebody else put there has none.
func (x *secret) names() (names []string) {
	for key, value := range x.data {
		name := strings.ReplaceAll(key, slash, "/")
		if strings.HasPrefix(key, longKey) {
			first, _, _ := bytes.Cut(value, []byte("\n"))
			name = string(first)
		}
		if store.CheckName(name) == nil && keyOf(name) == key {
			names = append(names, name)
		}
	}
	return names
}

// fenceNote is the annotation that has the newest fence of a lease.
func fenceNote(lease string) string {
	sum := sha256.Sum256([]byte(lease))
	return fencePrefix + hex.EncodeToString(sum[:16])
}

// fence is the newest fence of a lease that the Secret knows, 0 if there was none.
func (x *secret) fence(lease string) uint64 {
	n, _ := strconv.ParseUint(x.notes[fenceNote(lease)], 10, 64)
	return counted(n)
}

// counted is a fence that came by counting, 0 for somebody's scribble: the API refuses
// leaseTransitions above 31 bits, so that one that is near them would end the lease for good.
func counted(n uint64) uint64 {
	if n > fenceLimit {
		return 0
	}
	return n
}

// setFence notes that a lease has a holder with this fence.
func (x *secret) setFence(lease string, fence uint64) {
	if x.notes == nil {
		x.notes = make(map[string]string)
	}
	x.notes[fenceNote(lease)] = strconv.FormatUint(fence, 10)
}
