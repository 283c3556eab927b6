package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1/versus/process"
)

// Wrk is Run by wrk, pinned to a core. Its script is written to dir. wrk knows whole
// seconds: the duration is rounded up to them.
func Wrk(ctx context.Context, t Target, duration time.Duration, core int, dir string) (Result, error) {
	script := filepath.Join(dir, "pipeline.lua")
	if err := os.WriteFile(script, []byte(wrkScript(t.Pipeline)), 0o600); err != nil {
		return Result{}, err
	}
	seconds := max(1, int((duration+time.Second-1)/time.Second))
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+dialTimeout)
	defer cancel()
	c, err := process.Start(ctx, process.Spec{Name: "wrk", Args: wrkArgs(&t, seconds, script), Core: core})
	if err != nil {
		return Result{}, err
	}
	out, err := c.Output()
	if err := errors.Join(err, c.Stop()); err != nil {
		return Result{}, err
	}
	r, err := parseWrk(out)
	if err != nil {
		return r, fmt.Errorf("wrk: %w", err)
	}
	return r, nil
}

// wrkArgs are the arguments of wrk. Without a script it makes its request once, which
// leaves it the most time to send it.
func wrkArgs(t *Target, seconds int, script string) []string {
	scheme := "http"
	if t.TLS {
		scheme = "https"
	}
	args := []string{"wrk", "-t", "1", "-c", strconv.Itoa(max(t.Connections, 1)), "-d", strconv.Itoa(seconds) + "s", "--timeout", "10s"}
	for _, f := range t.Fields {
		args = append(args, "-H", f.Name+": "+f.Value)
	}
	if t.Pipeline > 1 {
		args = append(args, "-s", script)
	}
	return append(args, scheme+"://"+t.Addr+t.Path)
}

// wrkScript makes wrk send depth requests in one write. wrk counts them by itself.
func wrkScript(depth int) string {
	return `local batch
function init()
  local one = wrk.format()
  batch = string.rep(one, ` + strconv.Itoa(depth) + `)
end
function request()
  return batch
end
`
}

var (
	wrkTotal  = regexp.MustCompile(`(?m)^\s*(\d+) requests in ([\d.]+(?:us|ms|s|m|h)),`)
	wrkErrors = regexp.MustCompile(`(?m)^\s*(Socket errors:|Non-2xx or 3xx responses:).*$`)
)

// parseWrk reads wrk's report. A run with errors or with other answers than 2xx and 3xx
// measures something else than was asked, so it is one.
func parseWrk(report string) (r Result, err error) {
	if fault := wrkErrors.FindString(report); fault != "" {
		return r, errors.New(strings.TrimSpace(fault))
	}
	m := wrkTotal.FindStringSubmatch(report)
	if m == nil {
		return r, fmt.Errorf("no total in its report: %.200q", report)
	}
	if r.Requests, err = strconv.ParseInt(m[1], 10, 64); err != nil {
		return r, err
	}
	if r.Elapsed, err = time.ParseDuration(m[2]); err != nil {
		return r, err
	}
	if r.Requests == 0 || r.Elapsed == 0 {
		return r, errors.New("nothing was answered")
	}
	return r, nil
}
