package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-server/holdfast/conn"
)

func listenError(err error) error {
	return &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", err)}
}

func TestListenFault(t *testing.T) {
	for _, c := range []struct {
		name, addr string
		err        error
		want       []string
	}{
		{"a port in use", "127.0.0.1:8443", listenError(syscall.EADDRINUSE), []string{
			"cannot listen on 127.0.0.1:8443 (--https): the port is in use; ", "ss -ltnp 'sport = :8443'", "choose another port with --https"}},
		{"a privileged port", ":443", listenError(syscall.EACCES), []string{
			"port 443 is privileged", "sudo setcap cap_net_bind_service=+ep /", "AmbientCapabilities=CAP_NET_BIND_SERVICE",
			"sudo sysctl net.ipv4.ip_unprivileged_port_start=443", "a port from 1024 with --https"}},
		{"a port that a policy forbids", ":8443", listenError(syscall.EACCES), []string{"the system forbids it; ", "SELinux"}},
		{"an address of another machine", "192.0.2.1:443", listenError(syscall.EADDRNOTAVAIL), []string{"this machine does not have the address; ", "ip addr", "--https :443"}},
		{"no IPv6", "[::1]:443", listenError(syscall.EAFNOSUPPORT), []string{"most likely IPv6"}},
		{"a host name that is none", "nowhere.invalid:443", &net.OpError{Op: "listen", Err: &net.DNSError{Err: "no such host", Name: "nowhere.invalid"}},
			[]string{"the host name has no address here: no such host; check its spelling"}},
		{"a socket that is served", "unix:/run/s", conn.ErrSocketLive, []string{
			"cannot listen on unix:/run/s (--https): another process listens on it; see which with ss -lxp src /run/s, or choose another path with --https"}},
		{"something else than a socket", "unix:/run/s", conn.ErrNoSocket, []string{"something else than a socket, which is left as it is; choose another path with --https"}},
		{"a socket in no directory", "unix:/run/a b/s", fs.ErrNotExist, []string{"its directory is missing; make it with mkdir '/run/a b'"}},
		{"a socket in somebody's directory", "unix:/run/s", fs.ErrPermission, []string{"may not make files in its directory", "ls -l /run, or choose"}},
		{"anything else about a socket", "unix:/run/s", listenError(syscall.ENOBUFS), []string{"bind: no buffer space available; choose another path with --https"}},
		{"anything else", ":1", listenError(syscall.ENOBUFS), []string{"bind: no buffer space available; choose another address"}},
		{"an error of another kind", ":1", errors.New("odd\n"), []string{`: odd\x0a; `}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := listenFault("https", c.addr, c.err)
			if f.Usage || f.Where != "--https" {
				t.Errorf("fault is %+v", f)
			}
			for _, want := range c.want {
				if !strings.Contains(f.line(), want) {
					t.Errorf("no %q in %q", want, f.line())
				}
			}
			if strings.Contains(f.line(), "\n") {
				t.Errorf("more than one line: %q", f.line())
			}
		})
	}
}

func TestListenFaultOfTheRealThing(t *testing.T) {
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	addr := held.Addr().String()
	_, err = net.Listen("tcp", addr)
	if f := listenFault("http", addr, err); f.Why != "the port is in use" || f.Where != "--http" {
		t.Errorf("%v makes %q", err, f.line())
	}
	_, err = net.Listen("tcp", "192.0.2.1:0") // TEST-NET-1 is on no machine
	if f := listenFault("http", "192.0.2.1:0", err); f.Why != "this machine does not have the address" {
		t.Errorf("%v makes %q", err, f.line())
	}
}
