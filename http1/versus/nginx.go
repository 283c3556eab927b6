package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"text/template"

	"github.com/holdfast-server/holdfast/http1/versus/contestant"
	"github.com/holdfast-server/holdfast/http1/versus/load"
	"github.com/holdfast-server/holdfast/http1/versus/process"
)

// nginxConfig makes one process answer what the others answer, without logs and without
// files outside dir. The cipher suite is the one that Go's servers choose.
var nginxConfig = template.Must(template.New("nginx.conf").Parse(`daemon off;
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
`))

// writeNginxConfig writes nginx's configuration below dir and returns its path.
func writeNginxConfig(dir, addr, root string, overTLS bool, pair keyPair, connections int) (string, error) {
	var b bytes.Buffer
	err := nginxConfig.Execute(&b, map[string]any{
		"Root": root, "Dir": dir, "Addr": addr, "TLS": overTLS, "Cert": pair.cert, "Key": pair.key, "Connections": connections,
		"ContentType": contestant.ContentType, "Content": contestant.Content,
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "nginx.conf")
	return path, os.WriteFile(path, b.Bytes(), 0o600)
}

// startNginx starts nginx on l's port, which is free for a moment: nginx takes over a
// listener only in its form with a master, and in that the process to measure would not be
// the one that we start.
func (b *bench) startNginx(ctx context.Context, l net.Listener, overTLS, files bool) (*server, error) {
	addr, root := l.Addr().String(), ""
	if files {
		root = b.root
	}
	config, err := writeNginxConfig(b.dir, addr, root, overTLS, b.pair, b.connections())
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	args := []string{nginx, "-p", b.dir, "-c", config, "-e", "stderr"}
	c, err := process.Start(ctx, process.Spec{Name: nginx, Args: args, Core: b.serverCore})
	if err != nil {
		return nil, err
	}
	if err := load.Await(ctx, addr); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &server{Child: c, addr: addr}, nil
}
