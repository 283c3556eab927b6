package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// run prints where the local CA's certificate is and how to trust it. The CA is made
// if there is none yet, so that it can be trusted before the first start.
func (*certsCACmd) run(c *call) outcome {
	values, _, faults := c.layers()
	r := &reader{values: values, faults: append(c.faults, faults...), elsewhere: true} // of the sites it needs the names
	dir, why := r.stateDir(c.env)
	s := &settings{LocalNames: r.localNames()}
	s.readSites(r)
	if why != "" {
		r.faults = append(r.faults, fault{What: why})
	}
	if len(r.faults) > 0 {
		return outcome{exit: report(c.std.err, r.faults)}
	}
	// What the making has to tell is not the output: stdout can be taken for a script.
	path, err := ensureCA(dir, s.LocalNames, newLog(c.std.err, chooseForm("auto", c.std.err, c.env), slog.LevelInfo))
	if err != nil {
		return outcome{exit: report(c.std.err, []fault{{What: plain(err.Error())}})}
	}
	printTrust(c.std.out, path)
	return outcome{exit: exitOK}
}

// ensureCA returns the path of the local CA's certificate, which it makes if there is
// none yet.
func ensureCA(stateDir string, names []string, log *slog.Logger) (path string, err error) {
	state, err := certs.OpenState(stateDir)
	if err != nil {
		return "", err
	}
	machine, _ := os.Hostname() // a machine without a name has one name less
	request := certs.CARequest{Machine: machine, Names: names}
	if _, err := certs.LoadOrCreateCA(state, request, log, time.Now()); err != nil {
		return "", err
	}
	return state.CAPath(), nil
}

// printTrust explains how to trust the certificate at path.
func printTrust(w io.Writer, path string) {
	fmt.Fprintf(w, trustText, path, shellWord(path), shellWord(filepath.Dir(path)))
}

const trustText = `%[1]s

This is the certificate of the local CA. It may sign for this machine and private names and
addresses only. Whoever trusts it needs no more than this file; its key stays where it is.

This machine and your browsers, by one command, with an undo (certs untrust)
  holdfast certs trust --state %[3]s

curl
  curl --cacert %[2]s https://localhost:8443/

Debian, Ubuntu
  sudo cp %[2]s /usr/local/share/ca-certificates/holdfast.crt
  sudo update-ca-certificates

Fedora, RHEL
  sudo trust anchor %[2]s

macOS (also Safari and Chrome)
  sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain %[2]s

Chromium and Chrome on Linux (certutil is in libnss3-tools or nss-tools)
  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n Holdfast -i %[2]s

Firefox
  Settings, Privacy & Security, View Certificates, Authorities, Import: the file above;
  or into a profile's directory: certutil -d sql:PROFILE -A -t C,, -n Holdfast -i %[2]s
`
