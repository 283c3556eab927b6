package renewal

import (
	"log/slog"
	"sync"
)

// outage logs once that the store fails, and once that it works again, for all hosts: a
// store that is gone for a night is two lines. Reading and writing fail apart: a full
// disk can be read.
type outage struct {
	what string
	mu   sync.Mutex
	down bool
}

func (o *outage) began(log *slog.Logger, store, words string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.down {
		log.Error("the store of certificates fails: what is served stays, and will be stored later", "store", store, "in", o.what, "error", words)
	}
	o.down = true
}

func (o *outage) ended(log *slog.Logger, store string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		log.Info("the store of certificates works again", "store", store, "in", o.what)
	}
	o.down = false
}
