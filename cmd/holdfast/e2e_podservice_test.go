package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// proxyConfig is a Service: it passes connections on to pods and knows nothing of HTTP but
// their readiness. A pod that has been told to stop goes on getting connections for a second:
// two probes have to fail. The drain delay of deployedPod is four times as long.
const proxyConfig = `global
  stats socket %s mode 600 level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  retries 3
  option redispatch 1
frontend service
  bind fd@%d
  default_backend pods
backend pods
  balance roundrobin
  option httpchk GET /readyz
  default-server check port 9090 inter 500ms fall 2 rise 1
`

// A podService is HAProxy in the place of a Service in front of pods, each in a network
// of its own.
type podService struct {
	t       *testing.T
	addr    string
	control string // its socket for commands
	log     *transcript
}

// startService stands in front of the HTTPS ports of pods in these networks.
func startService(t *testing.T, networks []*os.File) *podService {
	t.Helper()
	path := program(t, "haproxy", "haproxy")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepting, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer accepting.Close()
	s := &podService{t: t, addr: listener.Addr().String(), control: filepath.Join(t.TempDir(), "control"), log: new(transcript)}
	config := fmt.Sprintf(proxyConfig, s.control, firstExtraFile+len(networks))
	for i := range networks {
		config += fmt.Sprintf("  server pod%d 127.0.0.1:8443 namespace %d\n", i, i) // where the probes go too
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{podVariable + `={"Proxy":["` + path + `","-db","-f","` + writeFile(t, "haproxy.cfg", config) + `"]}`}
	cmd.ExtraFiles = append(append(cmd.ExtraFiles, networks...), accepting)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-gone
		if t.Failed() {
			t.Logf("the proxy's log:\n%s", s.log.text())
		}
	})
	eventually(t, "the proxy takes commands", func() bool {
		select {
		case <-gone:
			t.Fatalf("the proxy ended: %v\n%s", cmd.ProcessState, s.log.text())
		default:
		}
		conn, err := net.Dial("unix", s.control)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return s
}

// awaitPod waits until the proxy takes a pod for UP, which gets new connections, or DOWN, which
// gets none.
func (s *podService) awaitPod(pod int, status string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("pod %d to be %s", pod, status), func() bool {
		conn, err := net.Dial("unix", s.control)
		if err != nil {
			s.t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "show stat\n"); err != nil {
			s.t.Fatal(err)
		}
		table, err := csv.NewReader(conn).ReadAll()
		if err != nil || len(table) < 2 {
			s.t.Fatalf("the proxy answers %q, %v", table, err)
		}
		column := slices.Index(table[0], "status")
		for _, row := range table {
			if row[0] == "pods" && row[1] == fmt.Sprintf("pod%d", pod) {
				return row[column] == status
			}
		}
		return false
	})
}

// A rollout of the project's own Deployment behind a Service whose endpoints are removed
// late: no client notices.
func TestPodRollout(t *testing.T) {
	if os.Geteuid() != 0 {
		unableTo(t, "this test makes namespaces and has to be root for it")
	}
	const page = "the quay"
	a := newAuthority(t)
	recipe := deployedPod(t, a, site(t, map[string]string{"index.html": page}))
	networks := []*os.File{newNetwork(t), newNetwork(t)}
	start := func(i int) *podProcess {
		recipe.network = networks[i]
		return launchPod(t, recipe)
	}
	pods := []*podProcess{start(0), start(1)}
	service := startService(t, networks)
	l := loadOn(t, "https://"+service.addr+"/", func() *http.Client { return client(t, a.trust()) },
		func(response *http.Response, body []byte) string {
			if response.StatusCode != 200 || string(body) != page {
				return fmt.Sprintf("%s with %q", response.Status, body)
			}
			return ""
		})
	l.progress(20)
	for i, old := range pods {
		service.awaitPod(i, "UP")
		service.awaitPod(1-i, "UP")
		old.signal(syscall.SIGTERM)
		old.await("stopping")
		service.awaitPod(i, "DOWN")
		select {
		case <-old.gone:
			t.Errorf("pod %d was gone before the Service looked away", i)
		default:
		}
		if code := old.exit(); code != 0 {
			t.Errorf("pod %d: exit code %d, want 0", i, code)
		}
		if late := old.ledger("connections")["forced"]; late != 0.0 {
			t.Errorf("pod %d: %v connections forced, want none", i, late)
		}
		pods[i] = start(i)
		service.awaitPod(i, "UP")
		l.progress(20)
	}
	l.stop()
	for _, p := range pods {
		p.signal(syscall.SIGTERM)
	}
	if begun := pods[0].ledger("requests")["begun"]; begun == 0.0 {
		t.Error("the first pod's successor was asked nothing: the Service did not lead to it")
	}
}
