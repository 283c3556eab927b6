package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// onePod is a workload of kind with this pod spec, on one line so that a test can see it.
func onePod(kind, spec string) string {
	return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: holdfast}\nspec:\n  replicas: 2\n  template:\n    metadata: {labels: {app: h}}\n    spec: " + spec + "\n"
}

func TestCheckKubernetesReads(t *testing.T) {
	const clean = "Deployment/holdfast: https :8443, http :8080, admin :9090; drain 15s + 25s, grace 60s\n"
	t.Run("the project's own directory, without a finding", func(t *testing.T) {
		if r := holdfast(t, testEnvironment(t), "check", "--kubernetes", manifestDir); r.exit != 0 || r.err != "" || r.out != clean {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("stdin", func(t *testing.T) {
		var out, errs bytes.Buffer
		o := execute([]string{"check", "--kubernetes", "-"}, testEnvironment(t), streams{in: strings.NewReader(deployed(t)), out: &out, err: &errs})
		if o.exit != 0 || out.String() != clean || errs.Len() > 0 {
			t.Errorf("exit %d\n%s%s", o.exit, &out, &errs)
		}
	})
	t.Run("several files, which are checked together", func(t *testing.T) {
		args := []string{"check"}
		for _, name := range []string{"service", "configmap", "deployment", "poddisruptionbudget"} {
			args = append(args, "--kubernetes", filepath.Join(manifestDir, name+".yaml"))
		}
		if r := holdfast(t, testEnvironment(t), args...); r.exit != 0 || r.err != "" || r.out != clean {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("a finding has its file, line, object and path", func(t *testing.T) {
		r := checkText(t, strings.Replace(deployed(t), "Seconds: 60", "Seconds: 9", 1))
		if !strings.Contains(r.err, "pod.yaml:") || !strings.Contains(r.err, " Deployment/holdfast spec.template.spec.terminationGracePeriodSeconds): ") {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
	t.Run("the variables of whoever checks do not count", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t, "HOLDFAST_DRAIN_TIMEOUT=1h", "HOLDFAST_HTTPS=off"), "check", "--kubernetes", manifestDir)
		if r.exit != 0 || r.out != clean {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
}

func TestCheckKubernetesRefuses(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		exit int
		want string
	}{
		{"a file that is not there", []string{"/nowhere.yaml"}, 1, `cannot read "/nowhere.yaml" (--kubernetes): no such file or directory`},
		{"a directory without manifests", []string{empty}, 1, "no manifest in "},
		{"a file without an end", []string{"/dev/zero"}, 1, "it is larger than 16777216 bytes"},
		{"what is no YAML", []string{writeFile(t, "a.yaml", "a: [1\nb: {")}, 1, "no valid YAML"},
		{"a list", []string{writeFile(t, "a.yaml", "- a\n- b\n")}, 1, "no Kubernetes object"},
		{"an object without a kind", []string{writeFile(t, "a.yaml", "\n\napiVersion: v1\n")}, 1, "a.yaml:3"},
		{"objects without a server", []string{writeFile(t, "a.yaml", "apiVersion: v1\nkind: Service\n---\n# nothing\n---\n")}, 1, "no container runs holdfast"},
		{"settings beside the manifests", []string{manifestDir, "--drain-timeout", "1s"}, 2, `"drain-timeout" and --kubernetes do not go together`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t), append([]string{"check", "--kubernetes"}, c.args...)...)
			if r.exit != c.exit || r.out != "" || !strings.Contains(r.err, c.want) {
				t.Errorf("exit %d, want %d\n%s%s", r.exit, c.exit, r.out, r.err)
			}
		})
	}
}

func TestCheckKubernetesKinds(t *testing.T) {
	t.Parallel()
	const volume = "volumeMounts: [{name: state, mountPath: /state}]"
	for _, c := range []struct {
		name, text string
		want, not  string
	}{
		{"a List stands for its items", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: DaemonSet\n  metadata: {name: h}\n  spec: {template: {spec: {containers: [{name: holdfast}]}}}\n",
			"DaemonSet/h spec.template.spec.terminationGracePeriodSeconds): the drain may take 41s", "no container"},
		{"a bare Pod", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: 'r.example:5000/x/holdfast:v1@sha256:0'}]}\n", "warning: a bare Pod", "no container"},
		{"another server beside ours is not ours", onePod("Deployment", "{containers: [{name: holdfast, command: [/bin/holdfast, serve]}, {name: nginx, image: nginx, ports: [{containerPort: 1}]}]}"), "grace period of 30 s", "port 1"},
		{"a name of another container's port", onePod("Deployment", "{containers: [{name: holdfast, readinessProbe: {httpGet: {path: /x, port: other}}}, {name: n, ports: [{name: other, containerPort: 1}]}]}"), "grace", "names the port"},
		{"one CA for each of two pods", onePod("StatefulSet", "{containers: [{name: holdfast, args: [serve, --state, /state/h], "+volume+"}], volumes: [{name: state, emptyDir: {}}]}"), "2 pods, each with a local CA of its own", "cannot be written"},
		{"one CA for both on a claim", onePod("StatefulSet", "{containers: [{name: holdfast, args: [serve, --state, /state/h], "+volume+"}], volumes: [{name: state, persistentVolumeClaim: {claimName: c}}]}"), "grace", "local CA"},
		{"a state that is the volume itself", onePod("Deployment", "{containers: [{name: holdfast, env: [{name: HOLDFAST_STATE, value: /state/}], "+volume+"}], volumes: [{name: state, emptyDir: {}}]}"), "the state directory is the volume itself", "cannot be written"},
		{"a privileged port by sysctl", onePod("Deployment", "{securityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: '80'}]}, containers: [{name: holdfast, args: [serve, '--http=:80']}]}"), "grace", "privileged port"},
		{"a privileged port as root", onePod("Deployment", "{containers: [{name: holdfast, securityContext: {runAsUser: 0}, args: [serve, '--http=:80']}]}"), "grace", "privileged port"},
		{"a privileged port as root without the right", onePod("Deployment", "{containers: [{name: holdfast, securityContext: {runAsUser: 0, capabilities: {drop: [ALL]}}, args: [serve, '--http=:80']}]}"), "http listens on the privileged port 80", "no container"},
		{"a privileged port as root with the one right", onePod("Deployment", "{containers: [{name: holdfast, securityContext: {runAsUser: 0, capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}, args: [serve, '--http=:80']}]}"), "grace", "privileged port"},
		{"aliases and merged mappings", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: h}\nx: &grace {terminationGracePeriodSeconds: 7}\nspec: {template: {spec: {<<: *grace, containers: [{name: holdfast}]}}}\n", "a grace period of 7 s", "30 s"},
		{"a Service of another namespace", onePod("Deployment", "{containers: [{name: holdfast}]}") + "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: far}\nspec: {selector: {app: h}, ports: [{port: 1}]}\n", "grace", "port 1 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := checkText(t, c.text)
			if !strings.Contains(r.err, c.want) || strings.Contains(r.err, c.not) {
				t.Errorf("exit %d, want %q and not %q in\n%s%s", r.exit, c.want, c.not, r.out, r.err)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "1", "B": "2"}
	for text, want := range map[string]string{
		"": "", "plain": "plain", "$(A)": "1", "$(A)$(B)": "12", "$$(A)": "$(A)", "$(C)": "$(C)", "$A": "$A", "$(A": "$(A", "$$$(A)": "$1",
	} {
		if got := expand(text, env); got != want {
			t.Errorf("%q expands to %q, want %q", text, got, want)
		}
	}
}

// FuzzCheckKubernetes: whatever a manifest says, the check ends with a verdict.
func FuzzCheckKubernetes(f *testing.F) {
	for _, name := range []string{"deployment", "service", "configmap", "poddisruptionbudget"} {
		content, err := os.ReadFile(filepath.Join(manifestDir, name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	f.Add("apiVersion: v1\nkind: Pod\nspec: &a {<<: *a, containers: [{name: holdfast, args: ['$(A)']}]}\n")
	f.Add("apiVersion: v1\nkind: Pod\nspec: {containers: [{name: holdfast, args: [serve, --cert-store, 'kubernetes:a/b']}]}\n---\napiVersion: v1\nkind: RoleBinding\nsubjects: [{kind: ServiceAccount, name: default}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		var out, errs bytes.Buffer
		o := execute([]string{"check", "--kubernetes", "-"}, environment{}, streams{in: strings.NewReader(text), out: &out, err: &errs})
		if o.exit != 0 && o.exit != 1 || (o.exit == 0) != (out.Len() > 0) {
			t.Errorf("exit %d\n%s%s", o.exit, &out, &errs)
		}
	})
}
