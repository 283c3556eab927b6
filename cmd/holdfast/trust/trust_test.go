package trust

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// newCA writes a CA's certificate to a file and reads it.
func newCA(t *testing.T) Certificate {
	t.Helper()
	ca, err := Read(writeCA(t, func(*x509.Certificate) {}))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// writeCA writes the certificate of a CA that is changed, and returns the file's path.
func writeCA(t *testing.T, change func(*x509.Certificate)) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Holdfast local CA (test)"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"test"},
		PermittedIPRanges: []*net.IPNet{{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "my ca.pem")
	put(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644)
	return path
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// newMachine is one in a directory, with these directories and programs. Each program writes
// its arguments into ROOT/calls.
func newMachine(t *testing.T, dirs []string, programs ...string) *Machine {
	t.Helper()
	root := t.TempDir()
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range programs {
		put(t, filepath.Join(root, "bin", name), "#!/bin/sh\necho "+name+" \"$@\" >> '"+root+"/calls'\n", 0o755)
	}
	return &Machine{
		OS: "linux", Root: root, Home: filepath.Join(root, "home"), UID: os.Geteuid(), Superuser: true,
		Path: []string{filepath.Join(root, "bin"), "/usr/bin", "/bin"},
	}
}

// calls are what the programs were called with since the last look.
func (m *Machine) calls(t *testing.T) string {
	t.Helper()
	path := filepath.Join(m.Root, "calls")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func do(t *testing.T, m *Machine, p Plan) {
	t.Helper()
	for _, s := range p.Steps {
		if err := m.Do(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	system   = Scope{System: true}
	browsers = Scope{Browsers: true}
)

func TestSystemStores(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	for _, c := range []struct{ name, dir, program, trusted, untrusted string }{
		{"Debian, Ubuntu, Alpine", "/usr/local/share/ca-certificates", "update-ca-certificates", "update-ca-certificates", "update-ca-certificates --fresh"},
		{"Fedora, RHEL", "/etc/pki/ca-trust/source/anchors", "update-ca-trust", "update-ca-trust extract", "update-ca-trust extract"},
		{"Arch", "/etc/ca-certificates/trust-source/anchors", "trust", "trust extract-compat", "trust extract-compat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, ca := newMachine(t, []string{c.dir}, c.program, "trust"), newCA(t)
			file := filepath.Join(m.Root, c.dir, "holdfast-"+ca.Fingerprint()[:16]+".crt")
			p := m.Trust(t.Context(), ca, system)
			if _, err := os.Stat(file); err == nil || m.calls(t) != "" {
				t.Error("a plan has changed something")
			}
			do(t, m, p)
			text, err := os.ReadFile(file)
			info, statErr := os.Stat(file)
			if err != nil || !ca.isIn(text) || statErr != nil || info.Mode() != 0o644 {
				t.Fatalf("%v, %v, %v", err, statErr, info)
			}
			if got := m.calls(t); got != c.trusted {
				t.Errorf("called %q", got)
			}
			if p := m.Trust(t.Context(), ca, system); !p.Idle() || len(p.Steps) != 1 {
				t.Errorf("a second time there is to do %+v", p)
			}
			do(t, m, m.Untrust(t.Context(), ca, system))
			if _, err := os.Stat(file); !os.IsNotExist(err) {
				t.Errorf("the file: %v", err)
			}
			if got := m.calls(t); got != c.untrusted {
				t.Errorf("called %q", got)
			}
			if p := m.Untrust(t.Context(), ca, system); !p.Idle() {
				t.Errorf("a second time there is to do %+v", p)
			}
		})
	}
}

func TestWhatIsNotOursStays(t *testing.T) {
	const dir = "/usr/local/share/ca-certificates"
	m, ca, other := newMachine(t, []string{dir}, "update-ca-certificates"), newCA(t), newCA(t)
	text, err := os.ReadFile(other.Path)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(m.Root, dir, "holdfast-"+ca.tag()+".crt")
	put(t, name, string(text), 0o644)
	for _, p := range []Plan{m.Trust(t.Context(), ca, system), m.Untrust(t.Context(), ca, system)} {
		if !p.Idle() || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], name+" is another certificate") {
			t.Errorf("another certificate under our name: %+v", p)
		}
	}
	own, err := os.ReadFile(ca.Path)
	if err != nil {
		t.Fatal(err)
	}
	byHand := filepath.Join(m.Root, dir, "holdfast.crt")
	put(t, byHand, string(own), 0o644)
	put(t, name, string(own), 0o644)
	p := m.Untrust(t.Context(), ca, system)
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], byHand+" has the same certificate") {
		t.Errorf("notes %q", p.Notes)
	}
	do(t, m, p)
	if _, err := os.Stat(byHand); err != nil {
		t.Error(err)
	}
}

func TestRights(t *testing.T) {
	m, ca := newMachine(t, []string{"/usr/local/share/ca-certificates"}, "update-ca-certificates"), newCA(t)
	m.Superuser = false
	if p := m.Trust(t.Context(), ca, system); len(p.Steps) != 1 || !p.Steps[0].NeedsRoot || p.Idle() {
		t.Errorf("got %+v", p)
	}
	m.Superuser = true
	if p := m.Trust(t.Context(), ca, system); p.Steps[0].NeedsRoot {
		t.Errorf("got %+v", p)
	}
}

func TestNoStore(t *testing.T) {
	ca := newCA(t)
	t.Run("of the system's", func(t *testing.T) {
		// Not even the program without its directory will do, nor a directory without the program.
		for _, m := range []*Machine{newMachine(t, nil, "update-ca-certificates"), newMachine(t, []string{"/etc/pki/ca-trust/source/anchors"})} {
			m.Path = m.Path[:1]
			if p := m.Trust(t.Context(), ca, system); !p.Idle() || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "install ca-certificates") {
				t.Errorf("got %+v", p)
			}
		}
	})
	t.Run("of browsers, silently", func(t *testing.T) {
		m := newMachine(t, nil)
		m.Path = m.Path[:1]
		if p := m.Trust(t.Context(), ca, browsers); len(p.Steps)+len(p.Notes) > 0 {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("without a home", func(t *testing.T) {
		m := newMachine(t, nil, "chromium", "certutil")
		m.Home = ""
		if p := m.Trust(t.Context(), ca, browsers); len(p.Steps) > 0 || len(p.Notes) != 1 {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("without certutil", func(t *testing.T) {
		m := newMachine(t, nil, "chromium")
		m.Path = m.Path[:1]
		if p := m.Trust(t.Context(), ca, browsers); len(p.Steps) > 0 || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "libnss3-tools") {
			t.Errorf("got %+v", p)
		}
	})
}

func TestBrowserDatabases(t *testing.T) {
	m, ca := newMachine(t, nil, "certutil"), newCA(t)
	m.Home = filepath.Join(m.Root, "a [home]*")
	m.Run = func(context.Context, []string) ([]byte, error) { return nil, errors.New("no certificate of this name") }
	for _, dir := range []string{".mozilla/firefox/x.default", "snap/firefox/common/.mozilla/firefox/y", ".pki/nssdb"} {
		put(t, filepath.Join(m.Home, dir, databaseFile), "", 0o600)
	}
	put(t, filepath.Join(m.Home, ".mozilla/firefox/profiles.ini"), "", 0o600)
	put(t, filepath.Join(m.Home, ".mozilla/firefox/Crash Reports/log"), "", 0o600)
	t.Run("all are found, and nothing else", func(t *testing.T) {
		p := m.Trust(t.Context(), ca, browsers)
		if len(p.Steps) != 3 || len(p.Notes) > 0 {
			t.Fatalf("got %+v", p)
		}
		for _, s := range p.Steps {
			if last := s.Commands[len(s.Commands)-1]; len(s.Commands) != 1 || s.NeedsRoot || last[3] != "-A" || last[9] != ca.Path {
				t.Errorf("got %q", s.Commands)
			}
		}
	})
	t.Run("another user's is left to them", func(t *testing.T) {
		others := *m
		others.UID++
		if p := others.Trust(t.Context(), ca, browsers); len(p.Steps) > 0 || len(p.Notes) != 3 {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("another certificate under our name stays", func(t *testing.T) {
		other, err := os.ReadFile(newCA(t).Path)
		if err != nil {
			t.Fatal(err)
		}
		fake := *m
		fake.Run = func(context.Context, []string) ([]byte, error) { return other, nil }
		if p := fake.Untrust(t.Context(), ca, browsers); len(p.Steps) > 0 || len(p.Notes) != 3 {
			t.Errorf("got %+v", p)
		}
	})
}

func TestKeychain(t *testing.T) {
	m, ca := newMachine(t, nil, "security"), newCA(t)
	m.OS, m.Superuser = "darwin", false
	p := m.Trust(t.Context(), ca, system)
	want := filepath.Join(m.Root, "bin/security") + " add-trusted-cert -d -r trustRoot -k " + m.Root + keychain + " " + ca.Path
	if len(p.Steps) != 1 || !p.Steps[0].NeedsRoot || strings.Join(p.Steps[0].Commands[0], " ") != want {
		t.Fatalf("got %+v", p)
	}
	name := fmt.Sprintf("%X", sha1.Sum(ca.Raw))
	list := "SHA-1 hash: " + strings.Repeat("0", len(name)) + "\n"
	m.Run = func(context.Context, []string) ([]byte, error) { return []byte(list), nil }
	if p := m.Untrust(t.Context(), ca, system); !p.Idle() {
		t.Errorf("what is not there is taken out: %+v", p)
	}
	list += "SHA-1 hash: " + name + "\n"
	if p := m.Trust(t.Context(), ca, system); !p.Idle() {
		t.Errorf("what is there is put in: %+v", p)
	}
	if p := m.Untrust(t.Context(), ca, system); p.Idle() || strings.Join(p.Steps[0].Commands[0][1:4], " ") != "delete-certificate -Z "+name {
		t.Errorf("got %+v", p)
	}
}

func TestCommandsThatFail(t *testing.T) {
	m, ca := newMachine(t, []string{"/usr/local/share/ca-certificates"}), newCA(t)
	put(t, filepath.Join(m.Root, "bin/update-ca-certificates"), "#!/bin/sh\necho the disk is full >&2\nexit 7\n", 0o755)
	err := m.Do(t.Context(), m.Trust(t.Context(), ca, system).Steps[0])
	if err == nil || !strings.Contains(err.Error(), "update-ca-certificates: exit status 7: the disk is full") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Do(ctx, Step{Commands: [][]string{{"/bin/sh", "-c", "exit 0"}}}); err == nil {
		t.Error("a cancelled step runs")
	}
}

func TestRead(t *testing.T) {
	ca := newCA(t)
	good, err := os.ReadFile(ca.Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"nothing": "", "no PEM": "abc", "two": string(good) + string(good), "a key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		path := filepath.Join(t.TempDir(), "ca.pem")
		put(t, path, text, 0o644)
		if _, err := Read(path); err == nil {
			t.Errorf("%s is read as a CA's certificate", name)
		}
	}
	if _, err := Read(ca.Path + ".missing"); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}

func TestCAsThatCouldSignForAnySiteAreRefused(t *testing.T) {
	for name, change := range map[string]func(*x509.Certificate){
		"not a CA":                            func(c *x509.Certificate) { c.IsCA = false },
		"no constraints":                      func(c *x509.Certificate) { c.PermittedDNSDomains, c.PermittedIPRanges = nil, nil },
		"constraints that are not critical":   func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false },
		"no constraint on host names":         func(c *x509.Certificate) { c.PermittedDNSDomains = nil },
		"no constraint on addresses":          func(c *x509.Certificate) { c.PermittedIPRanges = nil },
		"a constraint that permits all names": func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"test", ""} },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(writeCA(t, change)); err == nil || !strings.HasPrefix(err.Error(), "it is no ") {
				t.Errorf("got %v", err)
			}
		})
	}
}
