package main

import (
	"slices"
	"strings"
)

// A right is what a rule of a Role may grant.
type right struct {
	group, resource string
	name            string // of the only object; "" for objects whose names no rule can know
	verbs           []string
}

// rights are what certs/kubestore needs of the API. Leases are called after hosts, so that a rule
// for some names would not do.
func (s storeSecret) rights() []right {
	return []right{
		{resource: "secrets", name: s.name, verbs: []string{"get", "update"}},
		{group: "coordination.k8s.io", resource: "leases", verbs: []string{"get", "create", "update"}},
	}
}

// creation is the right to make the Secret, which cannot be had for one name.
var creation = right{resource: "secrets", verbs: []string{"create"}}

// missing are the verbs that no rule grants, as "get, update on secrets", "" for none.
func (r right) missing(rules []place) string {
	verbs := slices.DeleteFunc(slices.Clone(r.verbs), func(verb string) bool {
		return slices.ContainsFunc(rules, func(rule place) bool { return r.granted(verb, rule) })
	})
	if len(verbs) == 0 {
		return ""
	}
	text := strings.Join(verbs, ", ") + " on " + r.resource
	if r.group != "" {
		text += " of " + r.group
	}
	if r.name != "" {
		text += " for " + quote(r.name)
	}
	return text
}

func (r right) granted(verb string, rule place) bool {
	has := func(key, want string) bool {
		return slices.ContainsFunc(rule.at(key).texts(), func(text string) bool { return text == want || text == "*" })
	}
	names := rule.at("resourceNames").texts()
	return has("apiGroups", r.group) && has("resources", r.resource) && has("verbs", verb) &&
		(len(names) == 0 || r.name != "" && slices.Contains(names, r.name))
}

// grants are the bindings of the pod's service account that count in a namespace, with the roles
// that they give it.
type grants struct {
	roles   []*manifest
	rules   []place
	unknown place // the reference to a role that is not among the manifests
	all     bool  // it is bound to cluster-admin, which every cluster has
}

func (p *pod) grants(namespace string) (g grants) {
	for _, m := range p.manifests {
		cluster := m.kind == "ClusterRoleBinding"
		if !cluster && (m.kind != "RoleBinding" || !sameNamespace(m.namespace, namespace)) || !slices.ContainsFunc(m.at("subjects").each(), p.isSubject) {
			continue
		}
		to := m.at("roleRef")
		isRole := func(role *manifest) bool {
			return role.kind == to.at("kind").text() && role.name == to.at("name").text() &&
				(role.kind == "ClusterRole" || role.kind == "Role" && !cluster && sameNamespace(role.namespace, m.namespace))
		}
		switch i := slices.IndexFunc(p.manifests, isRole); {
		case i >= 0:
			g.roles = append(g.roles, p.manifests[i])
			g.rules = append(g.rules, p.manifests[i].at("rules").each()...)
		case to.at("kind").text() == "ClusterRole" && to.at("name").text() == "cluster-admin":
			g.all = true
		default:
			g.unknown = to
		}
	}
	return g
}

// isSubject tells whether a binding's subject is the pod's service account, by its own name, by
// its user's or by a group's.
func (p *pod) isSubject(subject place) bool {
	kind, name := subject.at("kind").text(), subject.at("name").text()
	namespace := subject.at("namespace").text()
	if kind == "Group" && (name == "system:serviceaccounts" || name == "system:authenticated") {
		return true
	}
	if account, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok && kind == "User" {
		kind = "ServiceAccount"
		namespace, name, _ = strings.Cut(account, ":")
	}
	if group, ok := strings.CutPrefix(name, "system:serviceaccounts:"); ok && kind == "Group" {
		return sameNamespace(group, p.workload.namespace)
	}
	if namespace == "" { // which is then the binding's
		namespace = subject.in.namespace
	}
	return kind == "ServiceAccount" && name == p.account() && sameNamespace(namespace, p.workload.namespace)
}

// checkRoles warns of rights that the store of certificates needs and no Role grants. It is no
// fault, since they may be granted by what was not given.
func (p *pod) checkRoles(secret storeSecret) {
	g := p.grants(secret.namespace)
	if g.all {
		return
	}
	var missing []string
	for _, r := range secret.rights() {
		if text := r.missing(g.rules); text != "" {
			missing = append(missing, text)
		}
	}
	where, as := "the namespace "+quote(secret.namespace), "as deploy/kubernetes/rbac.yaml does"
	what := "the service account " + quote(p.account()) + " lacks rights in " + where + ": " + strings.Join(missing, "; ")
	at := p.spec.at("serviceAccountName")
	switch {
	case len(missing) == 0:
	case g.unknown.has():
		p.warn(g.unknown, complaint{what, "the role that it is bound to is not among these manifests", "give its manifest too, or grant them " + as})
	case len(g.roles) == 0:
		p.warn(at, complaint{what, "no Role among these manifests is bound to it there", "add a Role and a RoleBinding, " + as})
	default:
		at = g.roles[0].at("rules")
		p.warn(at, complaint{what, "the store of certificates needs them, and no rule grants them", "add them to a Role in " + where + ", " + as})
	}
	if len(g.roles) > 0 && !g.unknown.has() {
		p.checkCreation(secret, g)
	}
}

// checkCreation: a good Role grants no creation, so the Secret has to be there.
func (p *pod) checkCreation(secret storeSecret, g grants) {
	isSecret := func(m *manifest) bool {
		return m.kind == "Secret" && m.name == secret.name && sameNamespace(m.namespace, secret.namespace)
	}
	if slices.ContainsFunc(p.manifests, isSecret) || creation.missing(g.rules) == "" {
		return
	}
	p.warn(g.roles[0].at("rules"), complaint{"the Secret " + quote(secret.name) + " is not among these manifests, and the service account may not create it",
		"unless it is there already, no certificate is kept", "add an empty one, as deploy/kubernetes/rbac.yaml has it"})
}
