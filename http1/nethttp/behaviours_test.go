package nethttp_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// listedVersion is the release whose tests BEHAVIOURS.md lists.
const listedVersion = "go1.26"

// packageFolders are the packages whose tests BEHAVIOURS.md names.
var packageFolders = map[string]string{"": ".", "http1": "..", "conn": "../../conn", "holdfast": "../../cmd/holdfast"}

// counterpart is a row of BEHAVIOURS.md: a test there, and what it says of it.
type counterpart struct {
	file, there string
	here        []string // tests, "" for none
	remark      string
}

// counterparts reads the tables.
func counterparts(t *testing.T) (rows []counterpart) {
	t.Helper()
	page, err := os.ReadFile("BEHAVIOURS.md")
	if err != nil {
		t.Fatal(err)
	}
	file, test := "", regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			file = name
		}
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) != 3 || !strings.HasSuffix(file, "_test.go") {
			continue
		}
		row := counterpart{file: file, there: strings.Trim(cells[0], "|` "), remark: strings.Trim(cells[2], "| ")}
		for _, m := range test.FindAllStringSubmatch(cells[1], -1) {
			row.here = append(row.here, m[1])
		}
		rows = append(rows, row)
	}
	if len(rows) < 200 {
		t.Fatalf("BEHAVIOURS.md has %d rows, which cannot be all", len(rows))
	}
	return rows
}

// namedTests are the tests of a package, and every string that can be the name of one's
// part: those in its sources and the entries of its corpus.
type namedTests struct{ tests, parts map[string]bool }

func readTests(t *testing.T, folder string) namedTests {
	t.Helper()
	n := namedTests{map[string]bool{}, map[string]bool{}}
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(folder, err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, n.visit)
	}
	corpus, _ := filepath.Glob(filepath.Join(folder, "testdata", "*.http"))
	for _, name := range corpus {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if entry, ok := strings.CutPrefix(line, "# "); ok {
				n.parts[strings.TrimSpace(entry)] = true
			}
		}
	}
	return n
}

func (n namedTests) visit(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.FuncDecl:
		n.tests[node.Name.Name] = node.Recv == nil && strings.HasPrefix(node.Name.Name, "Test")
	case *ast.BasicLit:
		if s, err := strconv.Unquote(node.Value); err == nil && node.Kind == token.STRING {
			n.parts[strings.TrimSuffix(s, "/")] = true
		}
	}
	return true
}

func TestBehavioursNamesTestsOfOurs(t *testing.T) {
	packages := map[string]namedTests{}
	for name, folder := range packageFolders {
		packages[name] = readTests(t, folder)
	}
	for _, row := range counterparts(t) {
		for _, fault := range row.faults(packages) {
			t.Error(fault)
		}
	}
	t.Run("and the check would notice if it did not", func(t *testing.T) {
		for _, here := range [][]string{nil, {"TestNobody"}, {"TestBehavesAsNetHTTP/" + strings.Repeat("x", 9)}, {"http1.TestBehavesAsNetHTTP"}, {"elsewhere.TestTalks"}} {
			if row := (counterpart{here: here}); len(row.faults(packages)) == 0 {
				t.Errorf("%q passed", here)
			}
		}
	})
}

// faults are what of a row is not there.
func (c *counterpart) faults(packages map[string]namedTests) (faults []string) {
	if len(c.here) == 0 && c.remark == "" {
		return []string{c.there + ": neither a test nor a reason"}
	}
	for _, name := range c.here {
		test, part, divided := strings.Cut(name, "/")
		in, inner, other := strings.Cut(test, ".")
		if !other {
			in, inner = "", test
		}
		switch p, known := packages[in]; {
		case !known:
			faults = append(faults, c.there+": no package "+in)
		case !p.tests[inner]:
			faults = append(faults, c.there+": there is no "+test)
		case divided && !p.parts[part]:
			faults = append(faults, c.there+": "+test+" has no part "+strconv.Quote(part))
		}
	}
	return faults
}

func TestBehavioursListsEveryTestOfNetHTTP(t *testing.T) {
	if !strings.HasPrefix(runtime.Version(), listedVersion) {
		t.Skipf("BEHAVIOURS.md lists the tests of %s, and this is %s", listedVersion, runtime.Version())
	}
	listed := map[string]map[string]bool{}
	for _, row := range counterparts(t) {
		if listed[row.file] == nil {
			listed[row.file] = map[string]bool{}
		}
		if listed[row.file][row.there] {
			t.Errorf("%s stands there twice", row.there)
		}
		listed[row.file][row.there] = true
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, tests := range listed {
		compareTests(t, filepath.Join(strings.TrimSpace(string(root)), "src", "net", "http", name), tests)
	}
}

// compareTests holds what is listed of a file against what is in it.
func compareTests(t *testing.T, path string, listed map[string]bool) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("this toolchain came without its tests: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") {
			continue
		}
		if !listed[fn.Name.Name] {
			t.Errorf("%s has %s, which is not listed", filepath.Base(path), fn.Name.Name)
		}
		delete(listed, fn.Name.Name)
	}
	for stale := range listed {
		t.Errorf("%s has no %s", filepath.Base(path), stale)
	}
}
