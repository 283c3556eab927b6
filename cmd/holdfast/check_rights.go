package main

import (
	"path"
	"slices"
	"strconv"
)

// imageUser is the user of the image that deploy/Dockerfile makes.
const imageUser = 65532

// security is a field of the container's security context, or the pod's.
func (p *pod) security(key string) place {
	if at := p.container.at("securityContext", key); at.has() {
		return at
	}
	return p.spec.at("securityContext", key)
}

func (p *pod) user() int { return p.security("runAsUser").whole(imageUser) }

// checkRights warns of privileges that the server has no use for, and refuses those that
// contradict each other.
func (p *pod) checkRights() {
	context := p.container.at("securityContext")
	nonRoot := p.security("runAsNonRoot")
	switch {
	case nonRoot.is(true) && p.user() == 0:
		p.fault(p.security("runAsUser"), complaint{"runAsUser is 0 and runAsNonRoot is on", "the kubelet refuses to start the container", "leave out runAsUser: the image's is " + strconv.Itoa(imageUser)})
	case !nonRoot.is(true):
		p.warn(nonRoot, complaint{"runAsNonRoot is not on", "a mistake in the image makes the server root", "set runAsNonRoot: true"})
	}
	for _, rule := range []struct {
		holds bool
		at    place
		complaint
	}{
		{!context.at("privileged").is(true), context.at("privileged"), complaint{"the container is privileged", "it owns its node", "leave it out"}},
		{context.at("allowPrivilegeEscalation").is(false), context, complaint{"allowPrivilegeEscalation is not off", "the server starts no other program", "set allowPrivilegeEscalation: false"}},
		{context.at("readOnlyRootFilesystem").is(true), context, complaint{"the root filesystem can be written", "the server writes to its state directory alone", "set readOnlyRootFilesystem: true"}},
		{slices.Contains(context.at("capabilities", "drop").texts(), "ALL"), context, complaint{"capabilities are left", "the server needs none", "set capabilities: {drop: [ALL]}"}},
		{p.security("seccompProfile").has(), context, complaint{"there is no seccompProfile", "every system call is allowed", "set seccompProfile: {type: RuntimeDefault}"}},
	} {
		if !rule.holds {
			p.warn(rule.at, rule.complaint)
		}
	}
}

// checkState: without certificate files the server keeps a local CA, and has to write.
func (p *pod) checkState() {
	if p.settings.HTTPS == "" || !p.settings.usesLocalCA() {
		return
	}
	if p.settings.StateDir == "" {
		p.fault(p.container, complaint{"there is no directory to keep the local CA in", p.settings.StateWhy, "set --state, or give certificates with --cert and --key"})
		return
	}
	dir := path.Clean("/" + p.settings.StateDir)
	mount, volume, found := p.mount(dir)
	at := p.container.at("volumeMounts")
	readOnlyVolume := volume.at("configMap").has() || volume.at("secret").has() || volume.at("projected").has() || volume.at("downwardAPI").has()
	switch {
	case !found && p.container.at("securityContext", "readOnlyRootFilesystem").is(true):
		p.fault(at, complaint{"the state directory " + quote(dir) + " cannot be written", "the root filesystem is read-only and no volume is there", "mount an emptyDir above it, or give certificates with --cert and --key"})
	case !found:
		p.warn(at, complaint{"the state directory " + quote(dir) + " is in no volume", "the local CA is a new one after each restart, and nobody trusts it", "mount a volume above it, or give certificates with --cert and --key"})
	case mount.at("readOnly").is(true) || readOnlyVolume:
		p.fault(mount, complaint{"the state directory " + quote(dir) + " cannot be written", "the volume is read-only", "mount an emptyDir or a claim above it"})
	case volume.at("emptyDir").has() && path.Clean(mount.at("mountPath").text()) == dir && p.user() != 0:
		p.fault(mount, complaint{"the state directory is the volume itself", "it belongs to root and is open to all: the server cannot close it and refuses it", "name one below it: --state " + path.Join(dir, "holdfast")})
	}
	p.checkCAs(volume)
}

// checkCAs warns of a CA for each pod: a client that trusts one is refused by the next.
func (p *pod) checkCAs(volume place) {
	if n := p.replicas(); n > 1 && !volume.at("persistentVolumeClaim").has() {
		p.warn(p.workload.at("spec", "replicas"), complaint{strconv.Itoa(n) + " pods, each with a local CA of its own", "what a client trusts depends on the pod it meets", "give all of them one pair with --cert and --key from a Secret"})
	}
}

// checkFiles: the pairs and the cluster's secret have to be there, readable, and renewed in place.
func (p *pod) checkFiles() {
	for _, pair := range p.settings.Pairs {
		for _, file := range []string{pair.CertFile, pair.KeyFile} {
			p.checkPairFile(path.Clean("/" + file))
		}
	}
	if file := p.settings.ClusterSecretFile; file != "" {
		p.checkPairFile(path.Clean("/" + file))
	}
}

// othersRead is the permission that a server has on a file that is root's.
const othersRead = 0o004

func (p *pod) checkPairFile(file string) {
	mount, volume, found := p.mount(file)
	mode := volume.at("secret", "defaultMode")
	switch {
	case !found:
		p.warn(p.container.at("volumeMounts"), complaint{quote(file) + " is in no volume", "a key in an image is everybody's who has the image", "mount a Secret there"})
	case !volume.has():
		p.fault(mount, complaint{"the volume " + quote(mount.at("name").text()) + " is not declared", "the API refuses the pod", "add it to volumes"})
	case mount.at("subPath").has():
		p.warn(mount.at("subPath"), complaint{quote(file) + " is mounted by subPath", "a kubelet never updates such a file: a renewed certificate is not seen", "mount the whole volume"})
	case mode.has() && mode.whole(othersRead)&othersRead == 0 && p.user() != 0 && !p.spec.at("securityContext", "fsGroup").has():
		p.fault(mode, complaint{quote(file) + " cannot be read", "it belongs to root, and defaultMode shuts others out", "set fsGroup in the pod's securityContext, or leave out defaultMode"})
	}
}
