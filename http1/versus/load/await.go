package load

import (
	"context"
	"fmt"
	"net"
	"time"
)

const (
	awaitTotal = 10 * time.Second      // for a server to come up
	awaitPause = 10 * time.Millisecond // between two attempts
)

// Await returns once somebody accepts connections at addr, or with an error after 10 s.
func Await(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTotal)
	defer cancel()
	pause := time.NewTicker(awaitPause)
	defer pause.Stop()
	for {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nobody listens at %s: %w", addr, err)
		case <-pause.C:
		}
	}
}
