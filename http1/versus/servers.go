package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1/versus/contestant"
	"github.com/holdfast-server/holdfast/http1/versus/process"
)

const (
	ours  = "holdfast"
	nginx = "nginx"
)

// serverNames are all contestants, in the order of a table.
func serverNames() []string { return append(contestant.Names(), programNames()...) }

// chosenServers are those of a comma-separated list; "all" is all that are installed. A
// note says what is left out.
func chosenServers(list string) (names, notes []string, err error) {
	all := list == "all"
	names = strings.Split(list, ",")
	if all {
		names = serverNames()
	}
	for _, name := range names {
		if !slices.Contains(serverNames(), name) {
			return nil, nil, fmt.Errorf("no server %q; there are all, %s", name, strings.Join(serverNames(), ", "))
		}
	}
	for _, p := range programs {
		missing := p.missing()
		if missing == "" || !slices.Contains(names, p.name) {
			continue
		}
		if !all {
			return nil, nil, errors.New(missing)
		}
		names = slices.DeleteFunc(names, func(n string) bool { return n == p.name })
		notes = append(notes, missing+" and was left out")
	}
	return names, notes, nil
}

// serversOf are the chosen servers that take part in a case: some serve no files, and some
// nothing else.
func (b *bench) serversOf(s scenario) (names []string) {
	for _, name := range b.servers {
		p := program(name)
		if p != nil && (s.files || !p.filesOnly) || p == nil && (!s.files || slices.Contains(contestant.FileNames(), name)) {
			names = append(names, name)
		}
	}
	return names
}

// A server under way.
type server struct {
	*process.Child
	addr string
	inGo bool // and takes orders
}

// startServer starts the named server on a port of the kernel's choice.
func (b *bench) startServer(ctx context.Context, name string, overTLS, files bool) (*server, error) {
	l, err := conn.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if p := program(name); p != nil {
		return b.startInstalled(ctx, p, l, overTLS, files)
	}
	args := []string{b.self, modeServe, name, ""}
	if files {
		args[3] = b.root
	}
	if overTLS {
		args = append(args, b.pair.cert, b.pair.key)
	}
	c, err := process.Start(ctx, process.Spec{Name: name, Args: args, Listener: l.(*net.TCPListener), Core: b.serverCore})
	if err != nil {
		return nil, err
	}
	return &server{Child: c, addr: l.Addr().String(), inGo: true}, nil
}

// collect lets a server in Go collect its garbage.
func (s *server) collect() error {
	if !s.inGo {
		return nil
	}
	_, err := s.Ask(contestant.OrderCollect)
	return err
}
