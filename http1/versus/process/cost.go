package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CPU is the processor time that process pid has used so far, in user and kernel mode.
//
// It is the sum over the threads' /proc/PID/task/TID/schedstat, in nanoseconds. A thread
// that has ended is not in it, and a running one lags by up to a scheduler tick: measure
// at rest. A kernel without schedstat gives /proc/PID/stat, in steps of 10 ms.
func CPU(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	if len(files) == 0 {
		return cpuTicks(pid)
	}
	var sum time.Duration
	for _, name := range files {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the thread ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		d, err := parseSchedstat(b)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += d
	}
	return sum, nil
}

func cpuTicks(pid int) (time.Duration, error) {
	name := fmt.Sprintf("/proc/%d/stat", pid)
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	d, err := parseStat(b)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// parseSchedstat takes the first of the three numbers: nanoseconds on a core.
func parseSchedstat(b []byte) (time.Duration, error) {
	first, _, _ := strings.Cut(string(b), " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns), err
}

// userHZ is the unit of /proc/PID/stat: the kernel shows 100 a second whatever its own is.
const userHZ = 100

// parseStat adds fields 14 and 15, utime and stime. It counts from behind the program's
// name, which stands in parentheses and may hold spaces and parentheses itself.
func parseStat(b []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(b, ')')
	fields := strings.Fields(string(b[end+1:]))
	const utime, stime = 14 - 3, 15 - 3 // the first field behind the name is the third
	if end < 0 || len(fields) <= stime {
		return 0, errors.New("not the format of proc(5)")
	}
	user, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * time.Second / userHZ, err
}

// Memory is what a process holds, in bytes.
type Memory struct {
	RSS int64 // resident pages
	PSS int64 // the same, with pages that n processes share counted as 1/n
}

// Resident is the memory of process pid, from /proc/PID/smaps_rollup.
func Resident(pid int) (Memory, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return Memory{}, err
	}
	return parseSmaps(b)
}

func parseSmaps(b []byte) (m Memory, err error) {
	rss, ok := kibibytes(b, "Rss:")
	pss, ok2 := kibibytes(b, "Pss:")
	if !ok || !ok2 {
		return m, errors.New("smaps_rollup has no Rss or no Pss")
	}
	return Memory{RSS: rss << 10, PSS: pss << 10}, nil
}

// kibibytes finds the number behind a label, such as "Rss:     1234 kB".
func kibibytes(b []byte, label string) (int64, bool) {
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == label && fields[2] == "kB" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// Cores are those that this process may run on, in rising order.
func Cores() ([]int, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return parseCores(strings.TrimSpace(list))
		}
	}
	return nil, errors.New("/proc/self/status does not tell the cores")
}

// parseCores reads the kernel's notation, such as "0-2,5".
func parseCores(list string) (cores []int, err error) {
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err := strconv.Atoi(low)
		if err != nil {
			return nil, fmt.Errorf("core list %q: %w", list, err)
		}
		to, err := strconv.Atoi(high)
		if err != nil {
			return nil, fmt.Errorf("core list %q: %w", list, err)
		}
		for core := from; core <= to; core++ {
			cores = append(cores, core)
		}
	}
	return cores, nil
}
