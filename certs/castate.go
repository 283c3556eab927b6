package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// caBundleName holds key and certificate in one file, 0600, so that no crash between
	// two renames can leave a key beside another key's certificate.
	caBundleName = "ca-key.pem"
	// caCertName holds the certificate alone, 0644. It is derived from the bundle and
	// written again whenever it differs.
	caCertName = "ca.pem"
	// caAsideName keeps the bundle that was replaced last.
	caAsideName = "ca-key.old.pem"
	caLockName  = ".ca.lock"
)

// CARequest says whom a new CA is for. An existing one keeps what it was made with.
type CARequest struct {
	// Machine is the machine's name: part of the CA's name, and one it may sign for. What
	// is not a host name is ignored.
	Machine string
	// Names (host names and addresses) and Addrs may be signed for, beside the private
	// names and addresses that every local CA may sign for.
	Names []string
	Addrs []netip.Addr
}

func (r CARequest) scope() (scope, error) {
	names, addrs, err := splitNames(r.Names)
	if err != nil {
		return scope{}, err
	}
	if machine, err := asciiName(r.Machine); err == nil && !isAddress(machine) {
		names = append(names, machine)
	}
	return newScope(names, append(addrs, r.Addrs...)), nil
}

// LoadOrCreateCA returns the CA that state keeps. When there is none, or it is damaged,
// expired or within the last twentieth of its life, a new one is made, kept and logged;
// the one it replaces is put aside as ca-key.old.pem. Processes that start together on
// one directory get the same CA. With a nil state the CA is new and kept nowhere.
//
// A CA from the future is served with a warning: the clock is wrong more often than
// the CA, and a machine that boots without a clock must not lose its users' trust.
func LoadOrCreateCA(state *State, request CARequest, log *slog.Logger, now time.Time) (*CA, error) {
	permitted, err := request.scope()
	if err != nil {
		return nil, err
	}
	if state == nil {
		return createCA(request.Machine, permitted, now)
	}
	release, err := state.lock(caLockName, syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("local CA: %w", err)
	}
	defer release()
	ca, err := state.keptCA(log, now)
	if err != nil {
		return nil, err
	}
	if ca == nil {
		if ca, err = createCA(request.Machine, permitted, now); err != nil {
			return nil, err
		}
		if err := state.keepCA(ca); err != nil {
			return nil, fmt.Errorf("local CA: %w", err)
		}
		log.Info("made a local CA: clients have to trust it", "ca", state.CAPath(), "name", ca.CommonName(), "not_after", ca.NotAfter())
	}
	if err := state.publishCA(ca); err != nil {
		return nil, fmt.Errorf("local CA: %w", err)
	}
	return ca, nil
}

// keptCA returns the kept CA, or nil when a new one is needed.
func (s *State) keptCA(log *slog.Logger, now time.Time) (*CA, error) {
	path := filepath.Join(s.dir, caBundleName)
	bundle, err := s.ReadFile(caBundleName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("local CA: %s cannot be read (%w): let the user that runs holdfast read it", path, bare(err))
	}
	ca, err := parseCA(bundle)
	if err == nil && !ca.ending(now) {
		if now.Before(ca.cert.NotBefore) {
			log.Warn("the local CA is not valid yet: set the machine's clock", "ca", s.CAPath(), "not_before", ca.cert.NotBefore)
		}
		return ca, nil
	}
	why := "it is damaged"
	if err == nil {
		why = "it expires " + ca.NotAfter().UTC().Format(time.DateOnly)
	}
	if err := s.WriteFile(caAsideName, bundle, 0o600); err != nil {
		return nil, fmt.Errorf("local CA: %w", err)
	}
	log.Warn("the local CA is replaced: clients have to trust the new one", "why", why, "ca", s.CAPath(), "old", filepath.Join(s.dir, caAsideName))
	return nil, nil
}

func (s *State) keepCA(ca *CA) error {
	key, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return err
	}
	bundle := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), ca.PEM()...)
	return s.WriteFile(caBundleName, bundle, 0o600)
}

func (s *State) publishCA(ca *CA) error {
	if old, err := s.ReadFile(caCertName); err == nil && bytes.Equal(old, ca.PEM()) {
		return nil
	}
	return s.WriteFile(caCertName, ca.PEM(), 0o644)
}

func parseCA(bundle []byte) (*CA, error) {
	blocks := decodePEM(bundle)
	if blocks.damaged || len(blocks.certs) != 1 || len(blocks.keys) != 1 {
		return nil, errors.New("not one key and one certificate")
	}
	cert, err := x509.ParseCertificate(blocks.certs[0])
	if err != nil {
		return nil, err
	}
	signer, err := parseKeyBlock(blocks.keys[0])
	if err != nil {
		return nil, err
	}
	key, ok := signer.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) || !cert.IsCA {
		return nil, errors.New("not a CA and its key")
	}
	return &CA{cert: cert, key: key}, nil
}
