package certs

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// A pair is two files, and those who write them are not always atomic: what looks
	// broken is read again, swapTries times with swapPause between, before it is a fault.
	swapTries = 4
	swapPause = 100 * time.Millisecond
)

// Files is a source of certificates from PEM files, in the order of its pairs. Each pair
// is reloaded by itself: a bad one keeps what it served before and stops no other.
type Files struct {
	shelf
	log *slog.Logger
	now func() time.Time

	checking sync.Mutex // one look at the files at a time; held over swapPause
	mu       sync.Mutex // guards slots' content
	slots    []*slot
}

// PairStatus is how a pair stands.
type PairStatus struct {
	Pair
	// NotAfter is when the certificate being served expires.
	NotAfter time.Time
	// LoadedAt is when it was read.
	LoadedAt time.Time
	// Fault is why the files are not served as they are now, nil when they are.
	Fault error
	// Reloads counts changes that were taken over, Failures looks that found a fault.
	Reloads, Failures uint64
	// Warnings are what is wrong and does not prevent serving.
	Warnings []string
}

type slot struct {
	status PairStatus
	served *Certificate
	digest [sha256.Size]byte
}

// loaded is the outcome of a look at a pair's files that found a good pair.
type loaded struct {
	cert     *Certificate
	digest   [sha256.Size]byte
	warnings []string
}

// LoadFiles reads all pairs. With any fault it returns nil and every fault of every
// pair, each in one line that says what is wrong, where, and how to mend it. A
// certificate that is not valid yet is a warning only, since the clock may be to blame.
func LoadFiles(pairs []Pair, now func() time.Time, log *slog.Logger) (*Files, []error) {
	f := &Files{log: log, now: now}
	var faults []error
	for _, p := range pairs {
		got, err := look(p, now())
		if err != nil {
			faults = append(faults, split(err)...)
			continue
		}
		s := &slot{status: PairStatus{Pair: p}}
		s.take(got, now())
		f.slots = append(f.slots, s)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	f.serve()
	return f, nil
}

// Status returns how each pair stands, in their order.
func (f *Files) Status() []PairStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]PairStatus, 0, len(f.slots))
	for _, s := range f.slots {
		list = append(list, s.status)
	}
	return list
}

// Run looks at the files' content every interval and serves what has changed; times and
// inodes are not trusted, since Kubernetes swaps a directory by a symlink. A fault is
// logged once, not once a look. Run returns nil when ctx is done.
func (f *Files) Run(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			f.check(ctx, false)
		}
	}
}

// Reload looks at the files now and returns every fault that it found, joined; the
// pairs concerned keep serving what they did. It logs what it took over and leaves the
// faults to its caller. A pair that is broken is given 300 ms to become whole.
func (f *Files) Reload(ctx context.Context) error {
	return f.check(ctx, true)
}

func (f *Files) check(ctx context.Context, asked bool) error {
	f.checking.Lock()
	defer f.checking.Unlock()
	var faults []error
	swapped := false
	for _, s := range f.slots {
		got, err := f.lookPatiently(ctx, s, asked)
		if err != nil && ctx.Err() != nil {
			faults = append(faults, err)
			break // interrupted before the files had their time to become whole: no verdict
		}
		swapped = f.record(s, got, err, asked) || swapped
		faults = append(faults, err)
	}
	if swapped {
		f.serve()
	}
	return errors.Join(faults...)
}

// lookPatiently looks again at what seems broken. A fault that is known already gets
// one look per poll.
func (f *Files) lookPatiently(ctx context.Context, s *slot, asked bool) (loaded, error) {
	for try := 1; ; try++ {
		got, err := look(s.status.Pair, f.now())
		known := !asked && err != nil && s.status.Fault != nil && err.Error() == s.status.Fault.Error()
		if err == nil || known || try == swapTries || !pause(ctx, swapPause) {
			return got, err
		}
	}
}

// record notes the outcome and tells whether another certificate is to be served.
func (f *Files) record(s *slot, got loaded, err error, asked bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := s.status.Fault
	s.status.Fault = err
	switch {
	case err != nil:
		s.status.Failures++
		if !asked && (before == nil || before.Error() != err.Error()) {
			f.log.Error("a certificate's files are at fault: the one loaded before stays", "cert", s.status.CertFile, "error", err, "not_after", s.served.NotAfter)
		}
		return false
	case got.digest == s.digest:
		if before != nil {
			f.log.Info("the certificate's files are again as served", "cert", s.status.CertFile)
		}
		return false
	}
	old := s.served
	s.take(got, f.now())
	s.status.Reloads++
	f.log.Info("reloaded a certificate", "cert", s.status.CertFile, "old_serial", old.Serial, "serial", s.served.Serial, "not_after", s.served.NotAfter)
	return true
}

func (s *slot) take(got loaded, now time.Time) {
	s.served, s.digest = got.cert, got.digest
	s.status.NotAfter, s.status.LoadedAt = got.cert.NotAfter, now
	s.status.Warnings = got.warnings
}

// serve publishes what the slots hold. Its callers are the only ones who change them.
func (f *Files) serve() {
	list := make([]*Certificate, 0, len(f.slots))
	for _, s := range f.slots {
		list = append(list, s.served)
	}
	f.put(slices.Clip(list))
}

func look(p Pair, now time.Time) (loaded, error) {
	content, err := readPair(p)
	if err != nil {
		return loaded{}, err
	}
	cert, err := parsePair(p, content, now)
	if err != nil {
		return loaded{}, err
	}
	return loaded{cert: cert, digest: content.digest(), warnings: content.warnings(p, cert, now)}, nil
}

func (c pairContent) digest() [sha256.Size]byte {
	cert, key := sha256.Sum256(c.cert), sha256.Sum256(c.key)
	return sha256.Sum256(append(cert[:], key[:]...))
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

// split takes joined faults apart, however deep, so that each has its own line.
func split(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, split(e)...)
	}
	return list
}
