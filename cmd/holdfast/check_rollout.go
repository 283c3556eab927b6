package main

import (
	"fmt"
	"strconv"
	"strings"
)

// replicas is how many pods there are to be; the least of them where they scale.
func (p *pod) replicas() int {
	for _, m := range p.manifests {
		target := m.at("spec", "scaleTargetRef")
		if m.kind == "HorizontalPodAutoscaler" && m.namespace == p.workload.namespace &&
			target.at("kind").text() == p.workload.kind && target.at("name").text() == p.workload.name {
			return m.at("spec", "minReplicas").whole(1)
		}
	}
	return p.workload.at("spec", "replicas").whole(1)
}

// share is a count or a percentage of all, as Kubernetes rounds it: unavailable pods down,
// spare ones up.
func share(at place, all int, standard string, up bool) int {
	text := at.text()
	if text == "" {
		text = standard
	}
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(number)
	switch {
	case err != nil:
		return 0
	case percent && up:
		return (n*all + 99) / 100
	case percent:
		return n * all / 100
	}
	return n
}

// checkRollout: a rollout and a node's end leave pods to serve.
func (p *pod) checkRollout() {
	switch p.workload.kind {
	case "Deployment":
		p.checkStrategy()
	case "Pod":
		p.warn(p.workload.at(), complaint{"a bare Pod", "nothing starts it again elsewhere, and no successor serves while it drains", "make it a Deployment"})
		return
	case "DaemonSet":
		return
	}
	if p.replicas() == 1 {
		p.warn(p.workload.at("spec", "replicas"), complaint{"there is one pod", "when its node goes nobody serves", "set replicas: 2 or more"})
	}
	p.checkBudgets()
}

func (p *pod) checkStrategy() {
	strategy, all := p.workload.at("spec", "strategy"), p.replicas()
	if strategy.at("type").text() == "Recreate" {
		p.fault(strategy, complaint{"the strategy is Recreate", "all pods stop before the first new one starts: requests are refused meanwhile", "use RollingUpdate with maxUnavailable: 0"})
		return
	}
	rolling := strategy.at("rollingUpdate")
	unavailable := share(rolling.at("maxUnavailable"), all, "25%", false)
	surge := share(rolling.at("maxSurge"), all, "25%", true)
	at := rolling.at("maxUnavailable")
	switch {
	case unavailable == 0 && surge == 0:
		p.fault(at, complaint{"maxUnavailable and maxSurge are both 0", "no pod can be replaced: the API refuses it", "set maxSurge: 1"})
	case unavailable >= all && all > 0:
		p.fault(at, complaint{fmt.Sprintf("a rollout may stop all %d pods at once", all), fmt.Sprintf("maxUnavailable is %d", unavailable), "set maxUnavailable: 0"})
	case unavailable > 0:
		p.warn(at, complaint{fmt.Sprintf("a rollout may stop %d of %d pods before their successors are ready", unavailable, all), "the others have to bear the load", "set maxUnavailable: 0"})
	}
}

// checkBudgets holds the PodDisruptionBudgets against the number of pods.
func (p *pod) checkBudgets() {
	labels, found := p.template.at("metadata", "labels").pairs(), false
	for _, m := range p.manifests {
		selector := m.at("spec", "selector", "matchLabels").pairs()
		if m.kind != "PodDisruptionBudget" || m.namespace != p.workload.namespace {
			continue
		}
		if !selects(selector, labels) {
			p.checkStray(m, selector)
			continue
		}
		found = true
		p.checkBudget(m)
	}
	if !found && p.replicas() > 1 {
		p.warn(p.workload.at(), complaint{"no PodDisruptionBudget selects the pods", "the drain of a node may stop them all at once", "add one with maxUnavailable: 1"})
	}
}

// checkStray warns of a budget with the workload's name that misses its pods.
func (p *pod) checkStray(m *manifest, selector map[string]string) {
	if m.name == p.workload.name && len(selector) > 0 {
		p.warn(m.at("spec", "selector"), complaint{"the budget does not select the pods of " + p.title(), "its labels are others", "use the labels of the pod template"})
	}
}

func (p *pod) checkBudget(m *manifest) {
	all := p.replicas()
	least, most := m.at("spec", "minAvailable"), m.at("spec", "maxUnavailable")
	at, may := most, share(most, all, "0", true)
	if least.has() {
		at, may = least, all-share(least, all, "0", true)
	}
	switch {
	case may <= 0:
		p.fault(at, complaint{"the budget allows no eviction", fmt.Sprintf("of %d pods none may go: the drain of a node never ends", all), "set maxUnavailable: 1, with 2 replicas or more"})
	case may >= all && all > 1:
		p.warn(at, complaint{"the budget allows all evictions at once", fmt.Sprintf("all %d pods may go", all), "set maxUnavailable: 1"})
	}
}
