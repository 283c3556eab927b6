package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1/observe"
	"github.com/holdfast-server/holdfast/tlsconf"
)

// run checks what serve would check, and what it would meet when it opens its listeners
// and files. It changes nothing: no CA is made, no directory, and a port is held for a
// moment only.
func (*checkCmd) run(c *call) outcome {
	c.node, _ = findCommand(declared(), []string{"serve"})
	if paths, ok := c.given["kubernetes"]; ok {
		return c.checkManifests(paths)
	}
	urls := c.takeURLs()
	s, faults := c.settings()
	if len(urls) > 0 && len(faults) == 0 {
		c.warn(s.Warnings)
		if faults = s.trace(c.std.out, urls); len(faults) == 0 {
			return outcome{exit: exitOK}
		}
		return outcome{exit: report(c.std.err, faults)}
	}
	warnings, met := s.obstacles()
	faults = append(faults, met...)
	c.warn(append(s.Warnings, warnings...))
	if len(faults) > 0 {
		return outcome{exit: report(c.std.err, faults)}
	}
	s.describe(c.std.out)
	return outcome{exit: exitOK}
}

func (c *call) warn(warnings []fault) {
	for _, w := range warnings {
		fmt.Fprintln(c.std.err, "holdfast: warning: "+w.line())
	}
}

// obstacles are what a start on this machine would meet. A port in use is a warning: most
// who check a configuration do it beside the server that they are about to replace.
func (s *settings) obstacles() (warnings, faults []fault) {
	for _, want := range s.listeners() {
		if want.addr == "" || strings.HasPrefix(want.addr, "unix:") {
			continue // to bind a socket file is to take it from whoever has it
		}
		err := s.bindBriefly(want)
		switch {
		case err == nil:
		case errors.Is(err, syscall.EADDRINUSE):
			warnings = append(warnings, listenFault(want.name, want.addr, err))
		default:
			faults = append(faults, listenFault(want.name, want.addr, err))
		}
	}
	w, f := s.memberObstacles()
	warnings, faults = append(warnings, w...), append(faults, f...)
	if s.HTTPS == "" {
		return warnings, faults
	}
	w, f = s.certificateObstacles()
	return append(warnings, w...), append(faults, f...)
}

// bindBriefly tells whether an address can be had, alone or, where that was asked for, beside
// others.
func (s *settings) bindBriefly(want wantedListener) error {
	bind := conn.Listen
	if s.shares(want.name) {
		bind = conn.BindShared // to listen would take connections from those who share the port
	}
	l, err := bind(context.Background(), want.addr)
	if err == nil {
		_ = l.Close()
	}
	return err
}

// shares tells whether the listener's port is one that other processes may have too. The admin
// listener's is not: whoever asks there asks one process.
func (s *settings) shares(name string) bool { return s.ReusePort && name != "admin" }

func (s *settings) certificateObstacles() (warnings, faults []fault) {
	_, faults = s.issuance()
	if s.usesLocalCA() {
		if f := s.stateObstacle(); f != nil {
			faults = append(faults, *f)
		}
	}
	note := func(met []string, errs ...error) {
		for _, w := range met {
			warnings = append(warnings, fault{What: plain(w)})
		}
		for _, err := range errs {
			faults = append(faults, fault{What: plain(err.Error())})
		}
	}
	log := slog.New(slog.DiscardHandler)
	pairs, errs := certs.LoadFiles(s.Pairs, time.Now, log)
	note(nil, errs...)
	if pairs != nil {
		for _, status := range pairs.Status() {
			note(status.Warnings)
		}
	}
	clients, errs := tlsconf.LoadClientCAs(s.ClientCAs, time.Now, log)
	note(nil, errs...)
	if clients != nil {
		note(clients.Warnings())
	}
	if s.ClusterSecretFile != "" {
		_, met, err := tlsconf.ReadSecret(s.ClusterSecretFile)
		if note(met); err != nil {
			note(nil, err)
		}
	}
	return warnings, faults
}

// stateObstacle looks at the state directory without opening it: a lock file that root
// leaves there while checking would shut the server out that runs as another user.
func (s *settings) stateObstacle() *fault {
	if s.StateDir == "" {
		_, faults := openState(s) // says so before it touches anything
		return &faults[0]
	}
	const writeAndEnter = 3 // access(2): W_OK|X_OK
	dir, err := nearestDirectory(s.StateDir)
	if err == nil {
		err = syscall.Access(dir, writeAndEnter)
	}
	if err == nil {
		return nil
	}
	return &fault{
		What: "cannot keep the local CA in " + quote(s.StateDir), Where: "--state", Why: plain(dir) + ": " + reason(err),
		Mend: "name a directory that this user can write to with --state, or give certificates with --cert and --key",
	}
}

// nearestDirectory is the directory itself, or the one above it in which it would be made.
func nearestDirectory(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	for err == nil {
		var info fs.FileInfo
		info, err = os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return dir, syscall.ENOTDIR
		case err == nil || !errors.Is(err, fs.ErrNotExist):
			return dir, err
		}
		dir, err = filepath.Dir(dir), nil
	}
	return dir, err
}

// describe prints what would be served where.
func (s *settings) describe(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	root := observe.Escape(s.serves(), plainLimitBytes)
	plainHTTP := "redirects to https"
	if s.HTTPS == "" {
		plainHTTP = "serves " + root + " in clear text"
	}
	does := map[string]string{"https": "serves " + root + " over TLS", "http": plainHTTP, "admin": "answers probes and /metrics"}
	for _, l := range s.listeners() {
		if l.addr == "" {
			fmt.Fprintf(table, "%s\t%s\n", l.name, off)
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", l.name, plain(l.addr), does[l.name])
	}
	if s.HTTPS != "" {
		fmt.Fprintf(table, "certificates\t%s\n", s.certificateSource())
		if rule := s.clientRule(); rule != "" {
			fmt.Fprintf(table, "clients\t%s\n", rule)
		}
	}
	s.describeMembers(table)
	fmt.Fprintf(table, "drain\t%v, then %v at most; a supervisor has to grant %v\n", s.DrainDelay, s.DrainTimeout, s.graceNeeded())
}

func (s *settings) certificateSource() string {
	var sources []string
	for _, p := range s.Pairs {
		sources = append(sources, plain(p.CertFile))
	}
	if len(s.ACME.Domains) > 0 {
		sources = append(sources, s.ACME.name()+" for "+strings.Join(s.ACME.Domains, ", "))
	}
	if s.usesLocalCA() {
		sources = append(sources, "the local CA in "+plain(s.StateDir))
	}
	return strings.Join(sources, ", ")
}

// clientRule is what clients have to show, "" for nothing.
func (s *settings) clientRule() string {
	var files []string
	for _, file := range s.ClientCAs {
		files = append(files, plain(file))
	}
	from := strings.Join(files, ", ")
	switch {
	case from == "":
		return ""
	case s.ClientAuth == tlsconf.RequestCertificate:
		return "may show a certificate signed by " + from
	}
	return "have to show a certificate signed by " + from
}

// graceNeeded is what whoever stops the server has to wait before it kills: the last
// second is for the cut of what is left and the report.
func (s *settings) graceNeeded() time.Duration { return s.DrainDelay + s.DrainTimeout + time.Second }
