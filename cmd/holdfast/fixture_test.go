package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testEnvironment is a quiet one: a home that exists, 20,000 descriptors, no more.
func testEnvironment(t *testing.T, pairs ...string) environment {
	t.Helper()
	env := environment{vars: map[string]string{"HOME": t.TempDir()}, descriptors: 20_000}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		env.vars[name] = value
	}
	return env
}

// writeFile puts text into a file of this name in a directory of its own.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// result is what a command left behind.
type result struct {
	exit     int
	out, err string
	settings *settings
}

// holdfast runs a command line as far as main would, short of serving.
func holdfast(t *testing.T, env environment, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	o := execute(args, env, streams{in: strings.NewReader(""), out: &out, err: &errs})
	return result{exit: o.exit, out: out.String(), err: errs.String(), settings: o.serve}
}

// configured is the settings of a command line that must be right.
func configured(t *testing.T, env environment, args ...string) *settings {
	t.Helper()
	r := holdfast(t, env, append([]string{"serve"}, args...)...)
	if r.settings == nil {
		t.Fatalf("holdfast serve %q: exit %d\n%s", args, r.exit, r.err)
	}
	return r.settings
}

// lines splits output into its lines.
func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}
