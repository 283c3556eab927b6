package main

import (
	"cmp"
	"fmt"
	"slices"
)

// A review collects what is wrong with manifests that belong together.
type review struct {
	manifests []*manifest
	findings  []finding
}

// A finding is a fault that loses requests or keeps the server from starting, or a warning
// of what may.
type finding struct {
	fault
	warning bool
	at      place
}

// complaint is what is wrong, why, and what mends it.
type complaint struct{ what, why, mend string }

func (r *review) fault(at place, c complaint) { r.add(at, c, false) }
func (r *review) warn(at place, c complaint)  { r.add(at, c, true) }

func (r *review) add(at place, c complaint, warning bool) {
	f := finding{fault: fault{What: c.what, Where: at.where(), Why: c.why, Mend: c.mend}, warning: warning, at: at}
	same := func(other finding) bool { return other.fault == f.fault }
	if !slices.ContainsFunc(r.findings, same) {
		r.findings = append(r.findings, f)
	}
}

// checkManifests says whether manifests fit each other and the server that they run. It
// exits 0 when they do, if with warnings, and 1 when they do not.
func (c *call) checkManifests(paths []string) outcome {
	faults := c.faults
	for name := range c.given {
		if name != "kubernetes" {
			faults = append(faults, fault{What: quote(name) + " and --kubernetes do not go together", Usage: true,
				Why: "the settings come from the manifests", Mend: "set it there, or check without --kubernetes"})
		}
	}
	if len(faults) > 0 {
		return outcome{exit: report(c.std.err, faults)}
	}
	manifests, faults := readManifests(paths, c.std.in)
	r := &review{manifests: manifests}
	servers := r.pods()
	if len(servers) == 0 && len(faults) == 0 {
		faults = append(faults, fault{What: "no container runs holdfast", Where: "--kubernetes",
			Why: "none has it as its command's name, in its image's name or as its own", Mend: "give the manifest of its Deployment too"})
	}
	for _, p := range servers {
		p.check()
	}
	for _, m := range manifests {
		r.checkKustomization(m)
	}
	return outcome{exit: r.conclude(c, servers, faults)}
}

// conclude prints everything in the order of the files and returns the exit code.
func (r *review) conclude(c *call, servers []*pod, faults []fault) int {
	order := make(map[*manifest]int)
	for i, m := range r.manifests {
		order[m] = i
	}
	slices.SortStableFunc(r.findings, func(a, b finding) int {
		if d := cmp.Compare(order[a.at.in], order[b.at.in]); d != 0 {
			return d
		}
		return cmp.Compare(a.at.line, b.at.line)
	})
	for _, f := range r.findings {
		if f.warning {
			fmt.Fprintln(c.std.err, "holdfast: warning: "+f.line())
			continue
		}
		faults = append(faults, f.fault)
	}
	if len(faults) > 0 {
		report(c.std.err, faults)
		return exitCannotStart
	}
	for _, p := range servers {
		fmt.Fprintf(c.std.out, "%s: %s\n", p.title(), p.summary())
	}
	return exitOK
}

// checkKustomization warns of what only kustomize knows.
func (r *review) checkKustomization(m *manifest) {
	if m.kind != "Kustomization" && m.kind != "Component" {
		return
	}
	for _, key := range []string{"patches", "patchesStrategicMerge", "patchesJson6902", "components", "replicas",
		"configMapGenerator", "secretGenerator", "namePrefix", "nameSuffix", "replacements", "transformers"} {
		if p := m.at(key); p.has() {
			r.warn(p, complaint{"what kustomize makes of this is not seen", "the files are read as they are",
				"kubectl kustomize DIR | holdfast check --kubernetes -"})
		}
	}
}
