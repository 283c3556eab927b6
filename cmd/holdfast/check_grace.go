package main

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Figures of Kubernetes that rules count with.
const (
	graceDefaultSeconds = 30
	// endpointLag is what the removal of an endpoint was seen to take, and more.
	endpointLag = 5 * time.Second
)

// grace is how long the kubelet waits between SIGTERM, or the preStop hook, and SIGKILL,
// in seconds.
func (p *pod) grace() int {
	return p.spec.at("terminationGracePeriodSeconds").whole(graceDefaultSeconds)
}

// checkGrace holds the drain against what the kubelet grants.
func (p *pod) checkGrace() {
	at := p.spec.at("terminationGracePeriodSeconds")
	if at.has() && at.node.Tag != "!!int" {
		p.fault(at, complaint{"terminationGracePeriodSeconds is no whole number", "the API takes nothing else", "write it without quotes or a unit"})
		return
	}
	hook := p.preStop()
	p.checkGranted(at, p.grace(), hook)
	for _, kind := range probeKinds {
		if at := p.container.at(kind, "terminationGracePeriodSeconds"); at.has() {
			p.checkGranted(at, at.whole(0), hook)
		}
	}
	if p.settings.DrainDelay < endpointLag && hook == 0 {
		p.warn(p.container, complaint{fmt.Sprintf("the drain delay is %v", p.settings.DrainDelay),
			fmt.Sprintf("requests come for more than %v after the stop: nodes learn late that an endpoint is gone", endpointLag),
			"leave out --drain-delay, which is 15s in Kubernetes"})
	}
}

func (p *pod) checkGranted(at place, seconds int, hook time.Duration) {
	s := p.settings
	needed := s.graceNeeded() + hook
	if time.Duration(seconds)*time.Second >= needed {
		return
	}
	why := fmt.Sprintf("the drain may take %v (%v delay + %v timeout + 1s)", needed, s.DrainDelay, s.DrainTimeout)
	if hook > 0 {
		why = fmt.Sprintf("the stop may take %v (%v preStop + %v delay + %v timeout + 1s)", needed, hook, s.DrainDelay, s.DrainTimeout)
	}
	p.fault(at, complaint{fmt.Sprintf("a grace period of %d s is too short", seconds), why + ", then comes SIGKILL",
		fmt.Sprintf("set it to %d at least, or lower --drain-timeout", int(math.Ceil(needed.Seconds())))})
}

// sleeping is a sleep in a hook's command.
var sleeping = regexp.MustCompile(`\bsleep\s+([0-9]+(?:\.[0-9]+)?)([smh]?)\b`)

// preStop is how long the hook before SIGTERM sleeps. It counts into the grace period, and
// through it the server knows of no stop.
func (p *pod) preStop() time.Duration {
	hook := p.container.at("lifecycle", "preStop")
	if !hook.has() {
		return 0
	}
	took := time.Duration(hook.at("sleep", "seconds").whole(0)) * time.Second
	command := hook.at("exec", "command").texts()
	if found := sleeping.FindStringSubmatch(strings.Join(command, " ")); found != nil {
		n, _ := strconv.ParseFloat(found[1], 64) // the expression lets nothing else through
		unit := map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour}[found[2]]
		took = time.Duration(n * float64(unit))
	}
	switch {
	case len(command) > 0 && path.Base(command[0]) != "holdfast":
		p.warn(hook, complaint{"the preStop hook runs " + quote(path.Base(command[0])), "the image has nothing but holdfast: the hook fails, and the stop goes on without it",
			"leave it out: the drain delay does its work, and tells clients meanwhile"})
	case took > 0:
		p.warn(hook, complaint{fmt.Sprintf("the preStop hook sleeps %v", took), "until it ends the server tells no client to leave", "leave it out and set --drain-delay"})
	default:
		p.warn(hook, complaint{"nothing tells how long the preStop hook takes", "it counts into the grace period", "leave it out: SIGTERM is all that the server needs"})
	}
	return took
}
