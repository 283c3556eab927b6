package nethttp_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// imports are those of the README's snippet that has none.
const imports = `package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/oklog/run"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

`

// snippets are the README's programs in their order.
func snippets(t *testing.T) (programs []string) {
	t.Helper()
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		programs = append(programs, m[1])
	}
	return programs
}

// build compiles a program, which gets a free port in place of its own.
func build(t *testing.T, source string) (binary string) {
	t.Helper()
	folder := t.TempDir()
	source = strings.ReplaceAll(source, "127.0.0.1:8080", "127.0.0.1:0")
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(folder, "program")
	if out, err := exec.Command("go", "build", "-o", binary, filepath.Join(folder, "main.go")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

func TestProgramsOfTheREADME(t *testing.T) {
	programs := snippets(t)
	if len(programs) != 3 {
		t.Fatalf("%d programs, want the library's, and one before and after", len(programs))
	}
	t.Run("the library in 20 lines compiles", func(t *testing.T) { build(t, imports+programs[0]) })
	t.Run("the program with http.Server compiles", func(t *testing.T) { build(t, programs[1]) })
	t.Run("they have the same handler", func(t *testing.T) {
		handler := regexp.MustCompile(`(?s)\tmux := .*?\n\t}\)\n`)
		if before, after := handler.FindString(programs[1]), handler.FindString(programs[2]); before != after || before == "" {
			t.Errorf("%s\n%s", before, after)
		}
	})
	t.Run("the program in its place serves, and ends by a signal", func(t *testing.T) {
		program := exec.Command(build(t, programs[2]))
		log, err := program.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = program.Process.Kill() }) // nothing, once Wait has returned
		line, err := bufio.NewReader(log).ReadString('\n')
		_, address, found := strings.Cut(strings.TrimSpace(line), "serving on ")
		if err != nil || !found {
			t.Fatalf("%q, %v", line, err)
		}
		res, err := (&http.Client{Timeout: patience}).Get("http://" + address + "/hello/world")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if content, err := io.ReadAll(res.Body); string(content) != "Hello, world\n" || err != nil {
			t.Errorf("%q, %v", content, err)
		}
		if err := program.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := program.Wait(); err != nil {
			t.Error(err)
		}
	})
}
