package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/holdfast-server/holdfast/conn"
)

// firstDescriptor is where inherited files begin: behind stdin, stdout and stderr.
const firstDescriptor = 3

// inheritanceLimit is how many files may be passed. It bounds what a mistaken variable does.
const inheritanceLimit = 64

// An inheritance is what whoever started the process passed to it: systemd its sockets, a
// predecessor its own and two pipes. It is read once, first of all, and its variables are
// gone from the environment then: they are not for children. Nil is none.
type inheritance struct {
	sockets []*inheritedSocket
	faults  []fault

	// Of a predecessor; nil without one. It hears on ready that we are, and lets us begin on
	// begin.
	ready, begin *os.File

	// predecessor stands for its process; nil for none, or one that did not live to let us begin.
	predecessor *os.File

	mu     sync.Mutex // guards telling
	closed bool       // ready is
}

// An inheritedSocket is a listening socket of somebody else's making.
type inheritedSocket struct {
	name     string // of the listener that it is for; "" if systemd was not told
	address  string // that the predecessor was configured with, "" for one of systemd's
	listener net.Listener
	taken    bool
}

// given tells whether systemd passed it, so that no setting says where it listens.
func (k *inheritedSocket) given() bool { return k.address == "" }

// inherit reads what was passed, and removes the variables that say so.
func inherit() *inheritance {
	i := new(inheritance)
	if text := take(bequestVariable); text != "" {
		i.fromPredecessor(text)
	}
	pid, count, names := take("LISTEN_PID"), take("LISTEN_FDS"), take("LISTEN_FDNAMES")
	if pid == strconv.Itoa(os.Getpid()) {
		i.fromSystemd(count, names)
	}
	return i
}

func take(variable string) string {
	text := os.Getenv(variable)
	_ = os.Unsetenv(variable) // the name is right
	return text
}

// fromSystemd takes the sockets of sd_listen_fds(3).
func (i *inheritance) fromSystemd(count, names string) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > inheritanceLimit {
		i.fault("LISTEN_FDS "+quote(count)+" is no number of sockets", fmt.Sprintf("it takes 1 to %d", inheritanceLimit))
		return
	}
	called := strings.Split(names, ":")
	for k := range n {
		socket := &inheritedSocket{}
		if len(called) == n {
			socket.name = called[k]
		}
		i.add(socket, fmt.Sprintf("%d, called %s", k+1, quote(socket.name)), firstDescriptor+k)
	}
	if !slices.ContainsFunc(i.sockets, func(k *inheritedSocket) bool { return slices.Contains(listenerNames, k.name) }) {
		i.nameByOrder()
	}
}

// listenerNames are the names that sockets may have.
var listenerNames = []string{"https", "http", "admin"}

// inOrder is how many sockets without names may be passed: https, and http.
const inOrder = 2

// nameByOrder names sockets that were not named for us: without FileDescriptorName= systemd
// calls each after its unit.
func (i *inheritance) nameByOrder() {
	for k, socket := range i.sockets {
		if k < inOrder {
			socket.name = listenerNames[k]
		}
	}
}

// add takes a socket. The file's descriptors are ours to close.
func (i *inheritance) add(socket *inheritedSocket, what string, descriptors ...int) {
	var files []*os.File
	for _, fd := range descriptors {
		syscall.CloseOnExec(fd)
		files = append(files, os.NewFile(uintptr(fd), "inherited "+what))
	}
	l, err := conn.Inherit(files...)
	if err != nil {
		why := "it is no TCP or unix stream socket that listens"
		if !errors.Is(err, conn.ErrNotListening) {
			why = plain(err.Error())
		}
		i.fault("cannot listen on the inherited socket "+what, why)
		return
	}
	socket.listener = l
	i.sockets = append(i.sockets, socket)
}

func (i *inheritance) fault(what, why string) {
	i.faults = append(i.faults, fault{What: what, Why: why, Mend: "see the .socket unit: ListenStream= and FileDescriptorName=", Usage: true})
}

// socket takes the inherited listener for an address, nil without one.
func (i *inheritance) socket(name, address string) net.Listener {
	if i == nil {
		return nil
	}
	for _, k := range i.sockets {
		if !k.taken && (k.given() && k.name == name || !k.given() && k.address == address) {
			k.taken = true
			return k.listener
		}
	}
	return nil
}

// isGiven tells whether systemd passed this listener's socket.
func (i *inheritance) isGiven(name string) bool {
	return i != nil && slices.ContainsFunc(i.sockets, func(k *inheritedSocket) bool { return k.given() && k.name == name })
}

// A bequest is what a predecessor tells its successor, in a variable.
type bequest struct {
	Ready   int               `json:"ready"` // descriptors of pipes
	Begin   int               `json:"begin"`
	Sockets []bequestedSocket `json:"sockets"`
}

type bequestedSocket struct {
	Name        string `json:"name"`
	Address     string `json:"address,omitempty"` // none for one of systemd's
	Descriptors []int  `json:"descriptors"`
}

// bequestVariable has a bequest as JSON.
const bequestVariable = "HOLDFAST_LISTENERS"

// fromPredecessor takes what a predecessor left us.
func (i *inheritance) fromPredecessor(text string) {
	var b bequest
	if err := json.Unmarshal([]byte(text), &b); err != nil || b.Ready < firstDescriptor || b.Begin < firstDescriptor || len(b.Sockets) > inheritanceLimit {
		i.faults = append(i.faults, fault{What: bequestVariable + " is not understood", Why: "it is for a successor's eyes alone", Mend: "unset it", Usage: true})
		return
	}
	syscall.CloseOnExec(b.Ready)
	syscall.CloseOnExec(b.Begin)
	i.ready = os.NewFile(uintptr(b.Ready), "ready")
	i.begin = os.NewFile(uintptr(b.Begin), "begin")
	i.predecessor = processDescriptor(os.Getppid())
	for _, s := range b.Sockets {
		i.add(&inheritedSocket{name: s.Name, address: s.Address}, quote(s.Name+" "+s.Address), s.Descriptors...)
	}
}

// succeeds tells whether there is a predecessor.
func (i *inheritance) succeeds() bool { return i != nil && i.ready != nil }

// readyMark begins the line that ends what a successor says before it serves. Its words have no
// control bytes.
const readyMark = "\x06"

// A readiness is the line's content.
type readiness struct {
	Takes []string `json:"takes"` // addresses of the inherited sockets that are to be used on
}

// takeOver tells the predecessor that all is open, and waits for it to let go. When it
// dies instead, it has let go too; and when it gives up on us, we hear a signal.
func (i *inheritance) takeOver(listeners []namedListener) {
	if !i.succeeds() {
		return
	}
	var r readiness
	for _, k := range i.sockets {
		if k.taken {
			r.Takes = append(r.Takes, k.name+" "+k.address)
		} else {
			_ = k.listener.Close() // the predecessor empties its queue
		}
	}
	line, _ := json.Marshal(r) // strings always can be
	i.mu.Lock()
	_, _ = i.ready.WriteString(readyMark + string(line) + "\n") // whoever does not hear it has ended
	_ = i.ready.Close()
	i.closed = true
	i.mu.Unlock()
	if _, err := io.ReadFull(i.begin, make([]byte, 1)); err != nil {
		i.predecessor = nil // it has died, perhaps before we looked who our parent is
	}
	_ = i.begin.Close()
	for _, l := range listeners {
		l.listener.TakeOver()
	}
}

// overheard is stderr of a successor: until it is ready its predecessor hears what it says.
type overheard struct {
	*os.File
	by *inheritance
}

func (o overheard) Write(p []byte) (int, error) {
	o.by.mu.Lock()
	defer o.by.mu.Unlock()
	if !o.by.closed {
		_, _ = o.by.ready.Write(p)
	}
	return o.File.Write(p)
}

// stderr is where the process complains.
func (i *inheritance) stderr(f *os.File) io.Writer {
	if !i.succeeds() {
		return f
	}
	return overheard{f, i}
}
