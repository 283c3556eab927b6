package http1

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestVerdicts: the page that embedders read has every reason once, in a row that names its
// status, and none that there is not.
func TestVerdicts(t *testing.T) {
	page, err := os.ReadFile("VERDICTS.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, ok := strings.Cut(string(page), "## Decided by handlers")
	if !ok {
		t.Fatal("the page has no part about handlers: this test reads the part before it")
	}
	code := regexp.MustCompile("`([a-z][a-z0-9.-]+)`")
	rows := map[string]string{}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) != 5 {
			continue
		}
		for _, m := range code.FindAllStringSubmatch(cells[3], -1) {
			if rows[m[1]] != "" {
				t.Errorf("%s stands twice", m[1])
			}
			rows[m[1]] = cells[2]
		}
	}
	for _, r := range Reasons() {
		switch verdict, ok := rows[r.Code]; {
		case !ok:
			t.Errorf("%s is not on the page", r.Code)
		case !strings.Contains(verdict, strconv.Itoa(r.Status)):
			t.Errorf("%s is %d, and the page says %q", r.Code, r.Status, verdict)
		}
		delete(rows, r.Code)
	}
	for code := range rows {
		t.Errorf("%s is on the page, and no reason", code)
	}
}
