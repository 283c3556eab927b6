package main

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
	"github.com/holdfast-server/holdfast/certs/kubestore/kubetest"
)

// accountMount is where Kubernetes puts a pod's service account.
const accountMount = "/var/run/secrets/kubernetes.io/serviceaccount"

// publicPod is a pod whose certificates are in the Secret certs of the API's namespace. It is on
// the network of this machine, where the CA and the API are.
func publicPod(t *testing.T, ca *acmetest.CA, api *kubetest.API) podRecipe {
	t.Helper()
	at, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(at.Host)
	if err != nil {
		t.Fatal(err)
	}
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		unableTo(t, "this machine has no network namespaces: "+err.Error())
	}
	t.Cleanup(func() { _ = network.Close() })
	root := filepath.Join(t.TempDir(), "ca.pem")
	content, err := os.ReadFile(ca.RootFile)
	if err == nil {
		err = os.WriteFile(root, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	flags := append(publicFlags(ca, publicHost), "--https", "127.0.0.1:0", "--cert-store", "kubernetes:harbour/certs", "--log", "json")
	flags[slices.Index(flags, "--acme-root")+1] = "/ca.pem"
	return podRecipe{
		Args: append([]string{"serve", "/site"}, flags...),
		Env:  []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "HOLDFAST_DRAIN_DELAY=0s"},
		Volumes: []podVolume{
			{From: site(t, map[string]string{"index.html": "the quay"}), To: "/site"}, {From: root, To: "/ca.pem"},
			{From: filepath.Dir(api.TokenFile), To: accountMount},
		},
		network: network,
	}
}

func TestPodsWithOneSecret(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	account := t.TempDir()
	api, err := kubetest.Start(account, "harbour")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	for _, file := range []string{account, api.TokenFile, api.CAFile} { // the pod's user is another
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	recipe := publicPod(t, ca, api)
	replicas := []*server{startPod(t, recipe).server, startPod(t, recipe).server}
	leadTo(ca, replicas)
	first := certified(t, ca, replicas[0], publicHost)[publicHost]
	second := certified(t, ca, replicas[1], publicHost)[publicHost]
	if !first.Equal(second) || ca.Gate.Orders() != 1 {
		t.Errorf("the same certificate %t, %d orders", first.Equal(second), ca.Gate.Orders())
	}
	wantSharedSessions(t, ca, replicas)
	if secret := api.Object("secrets", "certs"); !strings.Contains(secret, "resourceVersion") {
		t.Errorf("the Secret is %q", secret)
	}
	t.Run("a pod that comes later finds it", func(t *testing.T) {
		next := startPod(t, recipe).server
		leadTo(ca, []*server{next})
		if c := certified(t, ca, next, publicHost)[publicHost]; !c.Equal(first) || ca.Gate.Orders() != 1 {
			t.Errorf("the same certificate %t, %d orders", c.Equal(first), ca.Gate.Orders())
		}
		next.stop()
	})
	for _, s := range replicas {
		s.stop()
	}
}
