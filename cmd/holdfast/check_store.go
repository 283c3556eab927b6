package main

import (
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-server/holdfast/certs/acme"
)

// accountTokenFile is where certs/kubestore reads the service account's token.
const accountTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// storeSecret is the Secret that a store of certificates is in.
type storeSecret struct{ namespace, name string }

// checkStore: what a public CA issues is kept, by one pod on a volume that lasts, by several where
// all of them find it.
func (p *pod) checkStore() {
	s := p.settings
	if s.Store.shared != nil {
		p.checkSharedStore()
		return
	}
	if len(s.ACME.Domains) == 0 {
		return
	}
	const everyStart = "each start would order anew, until the CA's limits shut the domain out for days"
	if n := p.replicas(); n > 1 {
		p.fault(p.workload.at("spec", "replicas"), complaint{strconv.Itoa(n) + " pods, each with a store of certificates of its own",
			"each orders for itself, and the CA's challenge reaches another", "share one: --cert-store kubernetes:NAMESPACE/NAME, or redis://…"})
	}
	_, volume, found := p.mount(path.Clean("/" + s.Store.dir))
	if found && !volume.at("emptyDir").has() || s.ACME.AllowEphemeral || s.ACME.Directory != acme.ProductionURL {
		return
	}
	p.fault(p.container.at("volumeMounts"), complaint{"the certificates in " + quote(s.Store.dir) + " go with the pod", everyStart,
		"mount a claim there, or keep them in a Secret: --cert-store kubernetes:NAMESPACE/NAME"})
}

// checkSharedStore: a store in a Secret wants a token and rights, and both are the manifests' to give.
func (p *pod) checkSharedStore() {
	secret, ok := p.settings.storeSecret()
	if !ok || p.settings.HTTPS == "" { // without TLS no store is opened
		return
	}
	p.checkToken()
	if own := p.workload.namespace; !sameNamespace(own, secret.namespace) {
		p.warn(p.workload.at("metadata", "namespace"), complaint{"the pod is in the namespace " + quote(own) + ", its store of certificates in " + quote(secret.namespace),
			"the rights of a Role end at its namespace, and who reads Secrets over there reads the keys", "name the pod's own: --cert-store kubernetes:" + plain(own) + "/" + secret.name})
	}
	p.checkRoles(secret)
}

// storeSecret is where --cert-store kubernetes:NAMESPACE/NAME leads. To make a shared store asks
// nobody anything.
func (s *settings) storeSecret() (found storeSecret, ok bool) {
	made, err := s.Store.shared()
	if err != nil {
		return storeSecret{}, false // it was made once before, when the setting was read
	}
	if c, closes := made.(io.Closer); closes {
		defer func() { _ = c.Close() }() // it has no connection yet
	}
	address, ok := strings.CutPrefix(made.String(), "kubernetes:")
	found.namespace, found.name, _ = strings.Cut(address, "/")
	return found, ok
}

// sameNamespace tells whether two objects may be in one. Where a manifest names none, kubectl or
// kustomize does, and nobody knows which.
func sameNamespace(a, b string) bool { return a == "" || b == "" || a == b }

// account is the name of the pod's service account.
func (p *pod) account() string {
	for _, key := range []string{"serviceAccountName", "serviceAccount"} {
		if name := p.spec.at(key).text(); name != "" {
			return name
		}
	}
	return "default"
}

// checkToken: without the token the API knows nobody. The pod's word goes before the account's.
func (p *pod) checkToken() {
	const field = "automountServiceAccountToken"
	at := p.spec.at(field)
	if !at.has() {
		isAccount := func(m *manifest) bool {
			return m.kind == "ServiceAccount" && m.name == p.account() && m.namespace == p.workload.namespace
		}
		if i := slices.IndexFunc(p.manifests, isAccount); i >= 0 {
			at = p.manifests[i].at(field)
		}
	}
	if at.is(false) && !p.projectsToken() {
		p.fault(at, complaint{"the service account's token is not mounted", "the store of certificates is in a Secret, which the API gives to nobody without one",
			"set automountServiceAccountToken: true in the pod's spec"})
	}
}

// projectsToken tells whether a volume of the pod's own puts the token where it is read.
func (p *pod) projectsToken() bool {
	mount, volume, _ := p.mount(accountTokenFile)
	return slices.ContainsFunc(volume.at("projected", "sources").each(), func(source place) bool {
		file := source.at("serviceAccountToken", "path").text()
		return file != "" && path.Join("/", mount.at("mountPath").text(), file) == accountTokenFile
	})
}
