package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manifestMemoryBytes is the memory limit of deploy/kubernetes/deployment.yaml.
const manifestMemoryBytes = 256 << 20

// deployedPod is the pod of the project's own Deployment: its arguments, configuration and
// pair. The drain is shorter, for the tests' sake.
func deployedPod(t *testing.T, a *authority, root string) podRecipe {
	t.Helper()
	manifests, faults := readManifests([]string{manifestDir}, nil)
	pods := (&review{manifests: manifests}).pods()
	if len(faults) > 0 || len(pods) != 1 {
		t.Fatalf("%d pods in the manifests, faults %v", len(pods), faults)
	}
	env := pods[0].environment()
	args, ok := pods[0].arguments(env)
	config, err := pods[0].readMounted("/etc/holdfast/holdfast.toml")
	if !ok || err != nil || len(config) == 0 {
		t.Fatalf("arguments %q, configuration %q, %v", args, config, err)
	}
	cert, key := a.pairPEM(2, time.Hour)
	pair := site(t, map[string]string{"tls.crt": cert, "tls.key": key})
	for _, name := range []string{"tls.crt", "tls.key"} { // as a Secret with fsGroup and mode 0440
		if err := errors.Join(os.Chown(filepath.Join(pair, name), 0, podUser), os.Chmod(filepath.Join(pair, name), 0o440)); err != nil {
			unableTo(t, "this test gives files to another group and has to be root for it: "+err.Error())
		}
	}
	recipe := podRecipe{
		Cgroup: memoryCgroup(t, manifestMemoryBytes),
		Args:   args,
		Env:    []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "HOLDFAST_DRAIN_DELAY=8s", "GOMEMLIMIT=" + env["GOMEMLIMIT"]},
		Volumes: []podVolume{
			{From: root, To: "/site"}, {From: pair, To: "/tls"},
			{From: site(t, map[string]string{"holdfast.toml": string(config)}), To: "/etc/holdfast"},
		},
	}
	recipe.open(t)
	return recipe
}

// open lets the pod's user through to the volumes: a test's directories are its own.
func (r *podRecipe) open(t *testing.T) {
	t.Helper()
	for _, v := range r.Volumes {
		if v.From == "" {
			continue
		}
		if err := os.Chmod(v.From, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPod(t *testing.T) {
	content := bulk(downloadBytes)
	a := newAuthority(t)
	recipe := deployedPod(t, a, site(t, map[string]string{"index.html": "the quay", "rope": content}))
	p := launchPod(t, recipe)
	c := p.client(t, a.trust())

	t.Run("it is the first process, without any right", func(t *testing.T) {
		for name, want := range map[string]string{
			"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532", "Groups": "", "NoNewPrivs": "1",
			"CapEff": "0000000000000000", "CapPrm": "0000000000000000", "CapBnd": "0000000000000000",
		} {
			if got := p.status(name); got != want {
				t.Errorf("%s %q, want %q", name, got, want)
			}
		}
		if got := p.status("NSpid"); !strings.HasSuffix(got, " 1") {
			t.Errorf("its process ids are %q, want 1 as the innermost", got)
		}
		p.checkRoot(t)
	})
	t.Run("its memory is limited, where this machine's cgroups allow", func(t *testing.T) {
		if recipe.Cgroup == "" {
			t.Skip("this machine's cgroups let us make no limit: run it as root where the memory controller can be delegated")
		}
		groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.cmd.Process.Pid))
		if err != nil || !strings.Contains(string(groups), filepath.Base(recipe.Cgroup)+"\n") {
			t.Errorf("it is in\n%s and %v, want %s among them", groups, err, recipe.Cgroup)
		}
	})
	t.Run("it listens where the Service leads, and redirects", func(t *testing.T) {
		if response, body, err := fetch(c, "https://localhost:8443/"); err != nil || response.StatusCode != 200 || string(body) != "the quay" {
			t.Errorf("%v, %q, %v", response, body, err)
		}
		response, _, err := fetch(c, "http://localhost:8080/x")
		if err != nil || response.StatusCode != 308 || response.Header.Get("Location") != "https://localhost:8443/x" {
			t.Errorf("%v, %v", response, err)
		}
	})
	t.Run("the manifest's probes find it alive, ready and started", func(t *testing.T) {
		p.probe(t, c, map[string]int{startupProbe: 200, livenessProbe: 200, readinessProbe: 200})
	})
	t.Run("SIGTERM: what is in flight is answered, what comes meanwhile too", func(t *testing.T) {
		p.stopInUse(t, a, c, content)
	})
}

// probe asks what the probes of deploy/kubernetes/deployment.yaml ask, where they ask it, and
// compares the statuses.
func (p *podProcess) probe(t *testing.T, c *http.Client, want map[string]int) {
	t.Helper()
	manifests, _ := readManifests([]string{manifestDir}, nil)
	deployed := (&review{manifests: manifests}).pods()[0]
	for kind, status := range want {
		get := deployed.container.at(kind, "httpGet")
		port, ok := deployed.namedPort(get.at("port").text())
		if !ok {
			t.Fatalf("%s names no port", kind)
		}
		url := fmt.Sprintf("http://localhost:%d%s", port.number, get.at("path").text())
		if response, body, err := fetch(c, url); err != nil || response.StatusCode != status {
			t.Errorf("%s: %s answers %v %s, %v; want %d", kind, url, response, body, err, status)
		}
	}
}

// checkRoot looks at the mounts: nothing can be written.
func (p *podProcess) checkRoot(t *testing.T) {
	t.Helper()
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if at := fields[4]; at != "/proc" && at != "/dev/null" {
			seen++
			if !strings.HasPrefix(fields[5], "ro,") && fields[5] != "ro" {
				t.Errorf("%s is mounted %s, want ro", at, fields[5])
			}
		}
	}
	if seen < 4 {
		t.Errorf("%d mounts, want the root and three volumes at least:\n%s", seen, mounts)
	}
}

// stopInUse sends SIGTERM in the middle of a download, beside an idle connection.
func (p *podProcess) stopInUse(t *testing.T, a *authority, c *http.Client, content string) {
	download := p.peer(t, "8443", smallWindowBytes).secure(a.trust())
	download.get("/rope")
	response := download.head(200)
	idle := p.peer(t, "8443", 0).secure(a.trust())
	idle.get("/")
	idle.response(200)

	p.signal(syscall.SIGTERM)
	p.await("stopping")
	p.probe(t, c, map[string]int{startupProbe: 200, livenessProbe: 200, readinessProbe: 503})
	if response, _, err := fetch(c, "https://localhost:8443/"); err != nil || response.StatusCode != 200 || !response.Close {
		t.Errorf("a request in the lame duck: %v, %v, want 200 and Connection: close", response, err)
	}
	idle.get("/")
	if response, _ := idle.response(200); !response.Close {
		t.Error("the idle connection was answered once more without Connection: close")
	}
	got := sha256.New()
	if n, err := io.Copy(got, response.Body); n != downloadBytes || err != nil || hex.EncodeToString(got.Sum(nil)) != sum([]byte(content)) {
		t.Errorf("%d bytes and %v, or others than were sent; want all %d", n, err, downloadBytes)
	}
	download.ended()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for _, account := range []string{"connections", "requests"} {
		if forced := p.ledger(account)["forced"]; forced != 0.0 {
			t.Errorf("%v %s forced, want none", forced, account)
		}
	}
}

// claim is a volume that outlives a pod.
func claim(t *testing.T) podVolume {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return podVolume{From: dir, To: "/state", Write: true}
}

// statefulPod keeps a local CA on a volume.
func statefulPod(root string, state podVolume, args ...string) podRecipe {
	return podRecipe{
		Args:    append([]string{"serve", "/site", "--state", "/state/holdfast"}, args...),
		Env:     []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "HOLDFAST_DRAIN_DELAY=0s"},
		Volumes: []podVolume{{From: root, To: "/site"}, state},
	}
}

// A kubelet that loses its patience kills: the client of a stuck request learns of it at
// once, and the successor finds the state whole.
func TestPodKilledAfterItsGrace(t *testing.T) {
	const grace = 500 * time.Millisecond
	state := claim(t)
	root := site(t, map[string]string{"index.html": "the quay", "rope": bulk(downloadBytes)})
	recipe := statefulPod(root, state, "--drain-timeout", "1h")
	p := launchPod(t, recipe)
	p.state = filepath.Join(state.From, "holdfast")
	stuck := p.peer(t, "8443", smallWindowBytes).secure(p.trust())
	stuck.get("/rope")
	response := stuck.head(200)

	p.signal(syscall.SIGTERM)
	p.await("stopping")
	select {
	case <-p.gone:
		t.Fatal("it left a request behind that was still being answered")
	case <-time.After(grace):
	}
	p.signal(syscall.SIGKILL)
	p.exit()
	if status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v, want death by SIGKILL", p.cmd.ProcessState)
	}
	if n, err := io.Copy(io.Discard, response.Body); err == nil || n == downloadBytes {
		t.Errorf("the client got %d bytes and no error, although the server was killed", n)
	}

	next := launchPod(t, recipe)
	if response, body, err := fetch(next.client(t, p.trust()), "https://localhost:8443/"); err != nil || response.StatusCode != 200 || string(body) != "the quay" {
		t.Errorf("the successor, by the CA of its predecessor: %v, %q, %v", response, body, err)
	}
	next.stop()
}

func TestPodEnds(t *testing.T) {
	root := site(t, map[string]string{"index.html": "the quay", "rope": bulk(downloadBytes)})
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Run("a second SIGTERM forces it, though the kernel protects a first process", func(t *testing.T) {
		state := claim(t)
		p := launchPod(t, statefulPod(root, state, "--drain-timeout", "1h"))
		p.state = filepath.Join(state.From, "holdfast")
		stuck := p.peer(t, "8443", smallWindowBytes).secure(p.trust())
		stuck.get("/rope")
		stuck.head(200)
		p.signal(syscall.SIGTERM)
		p.await("stopping")
		<-time.After(2 * secondSignalGap)
		p.signal(syscall.SIGTERM)
		if code := p.exit(); code != 143 {
			t.Errorf("exit code %d, want 143", code)
		}
	})
	t.Run("SIGTERM as soon as it listens", func(t *testing.T) {
		launchPod(t, statefulPod(root, podVolume{To: "/state"})).stop()
	})
	t.Run("the deadline cuts a stuck client before the grace ends", func(t *testing.T) {
		state := claim(t)
		p := launchPod(t, statefulPod(root, state, "--drain-timeout", "1s"))
		p.state = filepath.Join(state.From, "holdfast")
		stuck := p.peer(t, "8443", smallWindowBytes).secure(p.trust())
		stuck.get("/rope")
		stuck.head(200)
		p.signal(syscall.SIGTERM)
		if code := p.exit(); code != 3 {
			t.Errorf("exit code %d, want 3", code)
		}
	})
	t.Run("without a place for its state it says which setting helps", func(t *testing.T) {
		recipe := statefulPod(root, podVolume{To: "/state"})
		recipe.Args = []string{"serve", "/site"}
		p := startPod(t, recipe)
		if code := p.exit(); code != 1 || !strings.Contains(p.log.text(), "--state") {
			t.Errorf("exit code %d\n%s", code, p.log.text())
		}
	})
}
