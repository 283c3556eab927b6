package certs

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	localSource = "local CA"

	// clockCheck is how often the leaf is held against the clock. Timers do not notice
	// when a clock is set, as happens a minute after booting a machine without one.
	clockCheck = time.Minute

	// maxInterfaceAddrs bounds the addresses on a leaf that come from the machine's
	// interfaces: a container host may have thousands.
	maxInterfaceAddrs = 32
)

// LocalConfig says what the local certificate is for and where its CA is kept.
type LocalConfig struct {
	// State keeps the CA. With nil the CA ends with the process, and no client will
	// trust it for longer.
	State *State
	// Machine is the machine's name; it may be empty.
	Machine string
	// Names are further host names and addresses that must be on the certificate.
	Names []string
	// Addrs are the addresses of the listeners. An unspecified one, such as 0.0.0.0,
	// stands for those of the machine's interfaces.
	Addrs []netip.Addr
	Log   *slog.Logger
	Now   func() time.Time
}

func (c LocalConfig) caRequest() CARequest {
	return CARequest{Machine: c.Machine, Names: c.Names, Addrs: c.Addrs}
}

// Local is a source with one certificate, signed by the local CA: for localhost,
// *.localhost, 127.0.0.1, ::1, the machine's name, the listeners' addresses and the
// names asked for. The leaf and its key are in memory only, and fresh at each start:
// clients trust the CA, so a leaf on disk would be a key to lose and nothing gained.
type Local struct {
	shelf
	config LocalConfig
	ca     *CA    // Run's, once it has been called
	fault  string // the last failure to reissue, so that each is logged once
}

// NewLocal loads or makes the CA and issues the first certificate.
//
// A name of config.Names that an existing CA may not sign for is an error: a new CA
// would take away, without a word, the trust that users have given to the old one. The
// machine's name and the listeners' addresses change by themselves, with a network or
// a pod; they are left off with a line in the log.
func NewLocal(config LocalConfig) (*Local, error) {
	ca, err := LoadOrCreateCA(config.State, config.caRequest(), config.Log, config.Now())
	if err != nil {
		return nil, err
	}
	l := &Local{config: config, ca: ca}
	if err := l.checkNames(); err != nil {
		return nil, err
	}
	l.tellLeftOff()
	return l, l.reissue()
}

// Run reissues the certificate when two thirds of its life have passed, when a clock
// that was set has left it outside its dates, and the CA when that nears its end. It
// returns nil when ctx is done. A failure keeps the old certificate and is tried again
// after a minute.
func (l *Local) Run(ctx context.Context) error {
	ticker := time.NewTicker(clockCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			l.keepFresh()
		}
	}
}

func (l *Local) keepFresh() {
	old, now := l.Certificates()[0], l.config.Now()
	if !now.Before(old.NotBefore) && now.Before(old.atShare(2, 3)) {
		return
	}
	err := l.reissue()
	switch {
	case err == nil:
		fresh := l.Certificates()[0]
		l.fault = ""
		l.config.Log.Info("reissued the local certificate", "old_serial", old.Serial, "serial", fresh.Serial, "not_after", fresh.NotAfter)
	case err.Error() != l.fault:
		l.fault = err.Error()
		l.config.Log.Error("cannot reissue the local certificate: the old one stays", "error", err, "not_after", old.NotAfter)
	}
}

func (l *Local) reissue() error {
	now := l.config.Now()
	if l.ca.ending(now) {
		ca, err := LoadOrCreateCA(l.config.State, l.config.caRequest(), l.config.Log, now)
		if err != nil {
			return err
		}
		l.ca = ca
	}
	names, addrs := l.subjects()
	leaf, err := l.ca.Issue(names, addrs, now)
	if err != nil {
		return err
	}
	l.put([]*Certificate{newCertificate(localSource, leaf)})
	return nil
}

// subjects returns what the CA may sign for of what the certificate should be for.
func (l *Local) subjects() (names []string, addrs []netip.Addr) {
	// NewLocal's LoadOrCreateCA has refused names that do not parse.
	names, addrs, _ = splitNames(l.config.Names)
	names = append([]string{"localhost", "*.localhost"}, names...)
	addrs = append([]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, addrs...)
	if machine, err := asciiName(l.config.Machine); err == nil && !isAddress(machine) {
		names = append(names, machine)
	}
	for _, addr := range l.config.Addrs {
		if addr.IsUnspecified() {
			addrs = append(addrs, interfaceAddrs()...)
		} else {
			addrs = append(addrs, addr.Unmap().WithZone(""))
		}
	}
	permitted := l.ca.scope()
	names = slices.DeleteFunc(names, func(name string) bool { return !permitted.hasName(name) })
	addrs = slices.DeleteFunc(addrs, func(addr netip.Addr) bool { return !permitted.hasAddr(addr) })
	return unique(names), unique(addrs)
}

// checkNames refuses names that were asked for and cannot be had.
func (l *Local) checkNames() error {
	names, addrs, err := splitNames(l.config.Names)
	if err != nil {
		return err
	}
	var refused []string
	permitted := l.ca.scope()
	for _, name := range names {
		if !permitted.hasName(name) {
			refused = append(refused, name)
		}
	}
	for _, addr := range addrs {
		if !permitted.hasAddr(addr) {
			refused = append(refused, addr.String())
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return fmt.Errorf("the local CA in %s may not sign for %s, only for %s: give a certificate with --cert and --key, or move %s away to get a new CA that may (clients must then trust that one)",
		l.config.State.Dir(), strings.Join(refused, ", "), permitted, caBundleName)
}

func (l *Local) tellLeftOff() {
	permitted := l.ca.scope()
	var left []string
	if machine, err := asciiName(l.config.Machine); l.config.Machine != "" && (err != nil || !permitted.hasName(machine)) {
		left = append(left, l.config.Machine)
	}
	for _, addr := range l.config.Addrs {
		if !addr.IsUnspecified() && !permitted.hasAddr(addr) {
			left = append(left, addr.String())
		}
	}
	if len(left) > 0 {
		l.config.Log.Warn("the local certificate leaves off what its CA may not sign for", "names", left)
	}
}

func interfaceAddrs() []netip.Addr {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil // loopback is on the certificate anyway
	}
	var addrs []netip.Addr
	for _, a := range found {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && len(addrs) < maxInterfaceAddrs {
			addrs = append(addrs, prefix.Addr())
		}
	}
	return addrs
}

// unique drops repetitions and keeps the order.
func unique[T comparable](list []T) []T {
	seen := make(map[T]bool, len(list))
	return slices.DeleteFunc(list, func(v T) bool {
		before := seen[v]
		seen[v] = true
		return before
	})
}
