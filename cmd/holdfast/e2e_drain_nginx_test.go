package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// proofNginx passes everything on at once, as it comes. It has a master: without one QUIT does not wait for requests.
const proofNginx = `daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream app { server %[3]s; keepalive 128; }
	server {
		listen %[2]s;
		location / {
			proxy_pass http://app;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
			proxy_request_buffering off;
		}
	}
}
`

// startNginx starts nginx in front of app, on a port that was free a moment ago. quit lets it
// end when its requests have.
func (o *contestantOrder) startNginx(app string) (addr string, quit func() error, err error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = free.Addr().String()
	if err := errors.Join(free.Close(), os.MkdirAll(o.Dir, 0o700)); err != nil {
		return "", nil, err
	}
	config := filepath.Join(o.Dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, proofNginx, o.Dir, addr, app), 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.Command(o.Nginx, "-p", o.Dir, "-c", config, "-e", "stderr")
	cmd.SysProcAttr, cmd.Stderr = replicaProcess(), os.Stderr
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM // on SIGKILL it would leave its worker behind
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	quit = func() error { return errors.Join(cmd.Process.Signal(syscall.SIGQUIT), cmd.Wait()) }
	for begun := time.Now(); time.Since(begun) < patience; <-time.After(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			return addr, quit, c.Close()
		}
	}
	return "", nil, errors.Join(errors.New("nginx does not listen"), quit())
}
