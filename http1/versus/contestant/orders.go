package contestant

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
)

// Orders of the process that measures, a line each, answered by "ok" or "error: …".
const (
	// OrderCollect collects the garbage and returns it to the kernel, so that what is left
	// is what the server holds.
	OrderCollect = "collect"
	// OrderProfile, a space and a path begin a CPU profile.
	OrderProfile = "profile"
	// OrderProfileEnd ends and writes it.
	OrderProfileEnd = "profile-end"
)

// Obey carries out the orders that come on in until its end. One goroutine calls it.
func Obey(in io.Reader, out io.Writer) error {
	var p profile
	defer p.end()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		answer := "ok"
		if err := p.obey(lines.Text()); err != nil {
			answer = "error: " + err.Error()
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

// profile is the CPU profile under way, if any.
type profile struct{ file *os.File }

func (p *profile) obey(line string) error {
	order, path, _ := strings.Cut(line, " ")
	switch order {
	case OrderCollect:
		runtime.GC() // twice: a pool's content survives one
		debug.FreeOSMemory()
		return nil
	case OrderProfile:
		return p.begin(path)
	case OrderProfileEnd:
		if p.file == nil {
			return errors.New("no profile is under way")
		}
		return p.end()
	}
	return fmt.Errorf("no order %q", order)
}

func (p *profile) begin(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	p.file = f
	return nil
}

func (p *profile) end() error {
	if p.file == nil {
		return nil
	}
	pprof.StopCPUProfile()
	f := p.file
	p.file = nil
	return f.Close()
}
