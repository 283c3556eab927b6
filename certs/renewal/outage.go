package renewal

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// outageForgets is after what time a name that failed, and was not asked for since, no
	// longer says that the store fails.
	outageForgets = 2 * time.Minute
	// outageQuiet is the least time between two lines that tell of a failure: a store that
	// comes and goes is 12 lines an hour.
	outageQuiet = 10 * time.Minute
)

// outage logs once that the store fails, and once that it works again, for all hosts: a
// store that is gone for a night is two lines. It works again when no name fails, for one
// entry that cannot be read fails for ever between others that can. Reading and writing
// fail apart: a full disk can be read.
type outage struct {
	what string

	mu      sync.Mutex
	failing map[string]time.Time // when a name failed last; as many as hosts have entries
	told    bool                 // of this outage
	toldAt  time.Time
}

func (o *outage) began(log *slog.Logger, store, name, words string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing == nil {
		o.failing = make(map[string]time.Time)
	}
	now := time.Now()
	o.failing[name] = now
	if o.told || !o.toldAt.IsZero() && now.Sub(o.toldAt) < outageQuiet {
		return
	}
	o.told, o.toldAt = true, now
	log.Error("the store of certificates fails: what is served stays, and will be stored later", "store", store, "in", o.what, "error", words)
}

func (o *outage) ended(log *slog.Logger, store, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.failing, name)
	for other, at := range o.failing {
		if time.Since(at) >= outageForgets {
			delete(o.failing, other)
		}
	}
	if !o.told || len(o.failing) > 0 {
		return
	}
	o.told = false
	log.Info("the store of certificates works again", "store", store, "in", o.what)
}
