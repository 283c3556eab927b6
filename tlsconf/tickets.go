package tlsconf

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

const (
	// ticketEpoch is for how long one key makes tickets.
	ticketEpoch = 12 * time.Hour
	// ticketEpochsKept is how many keys before the present one still open tickets. A ticket
	// so lives for 24 to 36 h. RFC 8446 §4.6.1 allows 7 days; but whoever takes the secret
	// reads what these keys have sealed, so they should not reach far.
	ticketEpochsKept = 2
	// ticketCheck is how often the clock is looked at. Timers do not notice when it is set.
	ticketCheck = time.Minute

	// How long after a failure the secret is asked for again, doubling, and how long one
	// answer may take.
	secretRetryMin = time.Second
	secretRetryMax = time.Minute
	secretPatience = 10 * time.Second
)

// TicketKeys gives a tls.Config the session ticket keys of a cluster, so that a session made
// on one replica resumes on every other. The keys come from one secret and the time alone
// (HKDF with SHA-256, RFC 5869), a new one every 12 hours: nobody has to tell anybody.
//
// The present key makes tickets; those of the two epochs before open them too, so a ticket
// is good for 24 to 36 hours, and so does that of the next epoch, for replicas whose clock is
// ahead, by up to 12 hours. A clock that is further off costs resumption with the others and
// nothing else: a ticket that nobody can open leads to a full handshake.
//
// Until the secret is known the Config keeps crypto/tls's own keys, which are good for its
// own sessions. All fields are set before the first use; Now may be nil for the time of the
// machine.
type TicketKeys struct {
	// Config is the one that all connections share. Nobody else sets its ticket keys.
	Config *tls.Config
	// Secret is asked for the cluster's secret until it answers, and then once an epoch: one
	// that has changed is used from then on, and the sessions made under the old one are
	// forgotten. An error keeps the secret that is known. It must not hold the secret.
	Secret func(ctx context.Context) (Secret, error)
	Now    func() time.Time
	Log    *slog.Logger

	mu     sync.Mutex // guards what is below, and is held while keys are set
	secret *Secret    // nil while it is unknown
	epoch  int64      // of the present key, once there is one
	fault  string     // why the secret was not had the last time; logged once
}

// Run keeps the keys of the present until ctx is done, and then returns nil.
func (k *TicketKeys) Run(ctx context.Context) error {
	wait := secretRetryMin
	for !k.known() && k.ask(ctx) != nil {
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, secretRetryMax)
	}
	for pause(ctx, ticketCheck) {
		if k.turn() {
			_ = k.ask(ctx) // it is in the log, and the known one does
		}
	}
	return nil
}

// Refresh asks for the secret now, for 10 seconds at most, and sets the keys that come of
// it. With an error they stay what they are.
func (k *TicketKeys) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, secretPatience)
	defer cancel()
	secret, err := k.Secret(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fault = ""
	if k.secret != nil && *k.secret == secret && k.epoch == ticketEpochAt(k.now()) {
		return nil
	}
	if k.secret == nil {
		k.Log.Info("sessions resume on every replica with the same secret")
	} else if *k.secret != secret {
		k.Log.Info("the cluster's secret has changed: sessions begin anew")
	}
	k.secret = &secret
	k.set()
	return nil
}

// ask is Refresh for who cannot tell anybody of an error.
func (k *TicketKeys) ask(ctx context.Context) error {
	err := k.Refresh(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch text := err.Error(); {
	case text == k.fault:
	case k.secret == nil:
		k.Log.Warn("the cluster's secret is not known yet: sessions resume on this replica alone", "error", err)
	default:
		k.Log.Warn("the cluster's secret was not told anew: the known one stays", "error", err)
	}
	k.fault = err.Error()
	return err
}

func (k *TicketKeys) known() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.secret != nil
}

// turn sets the keys of the present, and tells whether they are others than before.
func (k *TicketKeys) turn() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch == ticketEpochAt(k.now()) {
		return false
	}
	k.set()
	return true
}

// set is called with mu held and a secret known.
func (k *TicketKeys) set() {
	k.epoch = ticketEpochAt(k.now())
	k.Config.SetSessionTicketKeys(ticketKeys(k.secret, k.epoch))
	k.Log.Debug("session ticket keys set", "epoch", k.epoch)
}

func (k *TicketKeys) now() time.Time {
	if k.Now == nil {
		return time.Now()
	}
	return k.Now()
}

// ticketEpochAt numbers the epochs, in every replica alike.
func ticketEpochAt(now time.Time) int64 { return now.Unix() / int64(ticketEpoch/time.Second) }

// ticketKeys are those of an epoch: first the one that makes tickets, then by how likely a
// ticket is under them, since each that does not fit costs an HMAC.
func ticketKeys(secret *Secret, epoch int64) [][32]byte {
	keys := [][32]byte{ticketKey(secret, epoch)}
	for back := range int64(ticketEpochsKept) {
		keys = append(keys, ticketKey(secret, epoch-1-back))
	}
	return append(keys, ticketKey(secret, epoch+1))
}

// ticketKey is the key of one epoch. The label keeps it apart from whatever else may be
// derived from the same secret, and from epochs of another length.
func ticketKey(secret *Secret, epoch int64) [32]byte {
	label := "holdfast tls session ticket key, " + ticketEpoch.String() + " epoch " + strconv.FormatInt(epoch, 10)
	key, err := hkdf.Key(sha256.New, secret[:], nil, label, 32)
	if err != nil {
		panic(fmt.Sprintf("tlsconf: HKDF of 32 bytes: %v", err)) // it fails for lengths over 8160 alone
	}
	return [32]byte(key)
}

// pause waits for d and tells whether it could: false when ctx is done.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
