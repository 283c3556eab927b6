package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const manifestDir = "../../deploy/kubernetes"

// deployed are the project's own manifests as one stream.
func deployed(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(manifestDir + "/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	var all strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("---\n" + string(content))
	}
	return all.String()
}

// checkText checks a stream of manifests and returns its findings, one a line.
func checkText(t *testing.T, text string) result {
	t.Helper()
	return holdfast(t, testEnvironment(t), "check", "--kubernetes", writeFile(t, "pod.yaml", text))
}

// A mutation is a mistake in the manifests and what the check says of it.
type mutation struct {
	name     string
	old, new string // the text is there exactly once
	more     string // a manifest beside them
	want     []string
	fault    bool
}

const noTLS = `    cert = ["/tls/tls.crt"]
    key = ["/tls/tls.key"]
`

var graceMutations = []mutation{
	{name: "a grace period that is shorter than the drain", old: "Seconds: 60\n", new: "Seconds: 40\n", fault: true,
		want: []string{"a grace period of 40 s is too short", "the drain may take 41s (15s delay + 25s timeout + 1s), then comes SIGKILL; set it to 41 at least"}},
	{name: "a grace period that just fits", old: "Seconds: 60\n", new: "Seconds: 41\n"},
	{name: "no grace period, which is 30 s", old: "      terminationGracePeriodSeconds: 60\n", fault: true, want: []string{"a grace period of 30 s is too short", "Deployment/holdfast spec.template.spec.terminationGracePeriodSeconds"}},
	{name: "a grace period in quotes", old: "Seconds: 60\n", new: "Seconds: \"60\"\n", fault: true, want: []string{"is no whole number"}},
	{name: "a drain timeout in args", old: `"/etc/holdfast/holdfast.toml"]`, new: `"/etc/holdfast/holdfast.toml", "--drain-timeout=2m"]`, fault: true,
		want: []string{"the drain may take 2m16s (15s delay + 2m0s timeout + 1s)", "set it to 136 at least"}},
	{name: "a drain delay in the environment", old: "value: 230MiB\n", new: "value: 230MiB\n            - {name: HOLDFAST_DRAIN_DELAY, value: 40s}\n", fault: true, want: []string{"(40s delay + 25s timeout + 1s)"}},
	{name: "a drain timeout in the mounted file", old: "    max-connections = 4000\n", new: "    drain-timeout = '50s'\n", fault: true, want: []string{"(15s delay + 50s timeout + 1s)"}},
	{name: "a drain timeout by a reference", old: "value: 230MiB\n", new: "value: 30s\n            - {name: HOLDFAST_DRAIN_TIMEOUT, value: $(GOMEMLIMIT)}\n            - {name: HOLDFAST_DRAIN_DELAY, value: $(GOMEMLIMIT)}\n", fault: true,
		want: []string{"(30s delay + 30s timeout + 1s)"}},
	{name: "a drain timeout from a key of a ConfigMap", old: "value: 230MiB\n", fault: true,
		new:  "value: 230MiB\n            - name: HOLDFAST_DRAIN_TIMEOUT\n              valueFrom: {configMapKeyRef: {name: drain, key: timeout}}\n",
		more: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: drain}\ndata: {timeout: 45s}\n", want: []string{"(15s delay + 45s timeout + 1s)"}},
	{name: "a drain timeout from all of a ConfigMap", old: "          env:\n", fault: true,
		new:  "          envFrom: [{prefix: HOLDFAST_, configMapRef: {name: drain}}]\n          env:\n",
		more: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: drain}\ndata: {DRAIN_TIMEOUT: 46s}\n", want: []string{"(15s delay + 46s timeout + 1s)"}},
	{name: "a preStop hook that sleeps the rest", old: "          ports:\n            - name: https\n              c", new: "          lifecycle: {preStop: {sleep: {seconds: 20}}}\n          ports:\n            - name: https\n              c", fault: true,
		want: []string{"the stop may take 1m1s (20s preStop + 15s delay + 25s timeout + 1s)", "set it to 61 at least", "warning: the preStop hook sleeps 20s"}},
	{name: "a preStop hook of a shell", old: "          ports:\n            - name: https\n              c", new: "          lifecycle: {preStop: {exec: {command: [sh, -c, sleep 0.5m]}}}\n          ports:\n            - name: https\n              c", fault: true,
		want: []string{`the preStop hook runs "sh"`, "30s preStop"}},
	{name: "a preStop hook that calls somebody", old: "          ports:\n            - name: https\n              c", new: "          lifecycle: {preStop: {httpGet: {path: /, port: admin}}}\n          ports:\n            - name: https\n              c",
		want: []string{"nothing tells how long the preStop hook takes"}},
	{name: "a drain delay below the endpoints' lag", old: "    max-connections = 4000\n", new: "    drain-delay = '1s'\n", want: []string{"the drain delay is 1s", "nodes learn late"}},
	{name: "a probe that kills sooner", old: "              path: /livez\n              port: admin\n", new: "              path: /livez\n              port: admin\n            terminationGracePeriodSeconds: 5\n", fault: true,
		want: []string{"a grace period of 5 s is too short", "livenessProbe.terminationGracePeriodSeconds"}},
}

var probeMutations = []mutation{
	{name: "liveness that asks for readiness", old: "path: /livez", new: "path: /readyz", fault: true, want: []string{"livenessProbe asks for /readyz", "killed in its last work", "livenessProbe.httpGet.path"}},
	{name: "liveness that asks for the start", old: "path: /livez", new: "path: /startupz", want: []string{"livenessProbe asks for /startupz"}},
	{name: "readiness that asks for liveness", old: "path: /readyz", new: "path: /livez", fault: true, want: []string{"readinessProbe asks for /livez", "requests keep coming"}},
	{name: "readiness with a query", old: "path: /readyz", new: "path: /readyz?verbose"},
	{name: "a path that nobody answers", old: "path: /readyz", new: "path: /healthz", fault: true, want: []string{`readinessProbe asks for "/healthz"`, "/livez, /readyz, /startupz"}},
	{name: "readiness on the public port", old: "path: /readyz\n              port: admin", new: "path: /\n              port: https\n              scheme: HTTPS", want: []string{"readinessProbe asks a public listener", "says nothing of a drain"}},
	{name: "liveness on the public port", old: "path: /livez\n              port: admin", new: "path: /\n              port: 8080", want: []string{"livenessProbe asks a public listener", "restarted under load"}},
	{name: "a probe in clear text on the TLS port", old: "path: /readyz\n              port: admin", new: "path: /\n              port: 8443", fault: true, want: []string{"readinessProbe speaks plain HTTP to the port of https"}},
	{name: "a probe over TLS on the admin port", old: "path: /readyz\n", new: "path: /readyz\n              scheme: HTTPS\n", fault: true, want: []string{"readinessProbe speaks TLS to the port of admin"}},
	{name: "a probe of a port without a listener", old: "path: /livez\n              port: admin", new: "path: /livez\n              port: 9091", fault: true, want: []string{"livenessProbe goes to port 9091", "8443 (https), 8080 (http), 9090 (admin)"}},
	{name: "a probe of a port without a name", old: "path: /livez\n              port: admin", new: "path: /livez\n              port: metrics", fault: true, want: []string{`livenessProbe names the port "metrics"`, "name one of https, http, admin"}},
	{name: "no readiness probe", old: "          readinessProbe: # 503 from the signal on\n            httpGet:\n              path: /readyz\n              port: admin\n            periodSeconds: 5\n            timeoutSeconds: 3\n            failureThreshold: 2\n", want: []string{"there is no readinessProbe"}},
	{name: "readiness that only connects", old: "            httpGet:\n              path: /readyz\n", new: "            tcpSocket:\n", fault: true, want: []string{"readinessProbe only connects", "stays ready"}},
	{name: "a probe that runs a command", old: "            httpGet:\n              path: /livez\n              port: admin\n", new: "            exec: {command: [cat, /tmp/healthy]}\n", want: []string{"livenessProbe runs a command"}},
	{name: "readiness that notices late", old: "periodSeconds: 5", new: "periodSeconds: 10", want: []string{"readinessProbe notices a drain after 20s", "the listeners close 15s after"}},
}

var portMutations = []mutation{
	{name: "a listener on another port", old: "    max-connections = 4000\n", new: "    https = ':9443'\n", fault: true,
		want: []string{"a container port goes to port 8443", "the Service's port 443 goes to port 8443", "port 9443 (https) is not among the container's ports"}},
	{name: "a listener that is off", old: "    max-connections = 4000\n", new: "    http = 'off'\n", fault: true, want: []string{"the Service's port 80 goes to port 8080", "nothing listens on it"}},
	{name: "a listener on loopback", old: "    max-connections = 4000\n", new: "    https = '127.0.0.1:8443'\n", fault: true, want: []string{"https listens on 127.0.0.1 alone", "write :8443"}},
	{name: "a port of the kernel's choice", old: "    max-connections = 4000\n", new: "    http = ':0'\n", fault: true, want: []string{"http listens on a port that the kernel picks"}},
	{name: "a privileged port", old: "    max-connections = 4000\n", new: "    https = ':443'\n", fault: true, want: []string{"https listens on the privileged port 443", "a Service maps to any"}},
	{name: "a target port without a name", old: "targetPort: https", new: "targetPort: web", fault: true, want: []string{`the Service's port 443 names the port "web"`, "Service/holdfast spec.ports[0].targetPort"}},
	{name: "a target port that is the port", old: "      targetPort: https\n", fault: true, want: []string{"the Service's port 443 goes to port 443"}},
	{name: "targets that are swapped", old: "targetPort: https", new: "targetPort: http", fault: true, want: []string{"port 443 of the Service leads to the plain listener"}},
	{name: "the TLS listener on port 80", old: "targetPort: http\n", new: "targetPort: 8443\n", fault: true, want: []string{"port 80 of the Service leads to the TLS listener"}},
	{name: "redirects to a port that the Service has not", old: "port: 443", new: "port: 8443", want: []string{"redirects name port 443, the Service has https on 8443", "--public-https-port 8443"}},
	{name: "an admin port for the world", old: "type: ClusterIP # LoadBalancer", new: "type: LoadBalancer\n  ports: [{port: 9090, targetPort: admin}]\n  was: # ", fault: true, want: []string{"a Service of type LoadBalancer leads to the admin port", `the key "ports" is there twice`}},
	{name: "requests for pods that are not ready", old: "  type: ClusterIP", new: "  publishNotReadyAddresses: true\n  type: ClusterIP", want: []string{"publishNotReadyAddresses is on"}},
	{name: "UDP", old: "containerPort: 8443", new: "containerPort: 8443\n              protocol: UDP", fault: true, want: []string{`a container port is "UDP"`}},
}

// withDomain gives the pods certificates of a public CA in place of a pair's.
const withDomain = "    domain = 'example.org'\n    acme-agree-tos = true\n"

var acmeMutations = []mutation{
	{name: "pods that each order for themselves", old: noTLS, new: withDomain, fault: true,
		want: []string{"2 pods, each with a store of certificates of its own", "--cert-store kubernetes:NAMESPACE/NAME", `the certificates in "/.local/state/holdfast/certificates" go with the pod`}},
}

const (
	withToken = "      automountServiceAccountToken: true\n      enableServiceLinks"
	withStore = "    cert-store = 'kubernetes:web/holdfast-certificates'\n"
)

// deployedWithStore are the project's own manifests with certificates of a public CA in a Secret.
func deployedWithStore(t *testing.T) string {
	text := deployed(t)
	for old, new := range map[string]string{strings.Replace(withToken, "true", "false", 1): withToken, noTLS: withDomain + withStore} {
		if n := strings.Count(text, old); n != 1 {
			t.Fatalf("%q is there %d times, want once", old, n)
		}
		text = strings.Replace(text, old, new, 1)
	}
	return text
}

const (
	boundRole  = "  kind: Role\n  name: holdfast\nsubjects"
	theRole    = "kind: Role\nmetadata:"
	leaseRule  = "  - apiGroups: [coordination.k8s.io]\n    resources: [leases]\n    verbs: [get, create, update]\n"
	secretRule = "    resourceNames: [holdfast-certificates]\n    verbs: [get, update]\n"
)

// storeMutations are made in deployedWithStore; each has as many findings as texts in want.
var storeMutations = []mutation{
	{name: "nothing wrong"},
	{name: "readiness that waits for a certificate", old: withStore, new: withStore + "    ready-needs-certificate = true\n", fault: true,
		want: []string{"set publishNotReadyAddresses: true"}},
	{name: "nobody who agreed", old: "    acme-agree-tos = true\n", fault: true, want: []string{"nobody agreed to the terms of service of the CA"}},
	{name: "no token by the pod's word", old: withToken, new: "      automountServiceAccountToken: false\n      enableServiceLinks", fault: true,
		want: []string{"Deployment/holdfast spec.template.spec.automountServiceAccountToken): the store of certificates is in a Secret, which the API gives to nobody without one; set automountServiceAccountToken: true"}},
	{name: "no token by the account's word", old: withToken, new: "      enableServiceLinks", fault: true,
		want: []string{"the service account's token is not mounted (FILE ServiceAccount/holdfast automountServiceAccountToken)"}},
	{name: "the token of another account", old: "      serviceAccountName: holdfast\n" + "      # Only a store of certificates in a Secret needs the token (rbac.yaml).\n" + withToken, new: "      enableServiceLinks",
		want: []string{`the service account "default" lacks rights in the namespace "web": get, update on secrets for "holdfast-certificates"; get, create, update on leases of coordination.k8s.io (FILE Deployment/holdfast spec.template.spec.serviceAccountName): no Role among these manifests is bound to it there`}},
	{name: "no right to update the Secret", old: secretRule, new: strings.Replace(secretRule, ", update", "", 1),
		want: []string{`: update on secrets for "holdfast-certificates" (FILE Role/holdfast rules): `}},
	{name: "no right to Leases", old: leaseRule, want: []string{": get, create, update on leases of coordination.k8s.io (FILE Role/holdfast rules): "}},
	{name: "Leases that cannot be made", old: leaseRule, new: strings.Replace(leaseRule, "create, ", "", 1), want: []string{": create on leases of"}},
	{name: "Leases of certain names", old: leaseRule, new: leaseRule + "    resourceNames: [holdfast-certificates]\n", want: []string{": get, create, update on leases of"}},
	{name: "Leases of another group", old: "[coordination.k8s.io]", new: "['']", want: []string{": get, create, update on leases of"}},
	{name: "every right", old: secretRule, new: "    verbs: ['*']\n"},
	{name: "a Secret of another name", old: "web/holdfast-certificates", new: "web/others",
		want: []string{`: get, update on secrets for "others" (`, `the Secret "others" is not among these manifests, and the service account may not create it (FILE Role/holdfast rules): `}},
	{name: "a Secret that may be made", old: "web/holdfast-certificates", new: "web/others",
		more: "kind: Role\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: more}\nrules: [{apiGroups: [''], resources: [secrets], verbs: [get, create, update]}]\n---\n" + binding("Role", "more", "{kind: ServiceAccount, name: holdfast}")},
	{name: "no Role", old: theRole, new: "kind: Rule\nmetadata:",
		want: []string{"on leases of coordination.k8s.io (FILE RoleBinding/holdfast roleRef): the role that it is bound to is not among these manifests; give its manifest too"}},
	{name: "a binding to another Role", old: boundRole, new: strings.Replace(boundRole, "holdfast", "edit", 1), want: []string{"is not among these manifests"}},
	{name: "a binding to what may everything", old: boundRole, new: "  kind: ClusterRole\n  name: cluster-admin\nsubjects"},
	{name: "a binding of another account", old: "subjects:\n  - kind: ServiceAccount\n    name: holdfast", new: "subjects:\n  - kind: ServiceAccount\n    name: other", want: []string{"is bound to it there"}},
	{name: "a binding of all accounts", old: "subjects:\n  - kind: ServiceAccount\n    name: holdfast", new: "subjects:\n  - kind: Group\n    name: system:serviceaccounts:web"},
	{name: "a binding in another namespace", old: "kind: RoleBinding\nmetadata:\n", new: "kind: RoleBinding\nmetadata:\n  namespace: far\n", want: []string{"is bound to it there"}},
	{name: "a binding that does not count beside one that does", old: "kind: RoleBinding\nmetadata:\n", new: "kind: RoleBinding\nmetadata:\n  namespace: web\n",
		more: strings.Replace(binding("ClusterRole", "view", "{kind: User, name: 'system:serviceaccount:web:holdfast'}"), "name: more", "name: more, namespace: far", 1)},
}

func binding(kind, name, subject string) string {
	return "kind: RoleBinding\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: more}\nroleRef: {kind: " + kind + ", name: " + name + "}\nsubjects: [" + subject + "]\n"
}

var rightsMutations = []mutation{
	{name: "root, and not root", old: "runAsUser: 65532", new: "runAsUser: 0", fault: true, want: []string{"runAsUser is 0 and runAsNonRoot is on"}},
	{name: "perhaps root", old: "runAsNonRoot: true", new: "runAsNonRoot: false", want: []string{"runAsNonRoot is not on"}},
	{name: "privileged", old: "readOnlyRootFilesystem: true", new: "readOnlyRootFilesystem: true\n            privileged: true", want: []string{"the container is privileged"}},
	{name: "escalation", old: "            allowPrivilegeEscalation: false\n", want: []string{"allowPrivilegeEscalation is not off"}},
	{name: "a root to write on", old: "            readOnlyRootFilesystem: true\n", want: []string{"the root filesystem can be written"}},
	{name: "capabilities", old: "drop: [ALL]", new: "drop: [NET_RAW]", want: []string{"capabilities are left"}},
	{name: "no seccomp profile", old: "        seccompProfile:\n          type: RuntimeDefault\n", want: []string{"there is no seccompProfile"}},
	{name: "a local CA on a read-only root", old: noTLS, fault: true,
		want: []string{`the state directory "/.local/state/holdfast" cannot be written`, "mount an emptyDir", "2 pods, each with a local CA of its own"}},
	{name: "a local CA in a ConfigMap", old: noTLS, new: "    state = '/site/state'\n", fault: true, want: []string{`"/site/state" cannot be written`}},
	{name: "a pair outside of every volume", old: noTLS, new: "    cert = '/pair/tls.crt'\n    key = '/tls/tls.key'\n", want: []string{`"/pair/tls.crt" is in no volume`}},
	{name: "a key that the user may not read", old: "        fsGroup: 65532\n", fault: true, want: []string{`"/tls/tls.key" cannot be read`, "set fsGroup"}},
	{name: "a pair that never renews", old: "              mountPath: /tls\n", new: "              mountPath: /tls\n              subPath: pair\n", want: []string{"is mounted by subPath"}},
	{name: "a volume that is not there", old: "        - name: tls #", new: "        - name: tsl #", fault: true, want: []string{`the volume "tls" is not declared`}},
}

var rolloutMutations = []mutation{
	{name: "all down, then up", old: "type: RollingUpdate\n    rollingUpdate:\n      maxUnavailable: 0 # a successor is ready before anybody leaves\n      maxSurge: 1", new: "type: Recreate", fault: true, want: []string{"the strategy is Recreate"}},
	{name: "one down before one is up", old: "maxUnavailable: 0 #", new: "maxUnavailable: 50% #", want: []string{"a rollout may stop 1 of 2 pods"}},
	{name: "all down at once", old: "maxUnavailable: 0 #", new: "maxUnavailable: 2 #", fault: true, want: []string{"a rollout may stop all 2 pods at once"}},
	{name: "no way to replace a pod", old: "maxSurge: 1", new: "maxSurge: 0", fault: true, want: []string{"maxUnavailable and maxSurge are both 0"}},
	{name: "one replica", old: "replicas: 2", new: "replicas: 1", want: []string{"there is one pod"}},
	{name: "a budget that never allows an eviction", old: "  maxUnavailable: 1\n", new: "  maxUnavailable: 0\n", fault: true, want: []string{"the budget allows no eviction", "PodDisruptionBudget/holdfast spec.maxUnavailable"}},
	{name: "a budget that wants all", old: "  maxUnavailable: 1\n", new: "  minAvailable: 100%\n", fault: true, want: []string{"the budget allows no eviction", "spec.minAvailable"}},
	{name: "a budget that allows everything", old: "  maxUnavailable: 1\n", new: "  minAvailable: 0\n", want: []string{"the budget allows all evictions at once"}},
	{name: "a budget for others", old: "AlwaysAllow\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: holdfast", new: "AlwaysAllow\n  selector:\n    matchLabels:\n      app: holdfast",
		want: []string{"does not select the pods", "no PodDisruptionBudget selects the pods"}},
	{name: "replicas that scale down to one", old: "replicas: 2", new: "replicas: 4",
		more: "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {minReplicas: 1, maxReplicas: 4, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: holdfast}}\n",
		want: []string{"there is one pod"}},
}

var settingMutations = []mutation{
	{name: "an unknown flag", old: `"serve", "/site",`, new: `"serve", "/site", "--drain-tmeout=1s",`, fault: true, want: []string{`unknown flag "--drain-tmeout"`, "spec.containers[0].args); did you mean --drain-timeout?"}},
	{name: "faults of two layers", old: "    max-connections = 4000\n", new: "    max-fields = 0\n    stall-timeout = 'soon'\n", fault: true, want: []string{"max-fields", "stall-timeout", "/etc/holdfast/holdfast.toml:"}},
	{name: "an unknown variable", old: "value: 230MiB\n", new: "value: 230MiB\n            - {name: HOLDFAST_IDEL_TIMEOUT, value: 1s}\n", want: []string{`unknown variable "HOLDFAST_IDEL_TIMEOUT"`}},
	{name: "a variable of a Secret", old: "value: 230MiB\n", new: "value: 230MiB\n            - {name: HOLDFAST_LOG, valueFrom: {secretKeyRef: {name: x, key: y}}}\n", want: []string{`the value of "HOLDFAST_LOG" is not known`}},
	{name: "variables of a Secret", old: "          env:\n", new: "          envFrom: [{secretRef: {name: x}}]\n          env:\n", want: []string{"the variables of this source are not known"}},
	{name: "a configuration out of sight", old: "            name: holdfast\n            items:", new: "            name: elsewhere\n            items:", want: []string{"no ConfigMap among these manifests", "the defaults are assumed", "cannot be written"}, fault: true},
	{name: "a configuration outside of every volume", old: `"--config", "/etc/holdfast/holdfast.toml"`, new: `"--config", "/holdfast.toml"`, want: []string{"no volume has it", "cannot be written"}, fault: true},
	{name: "a key that the ConfigMap has not", old: "  holdfast.toml: |", new: "  holdfast.tml: |", fault: true, want: []string{`cannot read the configuration file "/etc/holdfast/holdfast.toml"`, `has no key "holdfast.toml"`}},
	{name: "a shell as the first process", old: "          args: [", new: "          command: [sh, -c, holdfast serve /site]\n          args: [", fault: true, want: []string{`"sh" is the first process, not holdfast`}},
	{name: "a command that does not serve", old: `args: ["serve", "/site", "--config", "/etc/holdfast/holdfast.toml"]`, new: `args: [version]`, fault: true, want: []string{"the container does not serve"}},
	{name: "no such command", old: `args: ["serve",`, new: `args: ["sreve",`, fault: true, want: []string{"unexpected argument sreve"}},
	{name: "a key twice", old: "replicas: 2", new: "replicas: 2\n  replicas: 3", fault: true, want: []string{`the key "replicas" is there twice`}},
	{name: "what kustomize would change", old: "kind: Kustomization", new: "kind: Kustomization\npatches: []", want: []string{"what kustomize makes of this is not seen"}},
}

func TestCheckKubernetesMutations(t *testing.T) {
	t.Parallel()
	text := deployed(t)
	for _, c := range slices.Concat(graceMutations, probeMutations, portMutations, acmeMutations, rightsMutations, rolloutMutations, settingMutations) {
		t.Run(c.name, func(t *testing.T) {
			if n := strings.Count(text, c.old); n != 1 {
				t.Fatalf("%q is there %d times, want once", c.old, n)
			}
			r := checkText(t, strings.Replace(text, c.old, c.new, 1)+"---\n"+c.more)
			if want := map[bool]int{true: 1}[c.fault]; r.exit != want {
				t.Errorf("exit %d, want %d", r.exit, want)
			}
			for _, want := range c.want {
				if !strings.Contains(r.err, want) {
					t.Errorf("no %q in\n%s", want, r.err)
				}
			}
			if len(c.want) == 0 && r.err != "" {
				t.Errorf("findings where there is nothing wrong:\n%s", r.err)
			}
		})
	}
}

// ofFile is the file and line of a finding.
var ofFile = regexp.MustCompile(`\(\S*pod\.yaml:\d+ `)

// wantFindings wants a line for each text, with FILE for the file and line, and no other.
func wantFindings(t *testing.T, text string, fault bool, want ...string) {
	t.Helper()
	r := checkText(t, text)
	said := ofFile.ReplaceAllString(r.err, "(FILE ")
	if want := map[bool]int{true: 1}[fault]; r.exit != want {
		t.Errorf("exit %d, want %d", r.exit, want)
	}
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("no %q", w)
		}
	}
	if n := strings.Count(said, "\n"); n != len(want) || t.Failed() {
		t.Errorf("%d findings, want %d:\n%s", n, len(want), said)
	}
}

func TestCheckKubernetesStore(t *testing.T) {
	t.Parallel()
	text := deployedWithStore(t)
	for _, c := range storeMutations {
		t.Run(c.name, func(t *testing.T) {
			if n := strings.Count(text, c.old); n != 1 && c.old != "" {
				t.Fatalf("%q is there %d times, want once", c.old, n)
			}
			wantFindings(t, strings.Replace(text, c.old, c.new, 1)+"---\n"+c.more, c.fault, c.want...)
		})
	}
	in := func(namespace string) string {
		return strings.ReplaceAll(text, "\nmetadata:\n", "\nmetadata:\n  namespace: "+namespace+"\n")
	}
	t.Run("a pod in the store's namespace", func(t *testing.T) { wantFindings(t, in("web"), false) })
	t.Run("a pod in another namespace", func(t *testing.T) {
		wantFindings(t, in("far"), false, `the pod is in the namespace "far", its store of certificates in "web" (FILE Deployment/holdfast metadata.namespace): `,
			"no Role among these manifests is bound to it there")
	})
	t.Run("no object of RBAC at all", func(t *testing.T) {
		documents := strings.Split(text, "---\n")
		documents = slices.DeleteFunc(documents, func(d string) bool { return strings.Contains(d, "rbac.authorization.k8s.io/v1\n") })
		wantFindings(t, strings.Join(documents, "---\n"), false, "no Role among these manifests is bound to it there; add a Role and a RoleBinding")
	})
}

// TestCheckKubernetesToken: a volume of the pod's own may bring the token, and other stores want none.
func TestCheckKubernetesToken(t *testing.T) {
	t.Parallel()
	const mounted = "/var/run/secrets/kubernetes.io/serviceaccount"
	pod := func(store, mountPath, source string) string {
		return onePod("Deployment", "{automountServiceAccountToken: false, containers: [{name: holdfast, args: [serve, --domain, example.org, --acme-agree-tos, --cert-store, '"+store+
			"'], volumeMounts: [{name: token, mountPath: "+mountPath+"}]}], volumes: [{name: token, projected: {sources: [{configMap: {name: kube-root-ca.crt}}, "+source+"]}}]}")
	}
	const store, token = "kubernetes:web/holdfast", "{serviceAccountToken: {path: token}}"
	for _, c := range []struct {
		name, text    string
		fault, rights bool
	}{
		{"a projected token", pod(store, mounted+"/", token), false, true},
		{"a projected token elsewhere", pod(store, "/token", token), true, true},
		{"a projection without a token", pod(store, mounted, "{secret: {name: x}}"), true, true},
		{"a store in Redis", pod("redis://127.0.0.1", "/token", token), false, false},
		{"a server without TLS", strings.Replace(pod(store, "/token", token), "--domain, example.org, --acme-agree-tos", "--https, 'off'", 1), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := checkText(t, c.text)
			if fault, rights := strings.Contains(r.err, "token is not mounted"), strings.Contains(r.err, "lacks rights"); fault != c.fault || rights != c.rights {
				t.Errorf("a fault of the token: %t, a warning of rights: %t\n%s", fault, rights, r.err)
			}
			if !strings.Contains(r.err, "a grace period of 30 s") {
				t.Errorf("it was not checked:\n%s", r.err)
			}
		})
	}
}
