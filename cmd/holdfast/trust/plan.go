package trust

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// commandPatience bounds a command. A store that is rebuilt takes seconds.
const commandPatience = 2 * time.Minute

// certificateBytes bounds a file that is taken for a certificate.
const certificateBytes = 64 << 10

// A Certificate is a CA's, in a file of its own.
type Certificate struct {
	Path string // absolute
	*x509.Certificate
}

// Read reads the one certificate in a PEM file.
func Read(path string) (Certificate, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Certificate{}, err
	}
	text, err := readRegular(path)
	if err != nil {
		return Certificate{}, err
	}
	parsed, err := parse(text)
	if err == nil {
		err = checkCA(parsed)
	}
	return Certificate{path, parsed}, err
}

// checkCA refuses what is no CA, and one that is bound to no names, as a local CA always is
// (RFC 5280 §4.2.1.10). The file is the server's user's: with a CA for all names, a server
// that was broken into could pose as any site to all who trust it.
func checkCA(c *x509.Certificate) error {
	switch {
	case !c.IsCA:
		return errors.New("it is no CA's certificate")
	case !c.PermittedDNSDomainsCritical, len(c.PermittedDNSDomains) == 0, len(c.PermittedIPRanges) == 0, slices.Contains(c.PermittedDNSDomains, ""):
		return errors.New("it is no local CA of holdfast's: it has no critical name constraints, and could sign for every site")
	}
	return nil
}

// readRegular reads a file that is one. A pipe would keep us until somebody writes to it.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, errors.New("it is no regular file"))
	}
	return io.ReadAll(io.LimitReader(f, certificateBytes))
}

func parse(text []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it has no certificate in PEM")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, errors.New("it has more than one certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// Fingerprint is the SHA-256 of the certificate, in hexadecimal.
func (c Certificate) Fingerprint() string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// tag is enough of the fingerprint for a name; what has the name is compared whole.
func (c Certificate) tag() string { return c.Fingerprint()[:tagDigits] }

const tagDigits = 16

// anchorName is that of the certificate's file in the system's store, nickname its name in the
// database of a browser.
func (c Certificate) anchorName() string { return anchorPrefix + c.tag() + anchorSuffix }
func (c Certificate) nickname() string   { return nicknamePrefix + c.tag() }

// isIn tells whether PEM text is this certificate.
func (c Certificate) isIn(text []byte) bool {
	found, err := parse(text)
	return err == nil && bytes.Equal(found.Raw, c.Raw)
}

// Scope says which stores are meant.
type Scope struct{ System, Browsers bool }

// A Machine is where stores are: this one, or a test's.
type Machine struct {
	OS        string   // as runtime.GOOS
	Root      string   // before every path of the system's stores; "" for this machine's
	Home      string   // of the user whose browsers are meant; "" for none
	Path      []string // where programs are looked for
	UID       int      // of this process
	Superuser bool     // it may change the system's store
	// Run runs a command and returns what it wrote. Nil is RunCommand.
	Run func(ctx context.Context, command []string) ([]byte, error)
}

// A Step changes one store, or finds that there is nothing to change.
type Step struct {
	Store    string     // for people
	Commands [][]string // in this order; none when the store is as it should be
	// NeedsRoot tells that this process may not do it.
	NeedsRoot bool

	certificate Certificate // whose file the commands name; empty where they name none
}

// A Plan is what there is to do.
type Plan struct {
	Steps []Step
	Notes []string // what is left alone, and why; each one sentence
}

func (p *Plan) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

func (p *Plan) step(s Step) { p.Steps = append(p.Steps, s) }

// Idle tells whether there is nothing to do.
func (p Plan) Idle() bool {
	for _, s := range p.Steps {
		if len(s.Commands) > 0 {
			return false
		}
	}
	return true
}

// Trust plans what makes the machine's programs trust c. It changes nothing.
func (m *Machine) Trust(ctx context.Context, c Certificate, scope Scope) Plan {
	return m.plan(ctx, c, scope, true)
}

// Untrust plans what takes out what the steps of Trust put somewhere. It changes nothing.
func (m *Machine) Untrust(ctx context.Context, c Certificate, scope Scope) Plan {
	return m.plan(ctx, c, scope, false)
}

func (m *Machine) plan(ctx context.Context, c Certificate, scope Scope, in bool) Plan {
	var p Plan
	if scope.System {
		m.planSystem(ctx, &p, c, in)
	}
	if scope.Browsers {
		m.planBrowsers(ctx, &p, c, in)
	}
	return p
}

// Do runs a step's commands until one fails. The error has what that one wrote. Where a command
// has the certificate's file, it is given one of the same content, which nobody else can change.
func (m *Machine) Do(ctx context.Context, s Step) error {
	commands := s.Commands
	if s.certificate.Certificate != nil && len(commands) > 0 {
		private, remove, err := m.privateCopy(s)
		if err != nil {
			return err
		}
		defer remove()
		commands = private
	}
	for _, command := range commands {
		if out, err := m.run(ctx, command); err != nil {
			return fmt.Errorf("%s: %w: %s", command[0], err, bytes.TrimSpace(out))
		}
	}
	return nil
}

func (m *Machine) run(ctx context.Context, command []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandPatience)
	defer cancel()
	if m.Run != nil {
		return m.Run(ctx, command)
	}
	return RunCommand(ctx, command)
}

// RunCommand runs a command, without input, until ctx is done.
func RunCommand(ctx context.Context, command []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = time.Second // a child of the command's may hold the pipe
	return cmd.CombinedOutput()
}

// find is the path of a program, "" where there is none.
func (m *Machine) find(names ...string) string {
	for _, name := range names {
		for _, dir := range m.Path {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); filepath.IsAbs(path) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	return ""
}
