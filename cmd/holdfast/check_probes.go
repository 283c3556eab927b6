package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	readinessProbe = "readinessProbe"
	livenessProbe  = "livenessProbe"
	startupProbe   = "startupProbe"
)

var probeKinds = []string{startupProbe, livenessProbe, readinessProbe}

// adminPaths are what the admin listener answers probes on.
var adminPaths = []string{"/livez", "/readyz", "/startupz"}

func (p *pod) checkProbes() {
	for _, kind := range probeKinds {
		probe := p.container.at(kind)
		switch {
		case !probe.has():
			if kind == readinessProbe {
				p.warn(p.container, complaint{"there is no readinessProbe", "requests come before the server listens", "probe /readyz on the admin port"})
			}
		case probe.at("httpGet").has():
			p.checkHTTPProbe(kind, probe.at("httpGet"))
		case probe.at("tcpSocket").has():
			p.checkTCPProbe(kind, probe.at("tcpSocket"))
		case probe.at("exec").has():
			p.warn(probe, complaint{kind + " runs a command", "the image has nothing but holdfast", "use httpGet on the admin port"})
		}
	}
	p.checkReadinessPace()
}

func (p *pod) checkHTTPProbe(kind string, get place) {
	port := get.at("port")
	l, ok := p.listenerAt(port, kind)
	if !ok {
		return
	}
	tls := strings.EqualFold(get.at("scheme").text(), "https")
	switch {
	case l.name != "https" && tls:
		p.fault(get, complaint{kind + " speaks TLS to the port of " + l.name, "that listener speaks plain HTTP: the probe never succeeds", "leave out scheme: HTTPS"})
	case l.name == "https" && !tls:
		p.fault(get, complaint{kind + " speaks plain HTTP to the port of https", "the answer is 400: the probe never succeeds", "probe the admin port"})
	case l.name == "admin":
		p.checkProbePath(kind, get.at("path"))
	default:
		p.public(kind, port)
	}
}

func (p *pod) checkTCPProbe(kind string, socket place) {
	port := socket.at("port")
	l, ok := p.listenerAt(port, kind)
	switch {
	case !ok:
	case l.name != "admin":
		p.public(kind, port)
	case kind == readinessProbe:
		p.fault(socket, complaint{"readinessProbe only connects", "the admin port accepts through the whole drain: the pod stays ready", "use httpGet with path: /readyz"})
	}
}

// public warns of a probe that competes with the clients.
func (p *pod) public(kind string, port place) {
	why := "it says nothing of a drain, and fails when the connection limit is reached"
	if kind == livenessProbe {
		why = "a full house refuses it, and the pod is restarted under load"
	}
	p.warn(port, complaint{kind + " asks a public listener", why, "probe the admin port"})
}

// checkProbePath: liveness stays 200 through the drain, readiness turns 503.
func (p *pod) checkProbePath(kind string, at place) {
	target, err := url.ParseRequestURI("/" + strings.TrimPrefix(at.text(), "/"))
	if err != nil || !slices.Contains(adminPaths, target.Path) {
		p.fault(at, complaint{kind + " asks for " + quote(at.text()), "the admin listener does not have it", "write one of " + strings.Join(adminPaths, ", ")})
		return
	}
	switch {
	case kind == livenessProbe && target.Path == "/readyz":
		p.fault(at, complaint{"livenessProbe asks for /readyz", "it is 503 through the drain: the pod is killed in its last work", "write /livez"})
	case kind == livenessProbe && target.Path == "/startupz":
		p.warn(at, complaint{"livenessProbe asks for /startupz", "it tells that the start is over and nothing of what came after", "write /livez"})
	case kind == readinessProbe && target.Path != "/readyz":
		p.fault(at, complaint{"readinessProbe asks for " + target.Path, "it stays 200 through the drain: requests keep coming", "write /readyz"})
	}
}

// checkReadinessPace: a drain that Kubernetes did not begin, after an actor's death, is
// known to it by the probe alone.
func (p *pod) checkReadinessPace() {
	probe := p.container.at(readinessProbe)
	if !probe.has() {
		return
	}
	period, tries := probe.at("periodSeconds").whole(10), probe.at("failureThreshold").whole(3)
	if notices := time.Duration(period*tries) * time.Second; notices > p.settings.DrainDelay && p.settings.DrainDelay > 0 {
		p.warn(probe, complaint{fmt.Sprintf("readinessProbe notices a drain after %v", notices),
			fmt.Sprintf("the listeners close %v after it began", p.settings.DrainDelay), "lower periodSeconds × failureThreshold, 5 × 1 for instance"})
	}
}

// listenerAt finds the listener behind a port's number or name; without one it is a fault.
func (p *pod) listenerAt(port place, who string) (podListener, bool) {
	number, err := strconv.Atoi(port.text())
	if err != nil {
		declared, ok := p.namedPort(port.text())
		if !ok {
			p.fault(port, complaint{who + " names the port " + quote(port.text()), "no container port has this name", "name one of " + p.portNames()})
			return podListener{}, false
		}
		if !declared.here {
			return podListener{}, false // another container's affair
		}
		number = declared.number
	}
	i := slices.IndexFunc(p.listeners, func(l podListener) bool { return l.port == number })
	if i < 0 {
		p.fault(port, complaint{fmt.Sprintf("%s goes to port %d", who, number), "nothing listens on it", "the server listens on " + p.ports()})
		return podListener{}, false
	}
	return p.listeners[i], true
}
