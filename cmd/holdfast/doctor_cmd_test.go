package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/holdfast-server/holdfast/cmd/holdfast/doctor"
)

func TestDoctorRefuses(t *testing.T) {
	r := holdfast(t, testEnvironment(t), "doctor", "*.a.org", "192.0.2.1", "a/b", "--resolver", "x", "--cert-store", "dir:", "--dial-http-port", "0", "--https", "443")
	for _, want := range []string{
		`DOMAIN "*.a.org" is a wildcard: `, `DOMAIN "192.0.2.1" is an address; `, `DOMAIN "a/b" is no host name`, `resolver "x" is no address (--resolver)`,
		`cert-store "dir:" names no directory (--cert-store)`, `dial-http-port "0" is out of range`, `https "443" `,
	} {
		if !strings.Contains(r.err, "holdfast: "+want) {
			t.Errorf("no %q in\n%s", want, r.err)
		}
	}
	if r.exit != 2 || r.out != "" || len(lines(r.err)) != 7 {
		t.Errorf("exit %d, %q\n%s", r.exit, r.out, r.err)
	}
	if r := holdfast(t, testEnvironment(t), "doctor", "--resolver", "127.0.0.1"); r.exit != 2 || r.err != "holdfast: no DOMAIN is named; name the hosts that need a certificate\n" {
		t.Errorf("exit %d\n%s", r.exit, r.err)
	}
	if r := holdfast(t, testEnvironment(t), append([]string{"doctor", "--resolver", "127.0.0.1"}, strings.Fields(strings.Repeat("a.org ", doctor.DomainsLimit+1))...)...); r.exit != 2 || !strings.Contains(r.err, "101 domains are too many; name 100 at most") {
		t.Errorf("exit %d\n%s", r.exit, r.err)
	}
}

func TestDoctorsSettings(t *testing.T) {
	for _, c := range []struct {
		name, args string
		is         func(*doctor.Doctor) bool
	}{
		{"by default", "", func(d *doctor.Doctor) bool {
			return d.HTTPS == doctor.Port{Listen: ":443", Public: 443} && d.HTTP == doctor.Port{Listen: ":80", Public: 80} &&
				d.Directory == "https://acme-v02.api.letsencrypt.org/directory" && strings.HasSuffix(d.StoreDir, ".local/state/holdfast")
		}},
		{"the staging CA has a word", "--acme-directory staging", func(d *doctor.Doctor) bool { return d.Directory == stagingDirectory }},
		{"a listener of the configuration", "--config FILE", func(d *doctor.Doctor) bool { return d.HTTPS.Listen == ":8443" && d.HTTPS.Public == 443 }},
		{"a unix socket is out of reach", "--https unix:/run/a.sock --http off", func(d *doctor.Doctor) bool { return d.HTTPS.Listen == "" && d.HTTP.Listen == "" }},
		{"a store in a directory", "--cert-store dir:/a/b", func(d *doctor.Doctor) bool { return d.StoreDir == "/a/b" }},
		{"another store", "--cert-store redis://host", func(d *doctor.Doctor) bool { return d.StoreDir == "" }},
		{"resolvers", "--resolver 192.0.2.1 --resolver [2001:db8::1]:5353", func(d *doctor.Doctor) bool {
			return strings.Join(d.Resolvers, " ") == "127.0.0.1:53 192.0.2.1:53 [2001:db8::1]:5353"
		}},
		{"an IDN", "käse.example.org", func(d *doctor.Doctor) bool { return d.Domains[1] == "xn--kse-qla.example.org" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "holdfast.toml", "https = ':8443'\ndrain-delay = '1s'\n")
			args := strings.Fields("doctor a.org --resolver 127.0.0.1 " + strings.ReplaceAll(c.args, "FILE", file))
			call, faults := parse(args)
			call.env, call.faults = testEnvironment(t), faults
			values, _, faults := call.layers()
			r := &reader{values: values, faults: append(call.faults, faults...)}
			if d := call.command.(*doctorCmd).doctor(r, call.env); len(r.faults) > 0 || !c.is(d) {
				t.Errorf("%+v, faults %v", d, r.faults)
			}
		})
	}
}

func TestFindingsTable(t *testing.T) {
	var got bytes.Buffer
	writeFindings(&got, doctor.Report{Findings: []doctor.Finding{
		{Level: doctor.OK, Check: "store", What: "it lasts"},
		{Level: doctor.Fault, Check: "http", Domain: "a.org", What: "by \x1b[2J", Mend: "do\nthis"},
	}})
	const want = `ok     store  -      it lasts
fault  http   a.org  by \x1b[2J
                       do\x0athis

1 faults, 0 warnings
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &got, want)
	}
}

// loopbackName is a name server for which every name is 127.0.0.1, or one that says nothing.
// asked is closed at its first question.
func loopbackName(t *testing.T, answers bool) (addr string, asked <-chan struct{}) {
	t.Helper()
	first := make(chan struct{})
	var once sync.Once
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() { _ = packets.Close(); group.Wait() })
	group.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			once.Do(func() { close(first) })
			var m dnsmessage.Message
			if !answers || m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response = true
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = packets.WriteTo(packed, from)
			}
		}
	})
	return packets.LocalAddr().String(), first
}

// doctorArgs are of an examination that dials nothing but the loopback.
func doctorArgs(t *testing.T, s *server, resolver string) []string {
	ca := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"newOrder":"x"}`) }))
	t.Cleanup(ca.Close)
	_, http, _ := net.SplitHostPort(s.http)
	return []string{
		"doctor", "dock.example.org", "--resolver", resolver, "--acme-directory", ca.URL, "--state", s.state,
		"--https", s.https, "--http", s.http, "--dial-https-port", s.port(), "--dial-http-port", http,
	}
}

func TestDoctorOfARunningServer(t *testing.T) {
	s := launch(t, site(t, map[string]string{"index.html": "a page"}), "--http", "127.0.0.1:0", "--sni-unknown", "default")
	s.awaitSocket()
	resolver, _ := loopbackName(t, true)
	r := runToEnd(t, "", binary(t), doctorArgs(t, s, resolver)...)
	var got struct {
		doctor.Report
		Faults *int
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.Faults == nil {
		t.Fatalf("exit %d: %v\n%s%s", r.exit, err, r.out, r.stderr)
	}
	said := make(map[string]string)
	for _, f := range got.Findings {
		said[f.Check] += f.Level.String() + ": " + f.What + "\n"
	}
	for check, want := range map[string]string{
		"dns": "ok: A 127.0.0.1 is this machine's\n", "caa": "ok: no CAA record limits who issues\n", "clock": "ok: the clock agrees with the CA's\n",
		"https": fmt.Sprintf("ok: holdfast listens on port %s, pid %d\nok: %s leads to this machine\n", s.port(), s.cmd.Process.Pid, s.https),
		"http":  fmt.Sprintf("ok: holdfast listens on port %s, pid %d\nok: %s answers as the holdfast of this machine does\n", s.http[strings.LastIndexByte(s.http, ':')+1:], s.cmd.Process.Pid, s.http),
	} {
		if said[check] != want {
			t.Errorf("%s: got %q, want %q", check, said[check], want)
		}
	}
	// Where the tests' directory is in memory, that is a fault.
	if wantExit := min(1, *got.Faults); r.exit != wantExit || wantExit == 1 && !strings.HasPrefix(said["store"], "fault: ") {
		t.Errorf("exit %d with %d faults\n%s", r.exit, *got.Faults, r.out)
	}
	s.stop()
}

func TestDoctorIsInterrupted(t *testing.T) {
	s := launch(t, site(t, map[string]string{"index.html": "a page"}), "--http", "127.0.0.1:0")
	s.awaitSocket()
	resolver, asked := loopbackName(t, false)
	cmd := exec.Command(binary(t), doctorArgs(t, s, resolver)...)
	cmd.Env = childEnvironment(t)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // an error means that it has ended
	<-asked                                      // it waits for the DNS now, for seconds
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says how that went
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(out.String(), "the examination was ended before it was done") {
		t.Errorf("exit code %d\n%s", code, &out)
	}
	s.stop()
}
