package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/holdfast-server/holdfast/conn"
)

// privilegedPorts end below the kernel's usual net.ipv4.ip_unprivileged_port_start.
const privilegedPorts = 1024

// listenFault says why the address of the named flag, such as "https", cannot be
// listened on and what to do, from the error of net.Listen.
func listenFault(flag, addr string, err error) fault {
	if path, ok := strings.CutPrefix(addr, conn.UnixPrefix); ok {
		return socketFault(flag, path, err)
	}
	f := fault{What: "cannot listen on " + plain(addr), Where: "--" + flag}
	_, port, _ := net.SplitHostPort(addr)
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.Why = "the port is in use"
		f.Mend = "see who has it with ss -ltnp 'sport = :" + port + "', or choose another port with --" + flag
	case errors.Is(err, syscall.EACCES) && privileged(port):
		f.Why = "port " + port + " is privileged and this user may not have it"
		f.Mend = privilegeAdvice(flag, port)
	case errors.Is(err, syscall.EACCES):
		f.Why, f.Mend = "the system forbids it", "look for a security policy (SELinux, AppArmor, seccomp)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.Why = "this machine does not have the address"
		f.Mend = "see those it has with ip addr, or listen on all with --" + flag + " :" + port
	case errors.Is(err, syscall.EAFNOSUPPORT):
		f.Why = "the system lacks this kind of address, most likely IPv6"
		f.Mend = "choose an IPv4 one with --" + flag
	case errors.As(err, &dns):
		f.Why = "the host name has no address here: " + plain(dns.Err)
		f.Mend = "check its spelling, or give an IP address with --" + flag
	default:
		f.Why, f.Mend = plain(bareListenError(err)), "choose another address with --"+flag
	}
	return f
}

// socketFault is listenFault for a unix socket.
func socketFault(flag, path string, err error) fault {
	f := fault{What: "cannot listen on " + plain(conn.UnixPrefix+path), Where: "--" + flag, Mend: "choose another path with --" + flag}
	dir := shellWord(filepath.Dir(path))
	switch {
	case errors.Is(err, conn.ErrSocketLive):
		f.Why = "another process listens on it"
		f.Mend = "see which with ss -lxp src " + shellWord(path) + ", or choose another path with --" + flag
	case errors.Is(err, conn.ErrNoSocket):
		f.Why = "there is something else than a socket, which is left as it is"
	case errors.Is(err, fs.ErrNotExist):
		f.Why, f.Mend = "its directory is missing", "make it with mkdir "+dir
	case errors.Is(err, fs.ErrPermission):
		f.Why = "this user may not make files in its directory, or has no use of those that are there"
		f.Mend = "look at ls -l " + dir + ", or choose another path with --" + flag
	default:
		f.Why = plain(bareListenError(err))
	}
	return f
}

func privileged(port string) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n < privilegedPorts
}

// privilegeAdvice names the ways to such a port, the least far-reaching first.
func privilegeAdvice(flag, port string) string {
	binary, err := os.Executable()
	if err != nil {
		binary = "holdfast"
	}
	return "grant it by one of: sudo setcap cap_net_bind_service=+ep " + shellWord(binary) + "; " +
		"AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit; " +
		"sudo sysctl net.ipv4.ip_unprivileged_port_start=" + port + "; or choose a port from 1024 with --" + flag
}

// bareListenError leaves out the address, which the fault names already.
func bareListenError(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
