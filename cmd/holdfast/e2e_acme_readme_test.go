package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

// readmeCommands are the command lines of a section of the README, as words, without sudo.
func readmeCommands(t *testing.T, section string) (commands [][]string) {
	t.Helper()
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(content), "\n### "+section+"\n")
	if !found {
		t.Fatalf("the README has no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n##")
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "    ") {
			continue
		}
		words := strings.Fields(line)
		if words[0] == "sudo" {
			words = words[1:]
		}
		if words[0] == "holdfast" {
			commands = append(commands, words[1:])
		}
	}
	return commands
}

// The README's command lines are run as they are. Ports, the CA's address, paths and the
// store's place are this machine's.
func TestReadmeOnAPublicHost(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	var s *server
	for _, words := range readmeCommands(t, "On a public host") {
		switch words[0] {
		case "doctor":
			c, faults := parse(words)
			if c == nil || len(faults) > 0 {
				t.Errorf("%q: %v", words, faults)
			}
		case "serve":
			s = launchReadme(t, ca, words)
			certified(t, ca, s, "example.org", "www.example.org")
		default:
			if said := s.command(words...); said.exit != 0 {
				t.Errorf("%q: exit %d\n%s%s", words, said.exit, said.out, said.stderr)
			}
		}
	}
	if s == nil {
		t.Fatal("no server is started there")
	}
	s.stop()
}

func TestReadmeInSeveralReplicas(t *testing.T) {
	ca, redis := startCA(t, acmetest.Config{}), startRedis(t)
	commands := readmeCommands(t, "In several replicas")
	if len(commands) != 2 {
		t.Fatalf("commands %q", commands)
	}
	words := commands[0]
	words[slices.Index(words, "--cert-store")+1] = redis.url() + "/0"
	one := launchReadme(t, ca, words)
	two := launchReadme(t, ca, words)
	leadTo(ca, []*server{one, two})
	shown := certified(t, ca, one, "example.org")["example.org"]
	if other := certified(t, ca, two, "example.org")["example.org"]; !other.Equal(shown) || ca.Gate.Orders() != 1 {
		t.Errorf("%d orders", ca.Gate.Orders())
	}
	t.Run("in Kubernetes it is read, and tells that this is none", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), append([]string{"serve", site(t, nil)}, commands[1][2:]...)...)
		if r.exit != 2 || !strings.Contains(r.err, "this is no pod of Kubernetes") || len(lines(r.err)) > 3 {
			t.Errorf("exit %d: %s", r.exit, r.err)
		}
	})
	one.stop()
	two.stop()
}

// launchReadme starts the server of a command line, on free ports of the loopback.
func launchReadme(t *testing.T, ca *acmetest.CA, words []string) *server {
	t.Helper()
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), slices.Concat(words[2:], publicFlags(ca))...)
	ca.TLS.To(s.https)
	ca.HTTP.To(s.http)
	return s
}
