package conn

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// leavingMark is how many Fast Open requests a socket lets wait that its process is about to
// close. It is the one number on a listening socket that its owner may set and that everybody
// can read in /proc, and it is gone with the socket, however the process ended. It does no
// more than that: new connections go elsewhere by then.
const leavingMark = 97

// markLeaving lets the others who share the port know that the steering is ours, and to
// be left alone while this socket is there.
func (l *sharedListener) markLeaving() {
	_ = l.control(func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, leavingMark) })
}

// sharers are the sockets that listen where l does, by their inodes, and whether each is about
// to leave. False when the kernel does not tell, or only of another network namespace.
func (l *sharedListener) sharers() (leaving map[string]bool, ok bool) {
	var own unix.Stat_t
	if l.control(func(fd int) error { return unix.Fstat(fd, &own) }) != nil {
		return nil, false
	}
	inode := strconv.FormatUint(own.Ino, 10)
	for _, table := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue
		}
		leaving := sharersOf(file, inode)
		_ = file.Close()
		if leaving != nil {
			return leaving, true
		}
	}
	return nil, false
}

// The columns of /proc/net/tcp.
const (
	localColumn    = 1
	stateColumn    = 3
	inodeColumn    = 9
	fastOpenColumn = 16
	listenState    = "0A"
)

// sharersOf reads the table that has this inode; nil when it is another. Listening sockets come
// first in it: the connections behind them, perhaps 100,000, are not read.
func sharersOf(table io.Reader, inode string) (leaving map[string]bool) {
	byAddress := make(map[string]map[string]bool)
	own := ""
	lines := bufio.NewScanner(table)
	lines.Scan() // the heading
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if len(columns) <= fastOpenColumn || columns[stateColumn] != listenState {
			break
		}
		at := columns[localColumn]
		if byAddress[at] == nil {
			byAddress[at] = make(map[string]bool)
		}
		byAddress[at][columns[inodeColumn]] = columns[fastOpenColumn] == strconv.Itoa(leavingMark)
		if columns[inodeColumn] == inode {
			own = at
		}
	}
	return byAddress[own]
}
