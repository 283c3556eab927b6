package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/holdfast-server/holdfast/http1/versus/contestant"
	"github.com/holdfast-server/holdfast/http1/versus/load"
	"github.com/holdfast-server/holdfast/http1/versus/process"
)

// The first argument of this program as a child of itself.
const (
	modeServe = "serve" // NAME ROOT [CERT KEY]: a server, of files where ROOT is not empty, on the inherited listener
	modeLoad  = "load"  // JSON of an order: the built-in generator
	modeHold  = "hold"  // JSON of an order: idle connections, until its input ends
)

// An order is what a generator is told.
type order struct {
	Target   load.Target
	Duration time.Duration
}

// modes are what this program can be as a child. The first answer of each is a line.
var modes = map[string]func(ctx context.Context, args []string, in io.Reader, out io.Writer) error{
	modeServe: serveMode, modeLoad: loadMode, modeHold: holdMode,
}

// child runs a mode, until its input ends at the latest. ok is false when the arguments
// do not ask for one.
func child(ctx context.Context, args []string) (code int, ok bool) {
	if len(args) < 2 || modes[args[0]] == nil {
		return 0, false
	}
	if err := modes[args[0]](ctx, args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Printf("error: %v\n", err)
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// serveMode serves while orders may come.
func serveMode(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	l, err := process.Inherited()
	if err != nil {
		return err
	}
	var config *tls.Config
	if len(args) == 4 {
		if config, err = contestant.TLSConfig(args[2], args[3]); err != nil {
			return err
		}
	}
	root := ""
	if len(args) > 1 {
		root = args[1]
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- contestant.Serve(ctx, args[0], root, l, config) }()
	err = contestant.Obey(in, out)
	cancel()
	return errors.Join(err, <-served)
}

func loadMode(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	var o order
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	r, err := load.Run(ctx, o.Target, o.Duration)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

func holdMode(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	var o order
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	held, err := load.Hold(ctx, o.Target)
	if err != nil {
		return err
	}
	defer held.Close()
	if _, err := fmt.Fprintln(out, "holding"); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// command is this program as a child in that mode.
func (b *bench) command(mode string, o order) ([]string, error) {
	j, err := json.Marshal(o)
	return []string{b.self, mode, string(j)}, err
}
