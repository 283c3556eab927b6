package trust

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// anchors is a store that is built from a directory of files.
type anchors struct {
	program string
	dir     string
	args    []string // that build the store
	without []string // that build it anew when a file has gone
}

// anchorStores are Linux's, the most particular first: Fedora has the program of the last one
// too. On Arch a file is put beside those of `trust anchor`, whose own name for it would tell
// nobody which certificate it is.
var anchorStores = []anchors{
	{"update-ca-certificates", "/usr/local/share/ca-certificates", nil, []string{"--fresh"}},                       // Debian, Ubuntu, Alpine, openSUSE's kin
	{"update-ca-trust", "/etc/pki/ca-trust/source/anchors", []string{"extract"}, []string{"extract"}},              // Fedora, RHEL
	{"trust", "/etc/ca-certificates/trust-source/anchors", []string{"extract-compat"}, []string{"extract-compat"}}, // Arch
}

// The tools of a file's life, which every system has.
const (
	installProgram = "install"
	removeProgram  = "rm"
)

func (m *Machine) planSystem(ctx context.Context, p *Plan, c Certificate, in bool) {
	if m.OS == "darwin" {
		m.planKeychain(ctx, p, c, in)
		return
	}
	if s, program := m.anchors(); program != "" {
		m.planAnchors(p, s, program, c, in)
		return
	}
	p.note("no store of the system's is known here: there is neither update-ca-certificates nor update-ca-trust nor trust (install ca-certificates)")
}

// anchors is the machine's store and the path of its program, "" where there is none.
func (m *Machine) anchors() (s anchors, program string) {
	for _, s := range anchorStores {
		program := m.find(s.program)
		info, err := os.Stat(m.Root + s.dir)
		if program != "" && err == nil && info.IsDir() {
			return s, program
		}
	}
	return anchors{}, ""
}

func (m *Machine) planAnchors(p *Plan, s anchors, program string, c Certificate, in bool) {
	file := filepath.Join(m.Root+s.dir, c.anchorName())
	text, err := os.ReadFile(file)
	there := err == nil && c.isIn(text)
	step := Step{Store: "the system's store (" + s.program + ")", NeedsRoot: !m.Superuser}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		p.note("%s cannot be read, and is left alone: %v", file, err)
		return
	case err == nil && !there:
		p.note("%s is another certificate, and is left alone", file)
		return
	case there == in:
	case in:
		step.certificate = c
		step.Commands = [][]string{{m.tool(installProgram), "-m", "0644", c.Path, file}, append([]string{program}, s.args...)}
	default:
		step.Commands = [][]string{{m.tool(removeProgram), file}, append([]string{program}, s.without...)}
	}
	p.step(step)
	if !in {
		m.notePlacedByHand(p, m.Root+s.dir, file, c)
	}
}

// notePlacedByHand tells of the same certificate under names that are not ours.
func (m *Machine) notePlacedByHand(p *Plan, dir, file string, c Certificate) {
	entries, _ := os.ReadDir(dir) // without a list there is nothing to tell
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := e.Info(); path == file || err != nil || !info.Mode().IsRegular() || info.Size() > certificateBytes {
			continue
		}
		if text, err := os.ReadFile(path); err == nil && c.isIn(text) {
			p.note("%s has the same certificate, and was put there by somebody else: it is left alone", path)
		}
	}
}

// tool is a program's path, or its name where it is not found: the command then says so.
func (m *Machine) tool(name string) string {
	if path := m.find(name); path != "" {
		return path
	}
	return name
}

// keychain is macOS's store for all users.
const keychain = "/Library/Keychains/System.keychain"

func (m *Machine) planKeychain(ctx context.Context, p *Plan, c Certificate, in bool) {
	program := m.find("security")
	if program == "" {
		p.note("there is no program security, so the keychain is left alone")
		return
	}
	// SHA-1 names the certificate here, as it does for every version of the program. Nothing
	// is believed for it: what it names was found by it in the same store.
	sum := sha1.Sum(c.Raw)
	name := strings.ToUpper(hex.EncodeToString(sum[:]))
	list, err := m.run(ctx, []string{program, "find-certificate", "-a", "-Z", m.Root + keychain})
	there := err == nil && bytes.Contains(list, []byte("SHA-1 hash: "+name))
	step := Step{Store: "the system's keychain", NeedsRoot: !m.Superuser}
	switch {
	case there == in:
	case in:
		step.certificate = c
		step.Commands = [][]string{{program, "add-trusted-cert", "-d", "-r", "trustRoot", "-k", m.Root + keychain, c.Path}}
	default:
		step.Commands = [][]string{{program, "delete-certificate", "-Z", name, "-t", m.Root + keychain}}
	}
	p.step(step)
}
