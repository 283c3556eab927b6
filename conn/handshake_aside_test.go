package conn_test

import (
	"context"
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// aside is what a hello's Conn can do.
type aside interface {
	Aside(wait func(context.Context)) error
}

// patientHost is the name for which a certificate has to be waited for.
const patientHost = "patient.test"

// asideWorld has one slot, and hellos for patientHost wait for others to let them go.
func asideWorld(t *testing.T, f func(t *testing.T, w *world, let chan struct{})) {
	t.Helper()
	o, _ := handshakers(1, conn.Limits{HandshakeTimeout: 10 * time.Second})
	var let chan struct{} // made in the bubble
	o.config = func(c *tls.Config) {
		c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			if h.ServerName != patientHost {
				return nil, nil
			}
			return nil, h.Conn.(aside).Aside(func(ctx context.Context) {
				select {
				case <-let:
				case <-ctx.Done():
				}
			})
		}
	}
	inWorld(t, o, func(t *testing.T, w *world) {
		let = make(chan struct{})
		f(t, w, let)
	})
}

// wait makes n handshakes for patientHost, and returns once all of them wait.
func (w *world) wait(n int) (ends []<-chan error) {
	for range n {
		p, end := w.dialRaw(), make(chan error, 1)
		p.busy.Go(func() {
			config := clientTLS()
			config.ServerName, config.InsecureSkipVerify = patientHost, true
			end <- tls.Client(p.raw, config).Handshake()
		})
		ends = append(ends, end)
	}
	synctest.Wait()
	return ends
}

func TestHandshakeAside(t *testing.T) {
	t.Run("hellos that wait hold no slot, and go on where they were", func(t *testing.T) {
		asideWorld(t, func(t *testing.T, w *world, let chan struct{}) {
			ends := w.wait(20)
			p := w.dial()
			p.ask("echo a", "a")
			p.wantTime(0)
			close(let)
			for _, end := range ends {
				if err := <-end; err != nil {
					t.Error(err)
				}
			}
		})
	})
	t.Run("they end with the handshake clock", func(t *testing.T) {
		asideWorld(t, func(t *testing.T, w *world, _ chan struct{}) {
			began := time.Now()
			for _, end := range w.wait(2) {
				if err := <-end; err == nil || time.Since(began) != 10*time.Second {
					t.Errorf("%v after %v", err, time.Since(began))
				}
			}
			w.dial().ask("echo a", "a")
		})
	})
	t.Run("a drain gives them a second", func(t *testing.T) {
		asideWorld(t, func(t *testing.T, w *world, _ chan struct{}) {
			ends := w.wait(1)
			began := time.Now()
			w.drain()
			if err := <-ends[0]; err == nil || time.Since(began) > emptied+time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	})
	t.Run("a cut ends them", func(t *testing.T) {
		asideWorld(t, func(t *testing.T, w *world, _ chan struct{}) {
			ends := w.wait(1)
			began := time.Now()
			w.closeListeners()
			w.server.Cut()
			if err := <-ends[0]; err == nil || time.Since(began) > emptied {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			w.end()
		})
	})
}
