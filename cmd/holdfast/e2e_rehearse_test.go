package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-server/holdfast/http1/rehearsal"
)

// rehearsed runs a rehearsal to its end and reads its report.
func rehearsed(t *testing.T, flags ...string) (ran, reportJSON) {
	t.Helper()
	r := runToEnd(t, "", binary(t), append([]string{"rehearse", site(t, nil), "--json", "--rounds", "1"}, flags...)...)
	if r.exit != 0 && r.exit != 1 || strings.Contains(r.stderr, "holdfast: ") {
		t.Fatalf("exit %d\n%s%s", r.exit, r.out, r.stderr)
	}
	return r, decodeReport(t, r.out)
}

// accounted checks that the report adds up: every request that began ended in one way.
func (r *reportJSON) accounted(t *testing.T) {
	t.Helper()
	begun, lost := int64(0), int64(0)
	sums := make(map[string]int64)
	for kind, row := range r.Requests.Kinds {
		ended := int64(0)
		for end, n := range row.Ended {
			ended += n
			sums[end] += n
			if end != "ok" {
				lost += n
			}
		}
		if ended != row.Begun || row.Begun == 0 {
			t.Errorf("%s: %d requests began, %d ended", kind, row.Begun, ended)
		}
		begun += row.Begun
	}
	if begun != r.Requests.Begun || lost != r.Lost || begun-lost != r.Requests.Ended["ok"] {
		t.Errorf("%d began and %d were lost by kind, %d and %d in all", begun, lost, r.Requests.Begun, r.Lost)
	}
	for end, n := range sums {
		if r.Requests.Ended[end] != n {
			t.Errorf("%d ended as %s by kind, %d in all", n, end, r.Requests.Ended[end])
		}
	}
	if n := int64(len(r.Losses)); r.Lost > 0 && n == 0 || n > r.Lost {
		t.Errorf("%d losses of %d are told", n, r.Lost)
	}
}

// The lame duck is longer than the endpoint's lag and than any client's pause: nothing may be
// lost then, however slow the machine.
func TestRehearsalThatLosesNothing(t *testing.T) {
	t.Parallel()
	_, _, pair := pairFiles(t, newAuthority(t), 1)
	taken, err := net.Listen("tcp", "127.0.0.1:0") // as by the server that is in service
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r, report := rehearsed(t, append(pair, "--https", taken.Addr().String(), "--drain-delay", "5s", "--endpoint-lag", "50ms")...)
	report.accounted(t)
	if r.exit != 0 || report.Lost != 0 {
		t.Errorf("exit %d, %d of %d lost: %v", r.exit, report.Lost, report.Requests.Begun, r.out)
	}
	if len(report.Rounds) != 1 || report.Rounds[0].Exit != 0 || report.Rounds[0].Phases["lame_duck"] < 5000 {
		t.Errorf("rounds %+v", report.Rounds)
	}
	if report.Advice["drain_delay"] != "5s" || report.Advice["drain_timeout"] != "25s" || report.Advice["grace_period"] != "31s" {
		t.Errorf("advice %v", report.Advice)
	}
	if !strings.Contains(r.stderr, `"msg":"rehearsal round"`) {
		t.Errorf("no progress:\n%s", r.stderr)
	}
}

// Without a lame duck clients meet a closed port for as long as the lag. How many do
// depends on the machine; where they are counted does not.
func TestRehearsalThatMayLose(t *testing.T) {
	t.Parallel()
	r, report := rehearsed(t, "--https", "off", "--http", "127.0.0.1:1", "--drain-delay", "0s", "--endpoint-lag", "500ms", "--drain-timeout", "20s")
	report.accounted(t)
	if lost := report.Lost > 0; lost != (r.exit == 1) {
		t.Errorf("exit %d with %d lost", r.exit, report.Lost)
	}
	if report.Requests.Ended["corrupt"] != 0 || report.Requests.Ended["wrong_status"] != 0 {
		t.Errorf("a stop makes nothing corrupt: %v", report.Requests.Ended)
	}
	if report.Requests.Recovered > report.Requests.Retried || report.Requests.Retried > report.Requests.Ended["closed_reused"]+report.Requests.Ended["reset_reused"] {
		t.Errorf("%d retried, %d recovered: %v", report.Requests.Retried, report.Requests.Recovered, report.Requests.Ended)
	}
	if report.Advice["drain_delay"] == "0s" {
		t.Errorf("it advises none: %v", report.Advice)
	}
}

func TestRehearsalCannotStart(t *testing.T) {
	r := runToEnd(t, "", binary(t), "rehearse", filepath.Join(t.TempDir(), "nowhere"))
	if r.exit != 1 || len(lines(r.stderr)) != 1 || r.out != "" {
		t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
	}
}

// The handlers of a rehearsal are nobody else's to ask.
func TestServeHasNoRehearsal(t *testing.T) {
	s := launch(t, site(t, map[string]string{"index.html": "x"}))
	c := client(t, s.trust())
	for _, path := range []string{"slow?bytes=1&over=0s", "stream?events=1&over=0s", "echo", ""} {
		if response, _, err := fetch(c, s.url(rehearsal.Prefix+path)); err != nil || response.StatusCode != 404 {
			t.Errorf("%s: %v, %v; want 404", path, response, err)
		}
	}
	s.stop()
}

// rehearsing is a rehearsal under way, and what belongs to it.
type rehearsing struct {
	cmd      *exec.Cmd
	log      *transcript
	temp     string
	replicas []int // process ids
}

// underWay starts a rehearsal and waits until its replicas are there. Its lag keeps it
// from ending by itself.
func underWay(t *testing.T) *rehearsing {
	t.Helper()
	r := &rehearsing{log: new(transcript), temp: t.TempDir()}
	r.cmd = exec.Command(binary(t), "rehearse", site(t, nil), "--endpoint-lag", "10m", "--log", "json")
	r.cmd.Env = append(childEnvironment(t), "TMPDIR="+r.temp)
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	eventually(t, "three replicas are there", func() bool {
		r.replicas = childrenOf(t, r.cmd.Process.Pid)
		return len(r.replicas) == 3
	})
	return r
}

// childrenOf are the processes whose parent is pid.
func childrenOf(t *testing.T, pid int) (ids []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("this test looks for processes in /proc, which is not there")
	}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields := processFields(id); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			ids = append(ids, id)
		}
	}
	return ids
}

// processFields are those of /proc/PID/stat from the state on, nil for no such process.
func processFields(pid int) []string {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

// gone waits until no replica runs any more. One that nobody has waited for yet has ended.
func (r *rehearsing) gone(t *testing.T) {
	t.Helper()
	for _, pid := range r.replicas {
		eventually(t, "the end of replica "+strconv.Itoa(pid), func() bool {
			fields := processFields(pid)
			return len(fields) == 0 || fields[0] == "Z"
		})
	}
}

func TestRehearsalIsInterrupted(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String()+" ends it at once, and nothing stays behind", func(t *testing.T) {
			t.Parallel()
			r := underWay(t)
			if err := r.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_ = r.cmd.Wait()
			if got := r.cmd.ProcessState.ExitCode(); got != 128+int(sig) {
				t.Errorf("exit %d\n%s", got, r.log.text())
			}
			r.gone(t)
			if left, err := os.ReadDir(r.temp); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
	t.Run("a kill takes the replicas with it", func(t *testing.T) {
		t.Parallel()
		r := underWay(t)
		if err := r.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = r.cmd.Wait()
		r.gone(t)
	})
}
