package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// variablePrefix begins the name of every variable that is a setting.
const variablePrefix = "HOLDFAST_"

// environment is what the process was started in.
type environment struct {
	vars map[string]string
	// descriptors is the soft limit of open files, RLIMIT_NOFILE. Go has raised it to the
	// hard limit before main runs.
	descriptors uint64
	// inherited is what was passed to the process beside its variables; nil for nothing.
	inherited *inheritance
}

func processEnvironment() environment {
	env := environment{vars: make(map[string]string)}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env.vars[name] = value
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		env.descriptors = uint64(limit.Cur)
	}
	return env
}

func (e environment) get(name string) string { return e.vars[name] }

// kubernetes tells whether the process runs in a pod.
func (e environment) kubernetes() bool { return e.get("KUBERNETES_SERVICE_HOST") != "" }

// variable is the name of the variable that sets the flag or argument of this name.
func variable(name string) string { return variablePrefix + variableStem(name) }

func variableStem(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// serviceLink matches what Kubernetes puts into a pod's environment for each Service: one
// called "holdfast" makes HOLDFAST_SERVICE_HOST, HOLDFAST_PORT_443_TCP_ADDR and more.
var serviceLink = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_|$)|_PORT$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_|$)`)

// unknownVariables warns of HOLDFAST_* variables that set nothing, known being the
// stems that do. They are no faults:
// an older binary must start with a newer one's environment.
func unknownVariables(env environment, known []string) (warnings []fault) {
	for name := range env.vars {
		if !strings.HasPrefix(name, variablePrefix) || slices.Contains(known, strings.TrimPrefix(name, variablePrefix)) {
			continue
		}
		if env.kubernetes() && serviceLink.MatchString(name) {
			continue
		}
		warnings = append(warnings, fault{
			What: "unknown variable " + quote(name), Why: "it sets nothing",
			Mend: suggest(strings.TrimPrefix(name, variablePrefix), known, variablePrefix, "see holdfast serve --help"),
		})
	}
	slices.SortFunc(warnings, func(a, b fault) int { return strings.Compare(a.What, b.What) })
	return warnings
}
