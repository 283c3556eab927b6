package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// object is the project's own manifest of this kind and name.
func object(t *testing.T, kind, name string) *manifest {
	t.Helper()
	manifests, faults := readManifests([]string{manifestDir}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	i := slices.IndexFunc(manifests, func(m *manifest) bool { return m.kind == kind && m.name == name })
	if i < 0 {
		t.Fatalf("no %s/%s", kind, name)
	}
	return manifests[i]
}

func TestManifests(t *testing.T) {
	t.Run("kustomize takes every file", func(t *testing.T) {
		files, err := filepath.Glob(manifestDir + "/*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"kustomization.yaml"}
		want = append(want, object(t, "Kustomization", "").at("resources").texts()...)
		slices.Sort(want)
		var got []string
		for _, file := range files {
			got = append(got, filepath.Base(file))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the files are %q, the resources %q", got, want)
		}
	})
	t.Run("the role covers one Secret that is there and cannot be listed, and Leases to be made", func(t *testing.T) {
		rules := object(t, "Role", "holdfast").at("rules").each()
		if len(rules) != 2 {
			t.Fatalf("%d rules", len(rules))
		}
		names := rules[0].at("resourceNames").texts()
		if len(names) != 1 || object(t, "Secret", names[0]) == nil {
			t.Errorf("a rule for %q", names)
		}
		// What certs/kubestore asks of the API; names of Leases are made from hosts.
		for i, want := range []struct{ resource, verbs string }{{"secrets", "get update"}, {"leases", "get create update"}} {
			resources, verbs := rules[i].at("resources").texts(), rules[i].at("verbs").texts()
			if !slices.Equal(resources, []string{want.resource}) || strings.Join(verbs, " ") != want.verbs {
				t.Errorf("%q of %q, want %q of %q", verbs, resources, want.verbs, want.resource)
			}
		}
		if rules[1].at("resourceNames").has() {
			t.Error("a Lease that is to be made has no name yet")
		}
	})
	t.Run("no pod gets the token, nor a Service's variables", func(t *testing.T) {
		spec := object(t, "Deployment", "holdfast").at("spec", "template", "spec")
		for _, key := range []string{"automountServiceAccountToken", "enableServiceLinks"} {
			if !spec.at(key).is(false) {
				t.Errorf("%s is not off", key)
			}
		}
	})
	t.Run("pods spread over zones and nodes", func(t *testing.T) {
		var keys []string
		for _, c := range object(t, "Deployment", "holdfast").at("spec", "template", "spec", "topologySpreadConstraints").each() {
			keys = append(keys, c.at("topologyKey").text())
		}
		if !slices.Equal(keys, []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"}) {
			t.Errorf("they spread over %q", keys)
		}
	})
	t.Run("the admin port is for the monitoring alone, the public ports for everybody", func(t *testing.T) {
		policy := object(t, "NetworkPolicy", "holdfast").at("spec")
		labels := object(t, "Deployment", "holdfast").at("spec", "template", "metadata", "labels").pairs()
		if selector := policy.at("podSelector", "matchLabels").pairs(); len(selector) == 0 || !selects(selector, labels) {
			t.Errorf("it is for pods with %q", selector)
		}
		open := map[string]bool{} // the ports, and whether for everybody
		for _, rule := range policy.at("ingress").each() {
			for _, port := range rule.at("ports").each() {
				open[port.at("port").text()] = !rule.at("from").has()
			}
		}
		if want := map[string]bool{"https": true, "http": true, "admin": false}; !maps.Equal(open, want) {
			t.Errorf("open for everybody: %v, want %v", open, want)
		}
	})
	t.Run("every rule of the check is content, warnings included", func(t *testing.T) {
		if r := holdfast(t, testEnvironment(t), "check", "--kubernetes", manifestDir); r.exit != 0 || r.err != "" {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
}
