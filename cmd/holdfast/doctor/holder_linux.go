package doctor

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listenState is TCP_LISTEN in /proc/net/tcp.
const listenState = "0A"

// ProcessOn finds the process that listens on a TCP port. Those of other users are seen by
// root alone.
func ProcessOn(ctx context.Context, port uint16) Holder {
	sockets := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listeningSockets(table, port, sockets)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // its one error is a bad pattern
	for _, link := range links {
		if ctx.Err() != nil {
			break
		}
		if target, err := os.Readlink(link); err != nil || !sockets[target] {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		pid, err := strconv.Atoi(filepath.Base(process))
		name, nameErr := os.ReadFile(filepath.Join(process, "comm"))
		if err == nil && nameErr == nil {
			return Holder{PID: pid, Name: strings.TrimSpace(string(name))}
		}
	}
	return Holder{}
}

// listeningSockets puts the sockets that listen on the port into found, by the names that
// links to them have.
func listeningSockets(table string, port uint16, found map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		const local, state, inode = 1, 3, 9
		words := strings.Fields(lines.Text())
		if len(words) > inode && words[state] == listenState && strings.HasSuffix(words[local], suffix) {
			found["socket:["+words[inode]+"]"] = true
		}
	}
}
