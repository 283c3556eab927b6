package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/template"

	"github.com/holdfast-server/holdfast/http1/versus/contestant"
	"github.com/holdfast-server/holdfast/http1/versus/load"
	"github.com/holdfast-server/holdfast/http1/versus/process"
)

// An installed contestant is a program of the system's, which takes part where it is found.
type installed struct {
	name, install string
	filesOnly     bool // it takes part in the cases of files alone
	config        *template.Template
	args          func(dir, config string) []string
}

// programs are all of them, in the order of a table. Each runs as one process with one
// thread and without logs, and has no files outside the bench's folder. The cipher suite is
// the one that Go's servers choose.
var programs = []installed{
	{name: nginx, install: "nginx-light", config: template.Must(template.New("nginx.conf").Parse(nginxConfig)),
		args: func(dir, config string) []string { return []string{nginx, "-p", dir, "-c", config, "-e", "stderr"} }},
	{name: "h2o", install: "h2o", filesOnly: true, config: template.Must(template.New("h2o.conf").Parse(h2oConfig)),
		args: func(_, config string) []string { return []string{"h2o", "-m", "worker", "-c", config} }},
	{name: "lighttpd", install: "lighttpd lighttpd-mod-openssl", filesOnly: true, config: template.Must(template.New("lighttpd.conf").Parse(lighttpdConfig)),
		args: func(_, config string) []string { return []string{"lighttpd", "-D", "-f", config} }},
}

func programNames() (names []string) {
	for _, p := range programs {
		names = append(names, p.name)
	}
	return names
}

// program is the installed contestant of a name, nil if the name is a server's in Go.
func program(name string) *installed {
	i := slices.IndexFunc(programs, func(p installed) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return &programs[i]
}

// missing says how to install the program, "" where it is installed.
func (p *installed) missing() string {
	if _, err := exec.LookPath(p.name); err == nil {
		return ""
	}
	return fmt.Sprintf("%s is not installed (apt-get install %s)", p.name, p.install)
}

const nginxConfig = `daemon off;
master_process off;
worker_processes 1;
pid {{.Dir}}/nginx.pid;
error_log stderr error;
events { worker_connections {{.Connections}}; }
http {
	access_log off;
	server_tokens off;
	default_type "{{.ContentType}}";
	keepalive_requests 1000000000;
	keepalive_timeout 600s;
	client_body_temp_path {{.Dir}}/body;
	proxy_temp_path {{.Dir}}/proxy;
	fastcgi_temp_path {{.Dir}}/fastcgi;
	uwsgi_temp_path {{.Dir}}/uwsgi;
	scgi_temp_path {{.Dir}}/scgi;
	server {
		listen {{.Addr}}{{if .TLS}} ssl{{end}};
{{- if .TLS}}
		ssl_certificate {{.Cert}};
		ssl_certificate_key {{.Key}};
		ssl_protocols TLSv1.3;
		ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
{{- end}}
{{- if .Root}}
		root {{.Root}};
		sendfile on;
		tcp_nopush on;
{{- else}}
		location / { return 200 "{{.Content}}"; }
{{- end}}
	}
}
`

const h2oConfig = `pid-file: {{.Dir}}/h2o.pid
error-log: /dev/null
num-threads: 1
max-connections: {{.Connections}}
tcp-fastopen: 0
http1-request-timeout: 600
{{if .Superuser}}user: root
{{end}}listen:
  host: {{.Host}}
  port: {{.Port}}
{{- if .TLS}}
  ssl:
    certificate-file: {{.Cert}}
    key-file: {{.Key}}
    minimum-version: TLSv1.3
{{- end}}
hosts:
  default:
    paths:
      /:
        file.dir: {{.Root}}
        file.send-gzip: OFF
`

const lighttpdConfig = `server.modules = ({{if .TLS}} "mod_openssl" {{end}})
server.document-root = "{{.Root}}"
server.bind = "{{.Host}}"
server.port = {{.Port}}
server.pid-file = "{{.Dir}}/lighttpd.pid"
server.upload-dirs = ( "{{.Dir}}" )
server.max-connections = {{.Connections}}
server.max-fds = {{.Descriptors}}
server.max-keep-alive-requests = 100000000
server.max-keep-alive-idle = 600
mimetype.assign = ( ".html" => "text/html", ".bin" => "application/octet-stream" )
{{- if .TLS}}
ssl.engine = "enable"
ssl.pemfile = "{{.Cert}}"
ssl.privkey = "{{.Key}}"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.3", "Ciphersuites" => "TLS_AES_128_GCM_SHA256")
{{- end}}
`

// place is where a contestant serves, and what.
type place struct {
	addr        string
	root        string // "" for the content of contestant
	overTLS     bool
	pair        keyPair
	connections int
}

// write writes the program's configuration below dir and returns its path.
func (p *installed) write(dir string, at place) (string, error) {
	host, port, err := net.SplitHostPort(at.addr)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = p.config.Execute(&b, map[string]any{
		"Root": at.root, "Dir": dir, "Addr": at.addr, "Host": host, "Port": port,
		"TLS": at.overTLS, "Cert": at.pair.cert, "Key": at.pair.key, "Connections": at.connections, "Descriptors": 2*at.connections + spareConnections,
		"Superuser":   os.Geteuid() == 0, // h2o wants a name then, and reads the pair as that user
		"ContentType": contestant.ContentType, "Content": contestant.Content,
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, p.name+".conf")
	return path, os.WriteFile(path, b.Bytes(), 0o600)
}

// startInstalled starts p on l's port, which is free for a moment: nginx takes over a
// listener only in its form with a master, and in that the process to measure would not be
// the one that we start.
func (b *bench) startInstalled(ctx context.Context, p *installed, l net.Listener, overTLS, files bool) (*server, error) {
	at := place{addr: l.Addr().String(), overTLS: overTLS, pair: b.pair, connections: b.connections()}
	if files {
		at.root, at.connections = b.root, b.active+spareConnections
	}
	config, err := p.write(b.dir, at)
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	c, err := process.Start(ctx, process.Spec{Name: p.name, Args: p.args(b.dir, config), Core: b.serverCore, AnyExit: true})
	if err != nil {
		return nil, err
	}
	if err := load.Await(ctx, at.addr); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &server{Child: c, addr: at.addr}, nil
}
