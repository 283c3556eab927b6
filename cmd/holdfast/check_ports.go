package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// namedPort is a container port that other objects refer to.
type namedPort struct {
	number int
	here   bool // it is the server's container's own
}

// namedPort finds a port by name among all containers of the pod, as a Service does.
func (p *pod) namedPort(name string) (namedPort, bool) {
	for _, container := range p.spec.at("containers").each() {
		if port := container.at("ports").named(name); port.has() {
			return namedPort{port.at("containerPort").whole(0), container.node == p.container.node}, true
		}
	}
	return namedPort{}, false
}

func (p *pod) portNames() string {
	var all []string
	for _, port := range p.container.at("ports").each() {
		if name := port.at("name").text(); name != "" {
			all = append(all, plain(name))
		}
	}
	if len(all) == 0 {
		return "none: the container declares no named port"
	}
	return strings.Join(all, ", ")
}

// ports are what the server listens on, for a complaint.
func (p *pod) ports() string {
	var all []string
	for _, l := range p.listeners {
		all = append(all, fmt.Sprintf("%d (%s)", l.port, l.name))
	}
	return strings.Join(all, ", ")
}

// checkListeners holds the container's ports and rights against the listeners.
func (p *pod) checkListeners() {
	declared := p.container.at("ports")
	for _, port := range declared.each() {
		p.listenerAt(port.at("containerPort"), "a container port")
		if kind := port.at("protocol").text(); kind != "" && kind != "TCP" {
			p.fault(port.at("protocol"), complaint{"a container port is " + quote(kind), "the server speaks TCP only", "leave out protocol"})
		}
	}
	for _, l := range p.listeners {
		known := func(port place) bool { return port.at("containerPort").whole(0) == l.port }
		switch {
		case l.port == 0:
			p.fault(p.container, complaint{l.name + " listens on a port that the kernel picks", "no Service and no probe can know it", "give it a number"})
			continue
		case loopback(l.host):
			p.fault(p.container, complaint{fmt.Sprintf("%s listens on %s alone", l.name, plain(l.host)), "neither a Service nor a kubelet reaches it there", fmt.Sprintf("write :%d", l.port)})
		case !slices.ContainsFunc(declared.each(), known):
			p.warn(declared, complaint{fmt.Sprintf("port %d (%s) is not among the container's ports", l.port, l.name), "nobody can refer to it by name", "declare it with a name"})
		}
		p.checkPrivilegedPort(l)
	}
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// checkPrivilegedPort: a process that is not root has no capability in a container, even
// one that was added, because its exec clears them.
func (p *pod) checkPrivilegedPort(l podListener) {
	if !privileged(strconv.Itoa(l.port)) || p.rootMayBind() {
		return
	}
	for _, sysctl := range p.spec.at("securityContext", "sysctls").each() {
		if sysctl.at("name").text() == "net.ipv4.ip_unprivileged_port_start" {
			if from, err := strconv.Atoi(sysctl.at("value").text()); err == nil && from <= l.port {
				return
			}
		}
	}
	p.fault(p.container, complaint{fmt.Sprintf("%s listens on the privileged port %d", l.name, l.port),
		"the process is not root or lacks NET_BIND_SERVICE, and a capability that is added does not reach a user who is not root",
		"listen on a port from 1024, which a Service maps to any, or set the sysctl net.ipv4.ip_unprivileged_port_start"})
}

func (p *pod) rootMayBind() bool {
	caps := p.container.at("securityContext", "capabilities")
	has := func(list string, names ...string) bool {
		return slices.ContainsFunc(caps.at(list).texts(), func(c string) bool { return slices.Contains(names, c) })
	}
	return p.user() == 0 && (has("add", "NET_BIND_SERVICE", "ALL") || !has("drop", "NET_BIND_SERVICE", "ALL"))
}

// checkServices holds the Services that select the pod against the listeners.
func (p *pod) checkServices() {
	labels := p.template.at("metadata", "labels").pairs()
	for _, m := range p.manifests {
		selector := m.at("spec", "selector").pairs()
		if m.kind != "Service" || m.namespace != p.workload.namespace || len(selector) == 0 || !selects(selector, labels) {
			continue
		}
		p.checkNotReady(m)
		for _, port := range m.at("spec", "ports").each() {
			p.checkServicePort(m, port)
		}
		p.checkRedirect(m)
	}
}

// checkNotReady: a pod that is ready only with a certificate has to be reached by the CA before.
func (p *pod) checkNotReady(service *manifest) {
	at := service.at("spec", "publishNotReadyAddresses")
	waits := p.settings.ACME.NeedsCertificate && len(p.settings.ACME.Domains) > 0
	switch {
	case waits && !at.is(true):
		p.fault(service.at("spec"), complaint{"ready-needs-certificate is on, and the Service leads to ready pods alone",
			"the CA's challenge never reaches a pod without a certificate, which so never becomes ready", "leave ready-needs-certificate off, or set publishNotReadyAddresses: true"})
	case !waits && at.is(true):
		p.warn(at, complaint{"publishNotReadyAddresses is on", "pods that drain or start get requests", "leave it out, unless ready-needs-certificate is on"})
	}
}

// selects tells whether every label of a selector is there.
func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// targetPort is where a Service's port leads: its own number unless it says.
func targetPort(port place) place {
	if target := port.at("targetPort"); target.has() {
		return target
	}
	return port.at("port")
}

func (p *pod) checkServicePort(service *manifest, port place) {
	target := targetPort(port)
	l, ok := p.listenerAt(target, "the Service's port "+plain(port.at("port").text()))
	if !ok {
		return
	}
	kind := service.at("spec", "type").text()
	switch number := port.at("port").whole(0); {
	case l.name == "admin" && (kind == "LoadBalancer" || kind == "NodePort"):
		p.fault(target, complaint{"a Service of type " + kind + " leads to the admin port", "metrics and more would be public", "leave the port out, or give it a Service of type ClusterIP"})
	case l.name == "http" && number == 443:
		p.fault(target, complaint{"port 443 of the Service leads to the plain listener", "clients begin with TLS there", "lead it to https"})
	case l.name == "https" && number == 80:
		p.fault(target, complaint{"port 80 of the Service leads to the TLS listener", "clients begin in clear text there", "lead it to http"})
	}
}

// checkRedirect: clients follow a redirect to the port that it names, which has to be the
// Service's.
func (p *pod) checkRedirect(service *manifest) {
	https, plain := place{}, place{}
	for _, port := range service.at("spec", "ports").each() {
		switch l, ok := p.listenerAt(targetPort(port), "the Service's port"); {
		case ok && l.name == "https":
			https = port
		case ok && l.name == "http":
			plain = port
		}
	}
	named := p.settings.PublicHTTPSPort
	if named == 0 {
		named = 443
	}
	if number := https.at("port").whole(named); plain.has() && number != named && p.settings.HTTPS != "" {
		p.warn(https, complaint{fmt.Sprintf("redirects name port %d, the Service has https on %d", named, number), "clients that follow reach nobody", fmt.Sprintf("set --public-https-port %d", number)})
	}
}
