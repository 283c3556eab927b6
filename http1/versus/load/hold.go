package load

import (
	"context"
	"sync"
	"sync/atomic"
)

// openers is how many connections are opened at the same time: enough to hide the round
// trips, few enough for any accept queue.
const openers = 32

// Held are connections on which one request was answered, and nothing said since.
type Held struct{ raw []*connection }

// Hold opens t.Connections connections and asks once on each. Close the result.
func Hold(ctx context.Context, t Target) (*Held, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &Held{raw: make([]*connection, t.Connections)}
	var next atomic.Int64
	var opening sync.WaitGroup
	for range openers {
		opening.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(h.raw)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				var err error
				if h.raw[i], err = holdOne(ctx, &t); err != nil {
					cancel(err)
				}
			}
		})
	}
	opening.Wait()
	if err := context.Cause(ctx); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// holdOne opens one connection. The client's half of a TLS session is dropped: it would
// cost the client as much as the server, and nothing more is said.
func holdOne(ctx context.Context, t *Target) (*connection, error) {
	c, err := dial(ctx, t)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, c.close)
	_, err = c.learn(t.request())
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return &connection{c.raw, c.raw}, nil
}

// Close resets all connections.
func (h *Held) Close() {
	for _, c := range h.raw {
		if c != nil {
			c.close()
		}
	}
}
