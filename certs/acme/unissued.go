package acme

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-server/holdfast/certs/renewal"
)

// brokenOff adds to the error of an attempt that was told to stop whether the CA can have
// issued: only after it was sent a CSR (RFC 8555 §7.4).
func (l *line) brokenOff(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked || !errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", renewal.ErrUnissued, err)
}
