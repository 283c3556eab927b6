package main

import (
	"errors"
	"fmt"
	"net"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A pod is a workload with a container that runs holdfast.
type pod struct {
	*review
	workload  *manifest
	template  place // the workload itself for a bare Pod
	spec      place
	container place

	settings  *settings // nil when they are faulty
	listeners []podListener
}

// podListener is a port that the server listens on.
type podListener struct {
	name string // https, http or admin
	host string
	port int
}

// pods finds the workloads that run holdfast.
func (r *review) pods() (all []*pod) {
	for _, m := range r.manifests {
		var template place
		switch m.kind {
		case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet":
			template = m.at("spec", "template")
		case "Pod":
			template = m.at()
		default:
			continue
		}
		for _, container := range template.at("spec", "containers").each() {
			if runsHoldfast(container) {
				p := &pod{review: r, workload: m, template: template, spec: template.at("spec"), container: container}
				p.configure()
				all = append(all, p)
			}
		}
	}
	return all
}

// runsHoldfast tells by the command, the image's name or the container's own.
func runsHoldfast(container place) bool {
	image, _, _ := strings.Cut(path.Base(container.at("image").text()), "@")
	image, _, _ = strings.Cut(image, ":")
	for _, word := range append(container.at("command").texts(), image, container.at("name").text()) {
		if path.Base(word) == "holdfast" {
			return true
		}
	}
	return false
}

func (p *pod) title() string { return p.workload.title() }

// summary is what the pod would listen on, for a check without faults.
func (p *pod) summary() string {
	if p.settings == nil {
		return "not checked"
	}
	var all []string
	for _, l := range p.listeners {
		all = append(all, l.name+" :"+strconv.Itoa(l.port))
	}
	return fmt.Sprintf("%s; drain %v + %v, grace %ds", strings.Join(all, ", "), p.settings.DrainDelay, p.settings.DrainTimeout, p.grace())
}

// check applies every rule. What follows from the settings is left out where they are
// not known.
func (p *pod) check() {
	p.checkRights()
	p.checkRollout()
	if p.settings == nil {
		return
	}
	p.checkGrace()
	p.checkListeners()
	p.checkProbes()
	p.checkServices()
	p.checkState()
	p.checkStore()
	p.checkFiles()
}

// configure works out the server's settings as the container would.
func (p *pod) configure() {
	env := p.environment()
	args, ok := p.arguments(env)
	if !ok {
		return
	}
	c, faults := parse(args)
	if c == nil {
		p.report(faults, false)
		return
	}
	if _, ok := c.command.(*serveCmd); !ok {
		p.fault(p.container.at("args"), complaint{"the container does not serve", "its command is holdfast " + plain(args[0]), "begin args with serve"})
		return
	}
	c.env, c.faults = environment{vars: env}, faults
	c.elsewhere = p.readMounted
	s, faults := c.settings()
	p.report(s.Warnings, true)
	p.report(faults, false)
	if len(faults) > 0 {
		return
	}
	p.settings = s
	for _, l := range s.listeners() {
		p.listen(l.name, l.addr)
	}
}

func (p *pod) listen(name, addr string) {
	host, port, err := net.SplitHostPort(addr)
	n, numberErr := strconv.Atoi(port)
	if errors.Join(err, numberErr) == nil {
		p.listeners = append(p.listeners, podListener{name, host, n})
	}
}

// report turns faults of the settings into findings of the container.
func (p *pod) report(faults []fault, warnings bool) {
	for _, f := range faults {
		at := p.container
		if f.Where == "" || strings.HasPrefix(f.Where, "--") {
			at = at.at("args")
		} else if item := at.at("env").named(f.Where); item.has() {
			at = item
		}
		if f.Where != "" {
			f.What += " (" + f.Where + ")"
		}
		p.add(at, complaint{f.What, f.Why, f.Mend}, warnings)
	}
}

// arguments are the server's own: the image's entry point is holdfast, and without args
// its default command is to serve.
func (p *pod) arguments(env map[string]string) (args []string, ok bool) {
	command := p.container.at("command").texts()
	args = append(args, p.container.at("args").texts()...)
	if len(command) > 0 {
		if path.Base(command[0]) != "holdfast" {
			p.fault(p.container.at("command"), complaint{quote(path.Base(command[0])) + " is the first process, not holdfast",
				"a shell passes no SIGTERM on: the server would be killed in its work", `write command: ["/holdfast", "serve", …], or leave it to the image`})
			return nil, false
		}
		args = append(command[1:], args...)
	}
	if len(args) == 0 {
		args = []string{"serve"}
	}
	for i := range args {
		args[i] = expand(args[i], env)
	}
	return args, true
}

// reference is $(NAME) in args, command and values of a container; $$ escapes it.
var reference = regexp.MustCompile(`\$\$|\$\([^)]*\)`)

// expand replaces references to variables that are known, as a kubelet does.
func expand(text string, env map[string]string) string {
	return reference.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		if value, ok := env[found[2:len(found)-1]]; ok {
			return value
		}
		return found
	})
}

// environment is the container's, as far as the manifests tell.
func (p *pod) environment() map[string]string {
	env := map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOME": "/"} // a scratch image has no passwd
	for _, source := range p.container.at("envFrom").each() {
		data, ok := p.configMap(source.at("configMapRef", "name").text())
		if !ok {
			p.warn(source, complaint{"the variables of this source are not known", "it is not among these manifests", "give its manifest too, or set " + variablePrefix + "* by name"})
		}
		for key, value := range data.pairs() {
			env[source.at("prefix").text()+key] = value
		}
	}
	for _, item := range p.container.at("env").each() {
		name, from := item.at("name").text(), item.at("valueFrom", "configMapKeyRef")
		switch data, known := p.configMap(from.at("name").text()); {
		case !item.at("valueFrom").has():
			env[name] = expand(item.at("value").text(), env)
		case known:
			env[name] = data.at(from.at("key").text()).text()
		case strings.HasPrefix(name, variablePrefix):
			p.warn(item, complaint{"the value of " + quote(name) + " is not known", "it is not among these manifests", "give its ConfigMap too; the default is assumed"})
		}
	}
	return env
}

// configMap is the data of a ConfigMap of the pod's namespace.
func (p *pod) configMap(name string) (place, bool) {
	for _, m := range p.manifests {
		if m.kind == "ConfigMap" && m.name == name && name != "" && m.namespace == p.workload.namespace {
			return m.at("data"), true
		}
	}
	return place{in: p.workload}, false
}

// mount is the volume mount that has a path of the container, the innermost one.
func (p *pod) mount(file string) (mount, volume place, found bool) {
	for _, m := range p.container.at("volumeMounts").each() {
		at := path.Clean("/" + m.at("mountPath").text())
		inside := file == at || strings.HasPrefix(file, strings.TrimSuffix(at, "/")+"/")
		if inside && (!found || len(at) > len(mount.at("mountPath").text())) {
			mount, volume, found = m, p.spec.at("volumes").named(m.at("name").text()), true
		}
	}
	return mount, volume, found
}

// readMounted reads a file that a ConfigMap among the manifests puts into the container.
// Of any other file it warns, and takes it for empty.
func (p *pod) readMounted(file string) ([]byte, error) {
	mount, volume, found := p.mount(path.Clean("/" + file))
	if !found {
		p.warn(p.container.at("args"), complaint{"the configuration " + quote(file) + " is not known", "no volume has it", "mount a ConfigMap there; the defaults are assumed"})
		return nil, nil
	}
	data, known := p.configMap(volume.at("configMap", "name").text())
	if !known {
		p.warn(mount, complaint{"the configuration " + quote(file) + " is not known", "what is mounted there is no ConfigMap among these manifests", "give its manifest too; the defaults are assumed"})
		return nil, nil
	}
	key := keyOf(mount, volume, file)
	content := data.at(key)
	if !content.has() {
		return nil, fmt.Errorf("%s has no key %s", data.in.title(), quote(key))
	}
	return []byte(content.text()), nil
}

// keyOf is the key of a ConfigMap that a file of the container shows.
func keyOf(mount, volume place, file string) string {
	key := mount.at("subPath").text()
	if key == "" {
		key, _ = filepath.Rel(path.Clean("/"+mount.at("mountPath").text()), path.Clean("/"+file))
	}
	for _, item := range volume.at("configMap", "items").each() {
		if item.at("path").text() == key {
			return item.at("key").text()
		}
	}
	return key
}
