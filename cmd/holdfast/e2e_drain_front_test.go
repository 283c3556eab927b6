package main

import (
	"cmp"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// directFront is two servers that clients choose between by themselves.
type directFront struct {
	*proof
	berths [servers]*berth
}

func newDirectFront(p *proof) *directFront {
	f := &directFront{proof: p}
	for i := range f.berths {
		f.berths[i] = p.newBerth()
		p.balancer.Add(f.berths[i].running.Endpoint)
	}
	return f
}

func (f *directFront) replace(turn int) proofEnd {
	b := f.berths[turn%len(f.berths)]
	f.balancer.RemoveAt(b.running.Endpoint, time.Now().Add(proofLag))
	b.stop()
	end := b.end()
	b.start()
	f.balancer.Add(b.running.Endpoint)
	return end
}

// pass lets a time pass that is part of what is tried.
func (p *proof) pass(length time.Duration) {
	p.t.Helper()
	if err := sleep(p.t.Context(), length); err != nil {
		p.t.Fatal(err)
	}
}

// proxyFront is two servers behind a HAProxy, which speaks HTTP and keeps connections.
// Clients reach it in clear, and it reaches the servers over TLS where the case says so.
type proxyFront struct {
	*proof
	berths [servers]*berth
	proxy  *haproxy
	door   *traffic.Endpoint // of the proxy
}

func newProxyFront(p *proof) *proxyFront {
	f := &proxyFront{proof: p}
	var config strings.Builder
	config.WriteString("listen front\n\tbind BIND\n\tmode http\n\toption redispatch 1\n\tretries 3\n")
	for i := range f.berths {
		f.berths[i] = p.newBerth()
		fmt.Fprintf(&config, "\tserver s%d %s%s\n", i, f.berths[i].address(), f.berths[i].proxyTLS())
	}
	f.proxy = startHAProxy(p.t, config.String())
	door, err := traffic.NewEndpoint(f.proxy.addrs[0], nil)
	if err != nil {
		p.t.Fatal(err)
	}
	f.door = door
	p.balancer.Add(door)
	return f
}

// address is where the running server listens.
func (b *berth) address() string { return cmp.Or(b.record.HTTPS, b.record.HTTP) }

// proxyTLS is what HAProxy has to know of a server that speaks TLS.
func (b *berth) proxyTLS() string {
	if b.record.CA == "" || !b.c.tls {
		return ""
	}
	return " ssl verify required ca-file " + b.record.CA + " sni str(localhost) alpn http/1.1"
}

func (f *proxyFront) replace(turn int) proofEnd {
	i := turn % len(f.berths)
	b := f.berths[i]
	f.door.Leave(time.Now()) // so that a loss says when it was
	b.stop()
	f.pass(f.form.probeLag) // two failed health checks, say
	f.set(i, "state drain")
	end := b.end()
	f.set(i, "state maint")
	b.start()
	host, port, err := net.SplitHostPort(b.address())
	if err != nil {
		f.t.Fatal(err)
	}
	f.set(i, "addr "+host+" port "+port)
	f.set(i, "state ready")
	return end
}

// set changes a server of the proxy's.
func (f *proxyFront) set(i int, to string) {
	f.t.Helper()
	answer := strings.TrimSpace(f.proxy.ask(fmt.Sprintf("set server front/s%d %s", i, to)))
	if answer != "" && !strings.Contains(answer, "changed from") && !strings.Contains(answer, "no need to change") {
		f.t.Fatalf("the proxy answers %q to %q", answer, to)
	}
}
