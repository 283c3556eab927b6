package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modulePath is before every package of ours.
const modulePath = "github.com/holdfast-server/holdfast"

// A room is a folder of packages, and what it may import of ours. A path that ends in
// "/*" is every package below it that has no row of its own; the longest path wins.
type room struct {
	path  string
	ours  []string // "*" for all
	notGo []string // of the standard library, each with what is below it
	why   string
}

// rooms are the ways between our packages. They run one way.
var rooms = []room{
	{"http1/internal/wire", nil, []string{"net", "io", "time", "sync", "os", "bufio", "context"},
		"wire is bytes in, values out: whoever tests or reuses it needs no socket and no clock"},
	{"http1/internal/exchange", []string{"http1/internal/wire"}, nil,
		"an exchange is what a request and its response are, whoever speaks the protocol"},
	{"http1", []string{"conn", "http1/internal/exchange", "http1/internal/wire"}, nil,
		"the protocol knows its connections and its bytes, and no handler"},
	{"http1/http1test", []string{"http1", "http1/internal/exchange"}, nil,
		"it makes exchanges without a connection, which is a protocol's right"},
	{"http1/versus", []string{"conn", "http1/versus/contestant", "http1/versus/load", "http1/versus/process"}, nil,
		"the benchmark of whole processes starts contestants and measures them"},
	{"http1/versus/contestant", []string{"conn", "http1", "http1/files", "http1/files/coding"}, nil, "a contestant is a server of a few lines, ours among them"},
	{"http1/versus/load", []string{"http1/versus/process"}, nil, "the load runs in a process of its own"},
	{"http1/versus/process", nil, nil, "a child process and its cost are nobody's in particular"},
	{"http1/admin", []string{"http1", "http1/nethttp"}, nil, "its profiles are net/http's, on the adaptor"},
	{"http1/observe", []string{"http1", "http1/nethttp"}, nil, "so is the page that Prometheus reads"},
	{"http1/files", []string{"http1", "http1/files/coding", "http1/files/listing", "http1/files/media"}, nil,
		"it sees Request and Response and no connection; its codings are bytes to bytes, a listing is bytes made of names, and Accept a field"},
	{"http1/files/coding", nil, []string{"net", "os"}, "a coding is bytes to bytes, whatever they belong to"},
	{"http1/files/listing", nil, []string{"net", "os"}, "names, sizes and times in, a page out"},
	{"http1/files/media", nil, []string{"net", "os", "io", "time"}, "a field's value in, a quality out"},
	{"http1/session/*", []string{"http1/session", "http1/session/storetest"}, []string{"net/http"}, "a store keeps records for sessions, and sees no request"},
	{"http1/session", []string{"http1", "http1/files/media"}, []string{"net"},
		"it sees Request and Response; its errors are for whoever asks, and Accept is a field"},
	{"http1/vhost", []string{"http1", "http1/route"}, nil, "the rules of a site are routes"},
	{"http1/account", []string{"http1", "http1/files", "http1/files/media", "http1/session"}, nil,
		"members are signed in by sessions and kept in their store; globs are those of files, and Accept a field"},
	{"http1/*", []string{"http1"}, nil,
		"handlers see Request and Response and nothing behind them, so that a second protocol can move in"},
	{"conn", nil, []string{"net/http"}, "conn tracks and drains connections whatever they carry: there is no HTTP in it"},
	{"conn/*", []string{"conn"}, nil, "a test's connection is one of conn's, and no more"},
	{"conn/proxyproto", nil, nil, "a header is bytes and addresses, whatever connection they come on"},
	{"certs", nil, nil, "certificates come from somewhere, whoever serves them"},
	{"certs/store", []string{"certs"}, nil, "a store in a directory is the state's, and knows nothing else of ours"},
	{"certs/renewal", []string{"certs", "certs/store"}, nil, "who renews is given an issuer, and sees no CA"},
	{"certs/acme", []string{"certs", "certs/store", "certs/renewal"}, nil, "ACME issues what renewal asks for, and answers challenges from the store"},
	{"certs/acme/acmetest", nil, nil, "a CA for tests is a process, whatever asks it"},
	{"certs/*", []string{"certs", "certs/store"}, nil, "a store holds values and knows nothing else of ours"},
	{"tlsconf", nil, nil, "the TLS policy takes a GetCertificate function and needs no package for it"},
	{"lifecycle", nil, nil, "a stop drains an interface; what stands behind it is cmd's business"},
	{"cmd/holdfast", []string{"*"}, nil, "the one place that wires it all"},
	{"cmd/holdfast/demo", []string{"http1"}, []string{"net"}, "a demo is a handler and some files"},
	{"cmd/holdfast/control", []string{"conn"}, []string{"net/http"},
		"a command and a server speak over a unix socket, whatever about"},
	{"cmd/holdfast/doctor", nil, nil, "a doctor sees the host from outside, and no server of ours"},
	{"cmd/holdfast/trust", nil, []string{"net"}, "a certificate goes into stores, whosever it is"},
	{"cmd/holdfast/traffic", []string{"http1/rehearsal"}, []string{"net/http"},
		"a rehearsal's clients see a server from outside, and know what it was asked to answer"},
}

// A guest is a module or package from elsewhere (or net/http, which we import as if it
// were one) and the only rooms that may import it. testsOnly keeps it out of the binary.
type guest struct {
	path      string
	in        []string
	testsOnly bool
	why       string
}

// guests stay in the leaf that needs them.
var guests = []guest{
	{"net/http", []string{"certs", "certs/acme", "certs/acme/acmetest", "certs/kubestore", "http1/nethttp", "http1/proxy", "http1/observe", "http1/admin", "cmd/holdfast", "http1/versus/contestant", "certs/kubestore/kubetest", "cmd/holdfast/doctor"}, false,
		"net/http serves nobody here: it is a client, an adaptor, a page of pprof, or a contestant in a benchmark"},
	{"github.com/valyala/fasthttp", []string{"http1/versus/contestant"}, false, "it is a contestant"},
	{"github.com/klauspost/compress", []string{"http1/files/coding"}, false, "one package encodes content"},
	{"golang.org/x/sys", []string{"conn"}, false, "only conn knows a socket"},
	{"github.com/pires/go-proxyproto", []string{"conn/proxyproto"}, false, "it parses one header, which is read for it"},
	{"golang.org/x/crypto", []string{"certs", "certs/acme", "http1/account"}, false, "ACME and its keys are a source of certificates; a password's hash is the members'"},
	{"golang.org/x/text", []string{"http1/account"}, false, "a name has one normal form, and a password one spelling"},
	{"golang.org/x/net/dns/dnsmessage", []string{"cmd/holdfast/doctor"}, false, "net.Resolver knows no CAA"},
	{"golang.org/x/net/idna", []string{"certs", "cmd/holdfast"}, false, "host names are turned into A-labels where they enter"},
	{"github.com/oklog/run", []string{"cmd/holdfast"}, false, "the group is put together in one place"},
	{"github.com/alecthomas/kong", []string{"cmd/holdfast"}, false, "the command line is the binary's"},
	{"github.com/pelletier/go-toml/v2", []string{"cmd/holdfast"}, false, "so is its file"},
	{"go.yaml.in/yaml/v3", []string{"cmd/holdfast"}, false, "so are the manifests that it checks, each finding with its line"},
	{"github.com/lmittmann/tint", []string{"cmd/holdfast"}, false, "and how its log looks"},
	{"golang.org/x/term", []string{"cmd/holdfast"}, false, "and whether that goes to a terminal"},
	{"github.com/coder/websocket", []string{"http1/nethttp"}, true, "a library of handlers runs on the adaptor"},
	{"github.com/prometheus", []string{"http1/observe"}, false, "metrics are its client's: whoever counts something else hands over figures"},
	{"github.com/redis/go-redis/v9", []string{"certs/redisstore", "http1/session/redisstore"}, false, "one package speaks to one store"},
	{"modernc.org/sqlite", []string{"http1/session/sqlitestore"}, false, "so does one to a file"},
	{"github.com/chromedp", []string{"cmd/holdfast"}, true, "a browser drives the end-to-end tests"},
}

// topLevel is the house's first floor: new rooms open below these.
var topLevel = []string{"cmd", "certs", "tlsconf", "conn", "http1", "lifecycle"}

// functionLimitLines is one screen.
const functionLimitLines = 70

// goPackage is the part of go list's answer that the rules are about.
type goPackage struct {
	ImportPath                         string
	Dir                                string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

// room is the package's path inside the module.
func (p *goPackage) room() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, modulePath), "/")
}

func TestImports(t *testing.T) {
	packages := listPackages(t)
	t.Run("packages live on the fixed top level", func(t *testing.T) {
		for _, p := range packages {
			if first, _, _ := strings.Cut(p.room(), "/"); !slices.Contains(topLevel, first) {
				t.Errorf("package %s: the top level is %v and nothing more; new rooms open below these", p.room(), topLevel)
			}
		}
	})
	t.Run("imports between our packages run one way", func(t *testing.T) {
		for _, p := range packages {
			for _, fault := range wayFaults(rooms, p.room(), p.Imports) {
				t.Error(fault)
			}
		}
	})
	t.Run("what comes from elsewhere stays in its leaf", func(t *testing.T) {
		for _, p := range packages {
			for _, fault := range guestFaults(guests, p.room(), p.Imports, false) {
				t.Error(fault)
			}
			for _, fault := range guestFaults(guests, p.room(), slices.Concat(p.TestImports, p.XTestImports), true) {
				t.Error(fault)
			}
		}
	})
}

// The rules are only as good as their check: each of these must be caught.
func TestImportRulesCatch(t *testing.T) {
	for _, c := range []struct {
		name, room, path string
		inTest           bool
		want             string
	}{
		{"wire that reads the clock", "http1/internal/wire", "time", false, "needs no socket and no clock"},
		{"wire that takes an address", "http1/internal/wire", "net/netip", false, "needs no socket"},
		{"wire that imports the protocol", "http1/internal/wire", modulePath + "/http1", false, "may import nothing of ours"},
		{"conn that knows HTTP", "conn", modulePath + "/http1", false, "no HTTP in it"},
		{"a handler that knows a connection", "http1/files", modulePath + "/conn", false, "Request and Response"},
		{"a handler that serves by net/http", "http1/files", "net/http", false, "serves nobody here"},
		{"a protocol that serves by net/http/httputil", "http1", "net/http/httputil", false, "serves nobody here"},
		{"a room without a row", "http2", "strings", false, "no row"},
		{"a module nobody invited", "certs", "github.com/example/thing", false, "not in the table"},
		{"a module out of its leaf", "lifecycle", "golang.org/x/sys/unix", false, "only conn knows a socket"},
		{"a browser in the binary", "cmd/holdfast", "github.com/chromedp/chromedp", false, "only in tests"},
		{"a module nobody invited, in a test", "certs", "github.com/example/thing", true, "not in the table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			faults := guestFaults(guests, c.room, []string{c.path}, c.inTest)
			if !c.inTest {
				faults = append(faults, wayFaults(rooms, c.room, []string{c.path})...)
			}
			if len(faults) == 0 || !strings.Contains(strings.Join(faults, "\n"), c.want) {
				t.Errorf("faults %q, want one that says %q", faults, c.want)
			}
		})
	}
	t.Run("a test that asks by net/http is let through", func(t *testing.T) {
		if faults := guestFaults(guests, "http1", []string{"net/http", "net/http/httptest"}, true); len(faults) > 0 {
			t.Error(faults)
		}
	})
}

func TestFunctionsFitOneScreen(t *testing.T) {
	files := token.NewFileSet()
	for _, p := range listPackages(t) {
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it went between the listing and now
			}
			if err != nil {
				t.Error(err)
				continue
			}
			for _, fault := range longFunctions(files, file, functionLimitLines) {
				t.Errorf("%s/%s", p.room(), fault)
			}
		}
	}
}

func TestFunctionLengthIsCounted(t *testing.T) {
	files := token.NewFileSet()
	source := "package p\n\nfunc three() {\n\tprintln()\n}\n\nfunc (t T) four() {\n\tprintln()\n\tprintln()\n}\n"
	file, err := parser.ParseFile(files, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"p.go:7: four has 4 lines, the limit is 3: what one function does fits on one screen"}
	if got := longFunctions(files, file, 3); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// longFunctions are the functions of more than limit lines.
func longFunctions(files *token.FileSet, file *ast.File, limit int) (faults []string) {
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		from, to := files.Position(f.Pos()), files.Position(f.End())
		if n := to.Line - from.Line + 1; n > limit {
			faults = append(faults, fmt.Sprintf("%s:%d: %s has %d lines, the limit is %d: what one function does fits on one screen",
				filepath.Base(from.Filename), from.Line, f.Name.Name, n, limit))
		}
	}
	return faults
}

// wayFaults are the imports of a package that its room does not allow, with the reason.
func wayFaults(rooms []room, from string, imports []string) (faults []string) {
	r := roomOf(rooms, from)
	if r == nil {
		return []string{fmt.Sprintf("package %s has no row in the table of rooms: say there what it may import, and why", from)}
	}
	for _, path := range imports {
		for _, forbidden := range r.notGo {
			if isBelow(path, forbidden) {
				faults = append(faults, fmt.Sprintf("%s imports %s, and must not: %s", from, path, r.why))
			}
		}
		to, ours := strings.CutPrefix(path, modulePath+"/")
		if ours && !slices.Contains(r.ours, "*") && !slices.Contains(r.ours, to) {
			faults = append(faults, fmt.Sprintf("%s imports %s, and may import %s: %s", from, to, nothingOr(r.ours), r.why))
		}
	}
	return faults
}

// guestFaults are the imports from elsewhere that the table does not allow there. Tests
// may use any guest anywhere: what they link does not ship.
func guestFaults(guests []guest, from string, imports []string, inTest bool) (faults []string) {
	for _, path := range imports {
		i := slices.IndexFunc(guests, func(g guest) bool { return isBelow(path, g.path) })
		first, _, _ := strings.Cut(path, "/")
		switch {
		case isBelow(path, modulePath):
		case i < 0 && strings.Contains(first, "."):
			faults = append(faults, fmt.Sprintf("%s imports %s, which is not in the table of guests: a new module needs a reason", from, path))
		case i < 0, inTest:
		case !slices.Contains(guests[i].in, from):
			faults = append(faults, fmt.Sprintf("%s imports %s, which belongs in %v only: %s", from, path, guests[i].in, guests[i].why))
		case guests[i].testsOnly:
			faults = append(faults, fmt.Sprintf("%s imports %s, which may be only in tests: %s", from, path, guests[i].why))
		}
	}
	return faults
}

// roomOf is the most special row for a package, nil without one.
func roomOf(rooms []room, path string) (best *room) {
	for i := range rooms {
		above, isTree := strings.CutSuffix(rooms[i].path, "/*")
		if path == rooms[i].path || isTree && strings.HasPrefix(path, above+"/") {
			if best == nil || path == rooms[i].path || len(rooms[i].path) > len(best.path) && best.path != path {
				best = &rooms[i]
			}
		}
	}
	return best
}

func isBelow(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func nothingOr(paths []string) string {
	if len(paths) == 0 {
		return "nothing of ours"
	}
	return "only " + strings.Join(paths, ", ")
}

// listPackages asks go list for every package of the module.
func listPackages(t *testing.T) (packages []*goPackage) {
	t.Helper()
	var stderr bytes.Buffer
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", modulePath+"/...")
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(goPackage)
		if err := decoder.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list's answer: %v", err)
		}
		packages = append(packages, p)
	}
	if len(packages) < len(topLevel)-1 {
		t.Fatalf("go list found %d packages, which cannot be all", len(packages))
	}
	return packages
}
