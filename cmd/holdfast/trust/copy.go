package trust

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
)

// privateCopy writes the certificate that was read into a directory of this user's own, and
// returns the commands with that file in the place of the one it was read from.
//
// The file belongs to the server's user. Between our look and the commands that user can make
// it a link to anything, which root's commands would then copy to where all may read it, or
// have a machine trust.
func (m *Machine) privateCopy(s Step) (commands [][]string, remove func(), err error) {
	place := ""
	if m.Superuser {
		place = "/tmp" // root's TMPDIR may be another user's; in /tmp that user cannot swap what is ours
	}
	dir, err := os.MkdirTemp(place, "holdfast-trust-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // what stays is a certificate
	path := filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		remove()
		return nil, nil, err
	}
	for _, command := range s.Commands {
		command = slices.Clone(command)
		for i, word := range command {
			if word == s.certificate.Path {
				command[i] = path
			}
		}
		commands = append(commands, command)
	}
	return commands, remove, nil
}
