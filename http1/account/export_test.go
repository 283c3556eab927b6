package account

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func exported(t *testing.T, m *Members) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.Export(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestExport(t *testing.T) {
	from := newMembers(t)
	for n := range 250 {
		mustAdd(t, from, fmt.Sprintf("Member%03d", n))
	}
	if err := from.SetQuota(t.Context(), "member007", &Quota{7, time.Hour}); err != nil {
		t.Fatal(err)
	}
	text := exported(t, from)
	t.Run("the first line says what it is, and each other is a member", func(t *testing.T) {
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) != 251 || lines[0] != `{"format":"holdfast-members","version":1}` || !strings.Contains(lines[1], `"name":"Member000"`) {
			t.Errorf("%d lines, the first %s and %.60s", len(lines), lines[0], lines[1])
		}
	})
	t.Run("another store has all of it afterwards", func(t *testing.T) {
		to := newMembers(t)
		n, err := to.Import(t.Context(), strings.NewReader(text), false)
		if err != nil || n != 250 {
			t.Fatalf("%d, %v", n, err)
		}
		if again := exported(t, to); again != text {
			t.Error("its export differs")
		}
		s, err := to.read(t.Context(), "member007")
		if err != nil || s.Quota == nil || s.Quota.N != 7 {
			t.Fatalf("%+v, %v", s, err)
		}
		if right, _, err := to.hasher.verify(t.Context(), s.Hash, goodPassword); !right || err != nil {
			t.Errorf("the password is right: %v, %v", right, err)
		}
	})
	t.Run("a name that is taken stops it before anything is changed", func(t *testing.T) {
		to := newMembers(t)
		mustAdd(t, to, "member249")
		n, err := to.Import(t.Context(), strings.NewReader(text), false)
		if !errors.Is(err, ErrTaken) || n != 0 || !strings.Contains(err.Error(), `"member249"`) {
			t.Errorf("%d, %v", n, err)
		}
		if list, _ := to.List(t.Context(), "", 10); len(list) != 1 {
			t.Errorf("%d members", len(list))
		}
	})
	t.Run("a hash of eight times the work is taken", func(t *testing.T) {
		if _, err := newMembers(t).Import(t.Context(), strings.NewReader(strings.ReplaceAll(text, "t=1", "t=8")), false); err != nil {
			t.Error(err)
		}
	})
	t.Run("replacing ends the sessions of whom it replaces", func(t *testing.T) {
		to := newMembers(t)
		mustAdd(t, to, "member249")
		if err := to.SetPassword(t.Context(), "member249", "another "+goodPassword); err != nil {
			t.Fatal(err)
		}
		before := epochOf(t, to, "member249")
		n, err := to.Import(t.Context(), strings.NewReader(text), true)
		if err != nil || n != 250 || epochOf(t, to, "member249") == before {
			t.Errorf("%d, %v, the epoch is another: %v", n, err, epochOf(t, to, "member249") != before)
		}
	})
}

func TestImportRefuses(t *testing.T) {
	const header = `{"format":"holdfast-members","version":1}` + "\n"
	member := func(name, hash string) string {
		return `{"name":"` + name + `","hash":"` + hash + `","created":"2026-01-02T03:04:05Z"}` + "\n"
	}
	for _, c := range []struct{ name, text, says string }{
		{"nothing", "", "empty"},
		{"another file", "name,password\n", "line 1"},
		{"another kind of export", `{"format":"something","version":1}` + "\n", "line 1"},
		{"a version to come", `{"format":"holdfast-members","version":2}` + "\n", "version 2"},
		{"a line that is no JSON", header + member("ann", example) + "ann\n", "line 3"},
		{"a field nobody knows", header + `{"name":"ann","hash":"` + example + `","admin":true}` + "\n", "line 2"},
		{"a name that is none", header + member("a b", example), "line 2"},
		{"no hash", header + member("ann", ""), "line 2"},
		{"a hash that would take all memory", header + member("ann", strings.Replace(example, "m=64", "m=4000000", 1)), "line 2"},
		{"a hash of nine times the work", header + member("ann", strings.Replace(example, "t=1", "t=9", 1)), "line 2"},
		{"a member twice", header + member("ann", example) + member("bob", example) + member("ANN", example), "line 4"},
		{"a line without an end", header + strings.Repeat("x", 9000), "line 2"},
		{"a quota that is none", header + `{"name":"ann","hash":"` + example + `","quota":{"n":-1,"window":5}}` + "\n", "line 2"},
		{"an address that is none", header + `{"name":"ann","hash":"` + example + `","email":"ann"}` + "\n", "line 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMembers(t)
			n, err := m.Import(t.Context(), strings.NewReader(c.text), true)
			if err == nil || n != 0 || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%d, %v", n, err)
			}
			if strings.Contains(err.Error(), "argon2id$") {
				t.Errorf("the error quotes a hash: %v", err)
			}
			if list, _ := m.List(t.Context(), "", 10); len(list) != 0 {
				t.Errorf("%d members are there", len(list))
			}
		})
	}
}
