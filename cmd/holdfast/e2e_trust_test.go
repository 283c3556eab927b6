package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/holdfast-server/holdfast/cmd/holdfast/trust"
)

// certsIn runs a certs command on the server's CA for the browsers of a home directory.
func (s *server) certsIn(home string, args ...string) ran {
	s.t.Helper()
	cmd := exec.Command(binary(s.t), append([]string{"certs"}, append(args, "--state", s.state)...)...)
	cmd.Env = append(childEnvironment(s.t), "HOME="+home)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return ran{exit: cmd.ProcessState.ExitCode(), out: out.String(), stderr: stderr.String()}
}

// The browser believes nothing but the database in its home.
func TestCertsTrustInABrowser(t *testing.T) {
	chromium := program(t, "chromium", "chromium")
	program(t, "certutil", "libnss3-tools")
	s := launchDemo(t)
	home := browserHome(t)
	t.Run("before it the page is refused", func(t *testing.T) {
		wantUntrusted(t, browserAt(t, chromium, home), s)
	})
	t.Run("after it the page is shown", func(t *testing.T) {
		r := s.certsIn(home, "trust", "--only", "browsers", "--yes")
		if r.exit != 0 || !strings.Contains(r.out, "nssdb trusts it now.\n") || !strings.Contains(r.out, " certs untrust --state "+s.state+" --only browsers\n") {
			t.Fatalf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
		visit(t, browserAt(t, chromium, home), chromedp.Navigate(s.url("/")),
			becomes("window.isSecureContext && document.querySelector('h1').innerText === 'It holds.'"))
	})
	t.Run("a second time there is nothing to do", func(t *testing.T) {
		if r := s.certsIn(home, "trust", "--only", "browsers"); r.exit != 0 || !strings.Contains(r.out, " trusts it already\n") || !strings.HasSuffix(r.out, "\nNothing is to be done.\n") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	t.Run("after untrust it is refused again", func(t *testing.T) {
		if r := s.certsIn(home, "untrust", "--only", "browsers", "--yes"); r.exit != 0 || !strings.Contains(r.out, "does not trust it any more.\n") {
			t.Fatalf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
		wantUntrusted(t, browserAt(t, chromium, home), s)
	})
	s.stop()
}

// wantUntrusted expects the browser to call the server's certificate one of an unknown CA.
func wantUntrusted(t *testing.T, browser context.Context, s *server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(browser, patience)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Navigate(s.url("/")))
	if err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Errorf("got %v", err)
	}
}

// Debian's own program builds a store elsewhere, and curl believes that one alone.
func TestCertsTrustInTheSystemsStore(t *testing.T) {
	update, curl := program(t, "update-ca-certificates", "ca-certificates"), program(t, "curl", "curl")
	s := launch(t, site(t, map[string]string{"index.html": "a page"}))
	root := t.TempDir()
	for _, dir := range []string{"usr/local/share/ca-certificates", "usr/share/ca-certificates", "etc/ssl/certs", "hooks", "bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// An empty store would not be built at all.
	other := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(t).cert.Raw})
	if err := os.WriteFile(filepath.Join(root, "usr/local/share/ca-certificates/other.crt"), other, 0o644); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncd '" + root + "' && : >conf && exec '" + update + "' --certsconf '" + root + "/conf' --certsdir '" + root + "/usr/share/ca-certificates' --localcertsdir '" + root +
		"/usr/local/share/ca-certificates' --etccertsdir '" + root + "/etc/ssl/certs' --hooksdir '" + root + "/hooks' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(root, "bin/update-ca-certificates"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	m := &trust.Machine{OS: "linux", Root: root, UID: os.Geteuid(), Superuser: true, Path: append([]string{filepath.Join(root, "bin")}, filepath.SplitList(os.Getenv("PATH"))...)}
	ca, err := trust.Read(s.caFile())
	if err != nil {
		t.Fatal(err)
	}
	change := func(p trust.Plan) {
		t.Helper()
		if p.Idle() || len(p.Steps) != 1 {
			t.Fatalf("the plan is %+v", p)
		}
		if err := m.Do(t.Context(), p.Steps[0]); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() ran {
		t.Helper()
		return runToEnd(t, "", curl, "-sS", "--cacert", filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"), s.url("/"))
	}
	change(m.Trust(t.Context(), ca, trust.Scope{System: true}))
	if r := ask(); r.exit != 0 || r.out != "a page" {
		t.Errorf("trusted: exit %d, %q %s", r.exit, r.out, r.stderr)
	}
	change(m.Untrust(t.Context(), ca, trust.Scope{System: true}))
	if r := ask(); r.exit == 0 {
		t.Errorf("not trusted any more: exit %d, %q", r.exit, r.out)
	}
	s.stop()
}
