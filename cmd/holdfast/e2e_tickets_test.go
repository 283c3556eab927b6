package main

import (
	"crypto/tls"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestSessionsResumeOnEveryReplica(t *testing.T) {
	const secret, another = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
	a := newAuthority(t)
	_, _, pair := pairFiles(t, a, 10)
	root := site(t, map[string]string{"index.html": "the quay"})
	files := [2]string{writeFile(t, "secret", secret+"\n"), writeFile(t, "secret", secret)}
	var replicas [2]*server
	for i := range replicas {
		replicas[i] = launch(t, root, append([]string{"--cluster-secret-file", files[i]}, pair...)...)
	}
	apart := launch(t, root, pair...)
	visitor := func(version uint16) *tls.Config {
		config := a.trust()
		config.MaxVersion, config.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
		return config
	}
	want := func(what string, s *server, config *tls.Config, want bool) {
		t.Helper()
		if served, resumed := returnTo(t, s, config); !served || resumed != want {
			t.Errorf("%s: served %t, resumed %t, want %t", what, served, resumed, want)
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := visitor(version)
		want("the first visit, to A", replicas[0], config, false)
		want("the second, to B", replicas[1], config, true)
		want("the third, to A", replicas[0], config, true)
		want("one without the secret", apart, config, false)
	}
	config := visitor(tls.VersionTLS13)
	want("a first visit to A", replicas[0], config, false)
	for i, s := range replicas {
		replace(t, files[i], another)
		s.signal(syscall.SIGHUP)
		s.await("the cluster's secret has changed: sessions begin anew")
	}
	want("B with another secret", replicas[1], config, false)
	want("A with that other one", replicas[0], config, true)
	for _, s := range append(replicas[:], apart) {
		s.stop()
		if log := s.log.text(); strings.Contains(log, secret[:16]) || strings.Contains(log, another[:16]) {
			t.Error("the log tells the secret")
		}
	}
}

func TestBadClusterSecret(t *testing.T) {
	root := site(t, nil)
	t.Run("one that is too short keeps the server from starting", func(t *testing.T) {
		s := spawn(t, root, "--cluster-secret-file", writeFile(t, "secret", "hunter2\n"))
		if code := s.exit(); code != 1 {
			t.Errorf("exit code %d", code)
		}
		if log := s.log.text(); !strings.Contains(log, "is no secret: it has 8 bytes, where 32 bytes or 64 hexadecimal digits belong: make one with: openssl rand -hex 32") || strings.Contains(log, "hunter2") {
			t.Error(log)
		}
		if _, err := os.Stat(s.caFile()); !os.IsNotExist(err) {
			t.Errorf("a start that fails leaves a CA behind: %v", err)
		}
	})
	t.Run("one that every user reads is a warning", func(t *testing.T) {
		file := writeFile(t, "secret", strings.Repeat("0f1e", 16))
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		s := launch(t, root, "--cluster-secret-file", file)
		if found := complaints(s); len(found) != 1 || !strings.Contains(found[0], "can be read by every user (mode 0644)") {
			t.Errorf("the log says\n%s", listed(found))
		}
		s.stop()
	})
}
