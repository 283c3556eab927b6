package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

	// Of a predecessor; nil without one. See the talk in inherit_talk.go.
	ready, begin *os.File
	agreed       string // the directory of the CA whose terms somebody agreed to

	// predecessor stands for its process; nil for none, or one that did not live to let us begin.
	predecessor *os.File
	ours        atomic.Bool // the service is: the predecessor drains, or is dead

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

// socket takes the inherited listener for an address, nil without one: of a predecessor's
// rather the one of the same name, for two may have asked for any free port.
func (i *inheritance) socket(name, address string) net.Listener {
	if i == nil {
		return nil
	}
	var found *inheritedSocket
	for _, k := range i.sockets {
		switch {
		case k.taken:
		case k.given() && k.name == name, !k.given() && k.name == name && k.address == address:
			found = k
		case found == nil && !k.given() && sameAddress(k, address):
			found = k
		}
	}
	if found == nil {
		return nil
	}
	found.taken = true
	return found.listener
}

// sameAddress tells whether a predecessor's socket listens where this address would: it may be
// written in another way. Of any free port there is a new one for each name.
func sameAddress(k *inheritedSocket, address string) bool {
	if path, ok := strings.CutPrefix(address, conn.UnixPrefix); ok {
		its, unix := strings.CutPrefix(k.address, conn.UnixPrefix)
		return unix && absolute(its) == absolute(path)
	}
	at, err := net.ResolveTCPAddr("tcp", address)
	switch is, ok := k.listener.Addr().(*net.TCPAddr); {
	case err != nil || !ok || at.Port == 0:
		return false
	case k.address == address:
		return true
	default:
		return at.Port == is.Port && at.Zone == is.Zone && (at.IP.Equal(is.IP) || every(at.IP) && every(is.IP))
	}
}

// every tells whether an IP stands for every address, of both families as Go listens.
func every(ip net.IP) bool { return ip == nil || ip.IsUnspecified() }

// isGiven tells whether systemd passed this listener's socket.
func (i *inheritance) isGiven(name string) bool {
	return i != nil && slices.ContainsFunc(i.sockets, func(k *inheritedSocket) bool { return k.given() && k.name == name })
}

// A bequest is what a predecessor tells its successor, in a variable.
type bequest struct {
	Ready   int               `json:"ready"` // descriptors of pipes
	Begin   int               `json:"begin"`
	Sockets []bequestedSocket `json:"sockets"`
	Agreed  string            `json:"agreed,omitempty"` // a CA's directory
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
	_ = syscall.SetNonblock(b.Begin, true) // a stop must be able to end the wait for it
	i.ready = os.NewFile(uintptr(b.Ready), "ready")
	i.begin = os.NewFile(uintptr(b.Begin), "begin")
	i.predecessor = processDescriptor(os.Getppid())
	i.agreed = b.Agreed
	for _, s := range b.Sockets {
		i.add(&inheritedSocket{name: s.Name, address: s.Address}, quote(s.Name+" "+s.Address), s.Descriptors...)
	}
}

// succeeds tells whether there is a predecessor.
func (i *inheritance) succeeds() bool { return i != nil && i.ready != nil }
