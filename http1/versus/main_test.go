package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets this program be the children that it starts.
func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	code, ok := child(ctx, os.Args[1:])
	stop()
	if ok {
		os.Exit(code)
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // else each child under the race detector takes a second to end
	os.Exit(m.Run())
}

func TestFlags(t *testing.T) {
	t.Run("the defaults are a whole comparison", func(t *testing.T) {
		f, err := parseFlags(nil, io.Discard)
		want := flags{cases: "all", servers: "all", load: "auto", json: "bench.json", rounds: 7, connections: 64, idle: 10_000, duration: 2 * time.Second}
		if err != nil || *f != want {
			t.Errorf("%+v, %v", f, err)
		}
	})
	for _, args := range [][]string{
		{"-rounds", "0"}, {"-connections", "0"}, {"-idle", "-1"}, {"-duration", "0s"}, {"-duration", "2h"}, {"-nonsense"}, {"get"},
	} {
		t.Run(strings.Join(args, " ")+" is an error", func(t *testing.T) {
			if f, err := parseFlags(args, io.Discard); err == nil {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Run("help is no failure", func(t *testing.T) {
		var help bytes.Buffer
		if code := run(t.Context(), []string{"-h"}, io.Discard, &help); code != 0 || !strings.Contains(help.String(), "-profile") {
			t.Errorf("exit %d: %s", code, &help)
		}
	})
	for _, args := range [][]string{{"-case", "nonsense"}, {"-servers", "nonsense"}, {"-load", "nonsense"}} {
		t.Run("an unknown name in "+args[0]+" is one line", func(t *testing.T) {
			var said bytes.Buffer
			code := run(t.Context(), args, io.Discard, &said)
			if code != 1 || strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), "nonsense") {
				t.Errorf("exit %d: %s", code, &said)
			}
		})
	}
}

func TestChosen(t *testing.T) {
	t.Run("all cases have names and aims of their own", func(t *testing.T) {
		all, err := chosen("all")
		if err != nil || len(all) != 12 {
			t.Fatalf("%d cases, %v", len(all), err)
		}
		for i, s := range all {
			if slices.Index(scenarioNames(), s.name) != i || s.title == "" || s.aim.Bound == 0 || s.idle != (s.aim.Measure == kibibytes) {
				t.Errorf("%+v", s)
			}
		}
	})
	t.Run("cases come in the order that was asked for", func(t *testing.T) {
		picked, err := chosen("tls,get")
		if err != nil || len(picked) != 2 || picked[0].name != "tls" || picked[1].name != "get" {
			t.Errorf("%+v, %v", picked, err)
		}
	})
	t.Run("a browser sends 20 fields", func(t *testing.T) {
		if len(browserFields) != 20 || len(twoFields) != 2 {
			t.Errorf("%d and %d", len(browserFields), len(twoFields))
		}
	})
	t.Run("servers may be named", func(t *testing.T) {
		if names, notes, err := chosenServers("raw,holdfast"); err != nil || len(notes) > 0 || !slices.Equal(names, []string{"raw", "holdfast"}) {
			t.Errorf("%v, %v, %v", names, notes, err)
		}
	})
	t.Run("what is not installed is left out of all, with a note, and an error by name", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		names, notes, err := chosenServers("all")
		if err != nil || slices.Contains(names, nginx) || len(names) != 4 || len(notes) != len(programs) {
			t.Errorf("%v, %v, %v", names, notes, err)
		}
		if _, _, err := chosenServers("nginx"); err == nil || !strings.Contains(err.Error(), "apt-get install") {
			t.Error(err)
		}
	})
	t.Run("without wrk the built-in generator stands in, with a note", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		var r report
		if wrk, err := choosesWrk("auto", &r); wrk || err != nil || len(r.Notes) != 1 || r.Generator != "built-in" {
			t.Errorf("%v, %v, %+v", wrk, err, r)
		}
		if _, err := choosesWrk("wrk", &r); err == nil {
			t.Error("it was asked for and is not there")
		}
	})
	t.Run("without taskset nothing is pinned, with a note", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		var r report
		var b bench
		if b.place(&r); b.serverCore != -1 || b.clientCore != -1 || len(r.Notes) != 1 || strings.Contains(r.Setup, "core") {
			t.Errorf("%+v, %+v", b, r)
		}
	})
	t.Run("more idle connections than descriptors are cut down, with a note", func(t *testing.T) {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		var r report
		if n := affordable(int(limit.Cur), &r); n >= int(limit.Cur) || len(r.Notes) != 1 {
			t.Errorf("%d of %d, %v", n, limit.Cur, r.Notes)
		}
		if n := affordable(1, &r); n != 1 || len(r.Notes) != 1 {
			t.Errorf("%d of 1, %v", n, r.Notes)
		}
	})
}

// quick are the arguments of the shortest comparison there is.
func quick(t *testing.T, args ...string) (path string, all []string) {
	path = filepath.Join(t.TempDir(), "below", "bench.json")
	return path, append([]string{"-rounds", "2", "-duration", "50ms", "-connections", "2", "-idle", "40", "-load", "builtin", "-json", path}, args...)
}

func readReport(t *testing.T, path string) (r report) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The whole way: children that serve, children that ask, figures, table, file.
func TestComparison(t *testing.T) {
	t.Run("cases about time", func(t *testing.T) {
		profiles := filepath.Join(t.TempDir(), "profiles")
		path, args := quick(t, "-case", "get,pipelined,tls", "-servers", "holdfast,nethttp", "-profile", profiles)
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, &out, &errOut); code != 0 {
			t.Fatalf("exit %d: %s", code, &errOut)
		}
		for i, o := range readReport(t, path).Cases {
			if !strings.Contains(out.String(), o.Title) || len(o.Rows) != 2 || o.Reached == nil || o.Unit != unitTime {
				t.Errorf("case %d: %+v\n%s", i, o, &out)
			}
			for _, r := range o.Rows {
				if len(r.Rounds) != 2 || r.Main.Median <= 0 || r.Speed.Low <= 0 || r.Share == nil || r.Speedup == nil {
					t.Errorf("%s, %s: %+v", o.Name, r.Server, r)
				}
			}
			for _, name := range []string{"holdfast", "nethttp"} {
				if info, err := os.Stat(filepath.Join(profiles, name+"-"+o.Name+".prof")); err != nil || info.Size() == 0 {
					t.Errorf("no profile of %s in %s: %v", name, o.Name, err)
				}
			}
		}
	})
	t.Run("cases about memory", func(t *testing.T) {
		path, args := quick(t, "-case", "idle,idle-tls", "-servers", "nethttp,raw")
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, &out, &errOut); code != 0 {
			t.Fatalf("exit %d: %s", code, &errOut)
		}
		cases := readReport(t, path).Cases
		if len(cases) != 2 || cases[0].Unit != unitMemory || len(cases[0].Rows) != 2 || cases[0].Reached != nil {
			t.Errorf("%+v", cases)
		}
		if !strings.Contains(out.String(), "KiB each") {
			t.Error(out.String())
		}
	})
	t.Run("a server that cannot start names itself, its case and its fault, and the rest is kept", func(t *testing.T) {
		path, args := quick(t, "-case", "get", "-servers", "raw")
		f, err := parseFlags(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var r report
		b, err := prepare(f, &r, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(b.dir)
		b.servers = []string{"ghost"}
		if _, err := b.run(t.Context(), scenarios[0]); err == nil || !strings.Contains(err.Error(), "ghost, case get, round 1") || !strings.Contains(err.Error(), `no server "ghost"`) {
			t.Error(err)
		}
		if err := r.write(path); err != nil {
			t.Error(err)
		}
	})
}

func TestInstalledServers(t *testing.T) {
	for _, p := range programs {
		cases := []string{"file-1k", "file-1k-tls"}
		if !p.filesOnly {
			cases = append(cases, "get", "tls", "idle")
		}
		t.Run(p.name, func(t *testing.T) {
			if missing := p.missing(); missing != "" {
				if os.Getenv("HOLDFAST_CI") == "1" {
					t.Fatal(missing)
				}
				t.Skip(missing)
			}
			path, args := quick(t, "-case", strings.Join(cases, ","), "-servers", p.name+",nethttp")
			var out, errOut bytes.Buffer
			if code := run(t.Context(), args, &out, &errOut); code != 0 {
				t.Fatalf("exit %d: %s", code, &errOut)
			}
			report := readReport(t, path)
			if len(report.Cases) != len(cases) {
				t.Fatalf("%d cases", len(report.Cases))
			}
			for _, o := range report.Cases {
				if o.Rows[0].Server != p.name || len(o.Rows[0].Rounds) != 2 || o.Rows[0].Share == nil {
					t.Errorf("%+v", o)
				}
			}
		})
	}
}

func TestInstalledConfig(t *testing.T) {
	said := map[string][]string{
		nginx:      {"listen 127.0.0.1:81", "worker_connections 77;", "pid DIR/", "master_process off;", "root /site;"},
		"h2o":      {"host: 127.0.0.1\n", "port: 81\n", "max-connections: 77", "pid-file: DIR/", "num-threads: 1", "file.dir: /site\n"},
		"lighttpd": {`server.bind = "127.0.0.1"`, "server.port = 81\n", "max-connections = 77\n", `pid-file = "DIR/`, `document-root = "/site"`},
	}
	for _, p := range programs {
		for name, overTLS := range map[string]bool{"plain": false, "TLS": true} {
			t.Run(p.name+", "+name, func(t *testing.T) {
				dir := t.TempDir()
				text := configOf(t, &p, dir, place{"127.0.0.1:81", "/site", overTLS, keyPair{"/c.pem", "/k.pem"}, 77})
				for _, want := range said[p.name] {
					if want = strings.ReplaceAll(want, "DIR", dir); !strings.Contains(text, want) {
						t.Errorf("no %q in %s", want, text)
					}
				}
				if got := strings.Contains(text, "/k.pem"); got != overTLS {
					t.Errorf("TLS is %v in %s", got, text)
				}
			})
		}
	}
	t.Run("without files nginx answers what the others answer", func(t *testing.T) {
		text := configOf(t, program(nginx), t.TempDir(), place{addr: "127.0.0.1:81"})
		if want := `return 200 "Hello, World!` + "\n"; !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	})
}

func configOf(t *testing.T, p *installed, dir string, at place) string {
	t.Helper()
	path, err := p.write(dir, at)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestChildren(t *testing.T) {
	t.Run("other arguments ask for no child", func(t *testing.T) {
		for _, args := range [][]string{nil, {"-case", "get"}, {modeServe}, {"dance", "x"}} {
			if code, ok := child(t.Context(), args); ok {
				t.Errorf("%q: exit %d", args, code)
			}
		}
	})
	t.Run("an order that is not JSON is an error", func(t *testing.T) {
		for _, mode := range []string{modeLoad, modeHold} {
			if err := modes[mode](t.Context(), []string{"{"}, strings.NewReader(""), io.Discard); err == nil {
				t.Error(mode)
			}
		}
	})
	t.Run("an order to ask nobody is an error", func(t *testing.T) {
		const nobody = `{"Target":{"Addr":"127.0.0.1:0","Path":"/","Connections":1},"Duration":1}`
		for _, mode := range []string{modeLoad, modeHold} {
			if err := modes[mode](t.Context(), []string{nobody}, strings.NewReader(""), io.Discard); err == nil {
				t.Error(mode)
			}
		}
	})
}
