package conn

import "context"

// lifetime is a connection's context, and its end.
type lifetime struct {
	context.Context
	cancel context.CancelFunc
}

// Context is done when the connection is cut or its handler has returned. Any goroutine
// may use it.
func (c *Conn) Context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lifetime == nil { // most connections live without
		c.lifetime = new(lifetime)
		c.lifetime.Context, c.lifetime.cancel = context.WithCancel(context.Background())
		if c.over {
			c.lifetime.cancel()
		}
	}
	return c.lifetime.Context
}

// finish ends the context.
func (c *Conn) finish() {
	c.mu.Lock()
	c.over = true
	l := c.lifetime
	c.mu.Unlock()
	if l != nil {
		l.cancel()
	}
}
