package certs

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLoadOrCreateCA(t *testing.T) {
	t.Run("the second start finds the first one's CA", func(t *testing.T) {
		s := openState(t)
		first := mustCA(t, s, CARequest{Machine: "a"}, born)
		second := mustCA(t, s, CARequest{Machine: "b"}, born.AddDate(5, 0, 0))
		if !first.cert.Equal(second.cert) || !first.key.Equal(second.key) {
			t.Error("another CA")
		}
	})
	t.Run("the key is for its owner, the certificate for all", func(t *testing.T) {
		s := openState(t)
		ca := mustCA(t, s, CARequest{}, born)
		if got := modeOf(t, filepath.Join(s.Dir(), caBundleName)); got != 0o600 {
			t.Errorf("the key has mode %04o", got)
		}
		if got := modeOf(t, s.CAPath()); got != 0o644 {
			t.Errorf("ca.pem has mode %04o", got)
		}
		if data, err := os.ReadFile(s.CAPath()); err != nil || !bytes.Equal(data, ca.PEM()) {
			t.Errorf("ca.pem differs: %v", err)
		}
	})
	t.Run("a missing or foreign ca.pem is written again", func(t *testing.T) {
		s := openState(t)
		ca := mustCA(t, s, CARequest{}, born)
		for _, breakIt := range []func() error{
			func() error { return os.Remove(s.CAPath()) },
			func() error { return os.WriteFile(s.CAPath(), []byte("other"), 0o600) },
		} {
			if err := breakIt(); err != nil {
				t.Fatal(err)
			}
			mustCA(t, s, CARequest{}, born)
			if data, err := os.ReadFile(s.CAPath()); err != nil || !bytes.Equal(data, ca.PEM()) {
				t.Errorf("ca.pem differs: %v", err)
			}
		}
	})
	t.Run("a new CA is told once, a found one never", func(t *testing.T) {
		s, book := openState(t), &logBook{}
		for range 3 {
			if _, err := LoadOrCreateCA(s, CARequest{}, book.logger(), born); err != nil {
				t.Fatal(err)
			}
		}
		if got := book.count(s.CAPath()); got != 1 {
			t.Errorf("%d lines", got)
		}
	})
	t.Run("a bad name is an error before anything is written", func(t *testing.T) {
		s := openState(t)
		_, err := LoadOrCreateCA(s, CARequest{Names: []string{"a b"}}, quiet(), born)
		oneLine(t, err, `"a b"`)
		if _, err := os.Stat(s.CAPath()); err == nil {
			t.Error("a CA was made")
		}
	})
	t.Run("a bundle that cannot be read is an error, not a new CA", func(t *testing.T) {
		s := openState(t)
		if err := os.Mkdir(filepath.Join(s.Dir(), caBundleName), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreateCA(s, CARequest{}, quiet(), born)
		oneLine(t, err, caBundleName, "cannot be read")
	})
}

// wantReplaced starts at now and fails unless the kept CA gave way to a new one, was put
// aside, and the log says why.
func wantReplaced(t *testing.T, s *State, why string, now time.Time) {
	t.Helper()
	before, err := s.ReadFile(caBundleName)
	if err != nil {
		t.Fatal(err)
	}
	book := &logBook{}
	fresh, err := LoadOrCreateCA(s, CARequest{}, book.logger(), now)
	if err != nil {
		t.Fatal(err)
	}
	if fresh.ending(now) || bytes.Contains(before, fresh.PEM()) {
		t.Error("the old CA is still in use")
	}
	if book.count(why) != 1 || book.count(caAsideName) != 1 {
		t.Errorf("the log does not say %q: %s", why, &book.buf)
	}
	aside, err := s.ReadFile(caAsideName)
	if err != nil || !bytes.Equal(aside, before) {
		t.Errorf("the old bundle was not kept: %v", err)
	}
	if got := modeOf(t, filepath.Join(s.Dir(), caAsideName)); got != 0o600 {
		t.Errorf("the old bundle has mode %04o", got)
	}
}

func TestCAReplaced(t *testing.T) {
	t.Run("in the last twentieth of its life", func(t *testing.T) {
		s := openState(t)
		old := mustCA(t, s, CARequest{}, born)
		if again := mustCA(t, s, CARequest{}, born.AddDate(9, 5, 0)); !again.cert.Equal(old.cert) {
			t.Error("replaced too early")
		}
		wantReplaced(t, s, "it expires 2036-", born.AddDate(9, 9, 0))
	})
	t.Run("when expired", func(t *testing.T) {
		s := openState(t)
		mustCA(t, s, CARequest{}, born)
		wantReplaced(t, s, "it expires 2036-", born.AddDate(20, 0, 0))
	})
	for name, damage := range map[string]func(bundle, other []byte) []byte{
		"when empty":                   func(_, _ []byte) []byte { return nil },
		"when cut short":               func(b, _ []byte) []byte { return b[:len(b)-40] },
		"when the key is another's":    func(b, o []byte) []byte { return slices.Concat(keyPart(o), certPart(b)) },
		"when the certificate is gone": func(b, _ []byte) []byte { return keyPart(b) },
		"when noise":                   func(_, _ []byte) []byte { return []byte("\x00\xffnoise") },
	} {
		t.Run(name, func(t *testing.T) {
			s, o := openState(t), openState(t)
			mustCA(t, s, CARequest{}, born)
			mustCA(t, o, CARequest{}, born)
			bundle, err := s.ReadFile(caBundleName)
			if err != nil {
				t.Fatal(err)
			}
			other, err := o.ReadFile(caBundleName)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(s.Dir(), caBundleName), damage(bundle, other))
			wantReplaced(t, s, "it is damaged", born)
		})
	}
	t.Run("not when the clock is a year behind, which is a warning", func(t *testing.T) {
		s, book := openState(t), &logBook{}
		old := mustCA(t, s, CARequest{}, born)
		again, err := LoadOrCreateCA(s, CARequest{}, book.logger(), born.AddDate(-1, 0, 0))
		if err != nil || !again.cert.Equal(old.cert) {
			t.Errorf("replaced, %v", err)
		}
		if book.count("clock") != 1 {
			t.Errorf("no word about the clock: %s", &book.buf)
		}
	})
}

func certPart(bundle []byte) []byte { return bundle[bytes.Index(bundle, []byte("-----BEGIN CERT")):] }
func keyPart(bundle []byte) []byte  { return bundle[:bytes.Index(bundle, []byte("-----BEGIN CERT"))] }

func TestFirstStartOfManyInOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	const starts = 8
	got := make([]*CA, starts)
	var group sync.WaitGroup
	for i := range starts {
		group.Go(func() {
			s, err := OpenState(dir)
			if err != nil {
				t.Error(err)
				return
			}
			if got[i], err = LoadOrCreateCA(s, CARequest{}, quiet(), born); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i, ca := range got {
		if ca == nil || !ca.cert.Equal(got[0].cert) || !ca.key.PublicKey.Equal(ca.cert.PublicKey) {
			t.Errorf("start %d has a CA of its own", i)
		}
	}
}

// The test binary is its own second process: with this variable set it does one job
// on the state directory named there.
const (
	childJob = "HOLDFAST_TEST_CHILD_JOB"
	childDir = "HOLDFAST_TEST_CHILD_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childJob) {
	case "start":
		childStart(os.Getenv(childDir))
	case "replace":
		childReplace(os.Getenv(childDir))
	default:
		os.Exit(m.Run())
	}
}

// childStart prints the serial number of the CA that it came to use.
func childStart(dir string) {
	s, err := OpenState(dir)
	if err == nil {
		var ca *CA
		if ca, err = LoadOrCreateCA(s, CARequest{}, quiet(), time.Now()); err == nil {
			fmt.Println(hex.EncodeToString(ca.cert.SerialNumber.Bytes()))
			return
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// childReplace writes one new CA after another, a line for each, until it is killed.
func childReplace(dir string) {
	s, err := OpenState(dir)
	for n := 0; err == nil; n++ {
		var ca *CA
		if ca, err = createCA("", newScope(nil, nil), time.Now()); err == nil {
			if err = s.keepCA(ca); err == nil {
				fmt.Println(n)
			}
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

func child(t *testing.T, job, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childJob+"="+job, childDir+"="+dir)
	return cmd
}

func TestFirstStartOfManyProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	serials := make([]string, 4)
	var group sync.WaitGroup
	for i := range serials {
		cmd := child(t, "start", dir)
		group.Go(func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			serials[i] = string(out)
		})
	}
	group.Wait()
	for _, serial := range serials {
		if serial != serials[0] {
			t.Errorf("different CAs: %q", serials)
		}
	}
}

// Row 31 of the fault list: after SIGKILL at any moment every file can be read.
func TestKilledWhileReplacingTheCA(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		cmd := child(t, "replace", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n <= round%5 && lines.Scan(); n++ {
			if line := lines.Text(); strings.Trim(line, "0123456789") != "" {
				t.Fatal(line)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // says that it was killed
		s, err := OpenState(dir)
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := s.ReadFile(caBundleName)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseCA(bundle); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		noTemporaryFiles(t, s)
	}
}
