package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/http1/observe"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// Exit codes of the process. Those of a running server are lifecycle's.
const (
	exitOK          = 0
	exitCannotStart = lifecycle.ExitCannotStart
	exitUsage       = lifecycle.ExitUsage
	exitSignal      = lifecycle.ExitSignalled // plus the signal's number
)

// signalBacklog is how many signals may wait: a second SIGTERM must not get lost
// behind a burst of SIGHUPs.
const signalBacklog = 8

func main() {
	// First of all: until here a signal kills the process and loses what it serves.
	signals := make(chan os.Signal, signalBacklog)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR2)
	// A closed pipe on stdout or stderr kills a Go process unless SIGPIPE is taken.
	// It is taken and dropped rather than ignored: children would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	inherited := inherit()
	env := processEnvironment()
	env.inherited = inherited
	std := streams{in: os.Stdin, out: os.Stdout, err: inherited.stderr(os.Stderr)}
	os.Exit(realMain(os.Args[1:], env, std, signals))
}

// streams are the process's own, or a test's.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// outcome is what a command leaves: an exit code, the settings of a server to run, or
// work that takes long and ends by itself when a signal comes.
type outcome struct {
	exit  int
	serve *settings
	work  func(std streams, signals <-chan os.Signal) (exit int)
}

// realMain is main with all that it touches as parameters. It returns the exit code.
//
// Until the server runs, SIGINT and SIGTERM end the process at once: a
// configuration on a dead network mount must not make it deaf. What the command is
// doing then is left behind, since a blocked read cannot be called off; the process
// exits. A SIGHUP is kept for the server.
func realMain(args []string, env environment, std streams, signals chan os.Signal) int {
	ready := make(chan outcome, 1)
	go func() { ready <- execute(args, env, std) }()
	hungUp := false
	for {
		select {
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				hungUp = true
			case syscall.SIGUSR2: // nothing is there yet to hand over
			default:
				return exitBeforeServing(args, sig)
			}
		case o := <-ready:
			if o.work != nil {
				return o.work(std, signals)
			}
			if o.serve == nil {
				return o.exit
			}
			if hungUp {
				handBack(signals, syscall.SIGHUP)
			}
			return start(o.serve, std, signals)
		}
	}
}

// exitBeforeServing is 0 for a server that is told to stop before it started, as an
// orchestrator expects, and what a shell expects for any other command.
func exitBeforeServing(args []string, sig os.Signal) int {
	number, ok := sig.(syscall.Signal)
	if !ok || len(args) > 0 && (args[0] == "serve" || args[0] == "demo") {
		return exitOK
	}
	return exitSignal + int(number)
}

// handBack puts a signal back, unless there are newer ones up to the limit.
func handBack(signals chan os.Signal, sig os.Signal) {
	select {
	case signals <- sig:
	default:
	}
}

// start runs the server with the log that the settings ask for. Nobody waits for whoever
// reads it: a pipe that is full or a terminal that is held must not keep a server from
// answering, nor from stopping.
func start(s *settings, std streams, signals <-chan os.Signal) int {
	lines := observe.NewWriter(std.err, nil)
	defer closeLog(lines)
	std.err = lines
	log := newLog(std.err, s.Log, s.LogLevel)
	slog.SetDefault(log)
	for _, warning := range s.Warnings {
		log.Warn(warning.line())
	}
	return serve(s, std, signals, log)
}

// closeLog writes out what waits, and gives up on a stuck reader.
func closeLog(lines *observe.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), logPatience)
	defer cancel()
	return lines.Close(ctx)
}

// logPatience is how long the end of the process waits for whoever reads a log.
const logPatience = 200 * time.Millisecond

// execute parses the arguments and runs the command that they name.
func execute(args []string, env environment, std streams) outcome {
	if len(args) > 0 && args[0] == "--version" {
		args = append([]string{"version"}, args[1:]...)
	}
	if text, ok := wantedHelp(args); ok {
		fmt.Fprint(std.out, text)
		return outcome{exit: exitOK}
	}
	call, faults := parse(args)
	if call == nil {
		return outcome{exit: report(std.err, faults)}
	}
	call.args, call.env, call.std, call.faults = args, env, std, faults
	return call.command.run(call)
}
