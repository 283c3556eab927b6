package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/http1/versus/process"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, ok := child(ctx, os.Args[1:])
	if !ok {
		code = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	os.Exit(code)
}

// flags are what the command line says.
type flags struct {
	cases, servers, load, json, profile string
	rounds, connections, idle           int
	duration                            time.Duration
}

func parseFlags(args []string, errOut io.Writer) (*flags, error) {
	f := new(flags)
	s := flag.NewFlagSet("versus", flag.ContinueOnError)
	s.SetOutput(errOut)
	s.StringVar(&f.cases, "case", "all", "cases, with commas between: "+strings.Join(scenarioNames(), ", "))
	s.StringVar(&f.servers, "servers", "all", "servers, with commas between: "+strings.Join(serverNames(), ", "))
	s.IntVar(&f.rounds, "rounds", 7, "how often each server is measured")
	s.DurationVar(&f.duration, "duration", 2*time.Second, "length of one measurement; wrk knows whole seconds")
	s.IntVar(&f.connections, "connections", 64, "connections under load")
	s.IntVar(&f.idle, "idle", 10_000, "idle connections")
	s.StringVar(&f.load, "load", "auto", "generator: wrk, builtin, or auto for wrk where it is installed")
	s.StringVar(&f.json, "json", "bench.json", "file for the report")
	s.StringVar(&f.profile, "profile", "", "folder for CPU profiles of the servers in Go, one a case; none without")
	if err := s.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case s.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", s.Arg(0))
	case f.rounds < 1 || f.connections < 1 || f.idle < 1:
		return nil, errors.New("-rounds, -connections and -idle begin at 1")
	case f.duration <= 0 || f.duration > time.Hour:
		return nil, errors.New("-duration is more than 0 and at most 1h")
	}
	return f, nil
}

// run is the command; it returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	f, err := parseFlags(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = compare(ctx, f, out, errOut)
	}
	if err != nil {
		fmt.Fprintln(errOut, "versus:", err)
		return 1
	}
	return 0
}

// compare measures the cases one after another. What was measured before an error is
// still printed and written.
func compare(ctx context.Context, f *flags, out, progress io.Writer) (err error) {
	cases, err := chosen(f.cases)
	if err != nil {
		return err
	}
	r := &report{Time: time.Now().UTC().Format(time.RFC3339), Go: runtime.Version(), Kernel: kernel(), CPU: processor()}
	b, err := prepare(f, r, progress)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	fmt.Fprintf(out, "%s, Linux %s, %s\n%s\n", r.CPU, r.Kernel, r.Go, r.Setup)
	for _, note := range r.Notes {
		fmt.Fprintln(out, "note:", note)
	}
	for _, c := range cases {
		o, err := b.run(ctx, c)
		if err != nil {
			return errors.Join(err, r.write(f.json))
		}
		o.print(out)
		r.Cases = append(r.Cases, *o)
	}
	return r.write(f.json)
}

// prepare makes what all cases need, and notes in r how they are measured. The bench's
// folder is the caller's to remove.
func prepare(f *flags, r *report, progress io.Writer) (*bench, error) {
	servers, notes, err := chosenServers(f.servers)
	if err != nil {
		return nil, err
	}
	b := &bench{servers: servers, rounds: f.rounds, duration: f.duration, active: f.connections, log: progress}
	r.Notes = notes
	if b.wrk, err = choosesWrk(f.load, r); err != nil {
		return nil, err
	}
	b.place(r)
	b.idle = affordable(f.idle, r)
	if f.profile != "" {
		if b.profileInto, err = filepath.Abs(f.profile); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(b.profileInto, 0o755); err != nil {
			return nil, err
		}
	}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "versus-"); err != nil {
		return nil, err
	}
	if b.pair, err = makePair(b.dir); err == nil {
		b.root, err = makeFiles(b.dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.dir))
	}
	return b, nil
}

// choosesWrk tells whether wrk generates the load.
func choosesWrk(choice string, r *report) (bool, error) {
	_, err := exec.LookPath("wrk")
	r.Generator = "built-in"
	switch {
	case choice == "builtin":
		return false, nil
	case choice != "auto" && choice != "wrk":
		return false, fmt.Errorf("-load is wrk, builtin or auto, not %q", choice)
	case err == nil:
		r.Generator = "wrk"
		return true, nil
	case choice == "wrk":
		return false, errors.New("wrk is not installed (apt-get install wrk)")
	}
	r.Notes = append(r.Notes, "wrk is not installed (apt-get install wrk); the built-in generator stands in")
	return false, nil
}

// place gives the server and the client a core each, where there are two.
func (b *bench) place(r *report) {
	b.serverCore, b.clientCore = process.AnyCore, process.AnyCore
	cores, err := process.Cores()
	err = cmp.Or(err, process.CanPin())
	switch {
	case err != nil:
		r.Notes = append(r.Notes, "nothing is pinned to a core: "+err.Error())
	case len(cores) == 1:
		r.Notes = append(r.Notes, "there is one core for server and client")
	default:
		b.serverCore, b.clientCore = cores[0], cores[len(cores)-1]
	}
	r.Setup = fmt.Sprintf("%d rounds of %v, %d connections; generator: %s", b.rounds, b.duration, b.active, r.Generator)
	if b.serverCore != process.AnyCore {
		r.Setup += fmt.Sprintf("; server on core %d, client on core %d", b.serverCore, b.clientCore)
	}
}

// affordable is how many idle connections the limit of descriptors, which server and
// client each have for themselves, allows of those wanted.
func affordable(wanted int, r *report) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= uint64(wanted+2*spareConnections) {
		return wanted
	}
	n := max(1, int(limit.Cur)-2*spareConnections)
	r.Notes = append(r.Notes, fmt.Sprintf("%d idle connections, not %d: the limit is %d descriptors (ulimit -n)", n, wanted, limit.Cur))
	return n
}

// kernel is the release of the running kernel.
func kernel() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(b))
}

// processor is the name of the first one.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
			return strings.TrimLeft(name, "\t :")
		}
	}
	return runtime.GOARCH
}
