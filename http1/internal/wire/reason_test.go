package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// byCaller are the Reasons that nothing in this package returns.
var byCaller = []*Reason{HeadTimeout, BodyTimeout, IncompleteBody, PlainOnTLS}

func TestReasons(t *testing.T) {
	all := Reasons()
	t.Run("are sorted by a code of their own", func(t *testing.T) {
		for i := 1; i < len(all); i++ {
			if all[i-1].Code >= all[i].Code {
				t.Errorf("%s comes before %s", all[i-1].Code, all[i].Code)
			}
		}
	})
	t.Run("are all there", func(t *testing.T) {
		if want := declaredInSource(t); len(all) != want || want < 40 {
			t.Errorf("%d listed, %d declared", len(all), want)
		}
	})
	t.Run("belong to the caller", func(t *testing.T) {
		Reasons()[0] = nil
		if slices.Contains(Reasons(), nil) {
			t.Error("a change to the slice showed in the next")
		}
	})
	code := regexp.MustCompile(`^[a-z0-9.]+(-[a-z0-9.]+)*$`)
	section := regexp.MustCompile(`^RFC \d{4} §\d+(\.\d+)*$`)
	for _, r := range all {
		t.Run(r.Code+" is a citation", func(t *testing.T) {
			if !code.MatchString(r.Code) || !section.MatchString(r.Section) {
				t.Errorf("code %q, section %q", r.Code, r.Section)
			}
			if r.Status < 400 || r.Status > 599 || StatusText(r.Status) == "" {
				t.Errorf("status %d", r.Status)
			}
			if !strings.HasSuffix(r.Why, ".") || strings.ToUpper(r.Why[:1]) != r.Why[:1] {
				t.Errorf("not a sentence: %q", r.Why)
			}
			if s := r.Error(); !strings.Contains(s, r.Code) || !strings.Contains(s, r.Section) {
				t.Errorf("the error does not cite: %q", s)
			}
		})
	}
}

// declaredInSource counts the calls of reason in the source.
func declaredInSource(t *testing.T) (n int) {
	f, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "reason" {
				n++
			}
		}
		return true
	})
	return n
}

func TestEveryReasonHasARow(t *testing.T) {
	seen := map[*Reason]bool{IncompleteHead: true} // see TestParseAlone
	for _, r := range byCaller {
		seen[r] = true
	}
	for _, rows := range tables() {
		for _, row := range rows {
			seen[row.refuse] = true
		}
	}
	for _, r := range Reasons() {
		if !seen[r] {
			t.Errorf("no row is refused as %s", r.Code)
		}
	}
}

// TestImports holds the package to being sans-IO.
func TestImports(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatal("no source: ", err)
	}
	allowed := []string{`"bytes"`, `"encoding/binary"`, `"math"`, `"math/bits"`, `"slices"`, `"strconv"`, `"strings"`}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			if !strings.HasSuffix(name, "_test.go") && !slices.Contains(allowed, imp.Path.Value) {
				t.Errorf("%s imports %s", name, imp.Path.Value)
			}
		}
	}
}
