package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/observe"
)

func TestChooseForm(t *testing.T) {
	var pipe bytes.Buffer
	file, err := os.Create(writeFile(t, "log", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for mode, want := range map[string]logForm{"auto": jsonForm, "text": textForm, "json": jsonForm} {
		if got := chooseForm(mode, &pipe, testEnvironment(t)); got != want {
			t.Errorf("%s to a pipe is %d, want %d", mode, got, want)
		}
		if got := chooseForm(mode, file, testEnvironment(t)); got != want {
			t.Errorf("%s to a file is %d, want %d", mode, got, want)
		}
	}
}

// A pseudo-terminal stands in for a person's; NO_COLOR and TERM=dumb take the colour away.
func TestChooseFormOnATerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this system has no pseudo-terminals")
	}
	defer terminal.Close()
	for _, c := range []struct {
		mode, variable string
		want           logForm
	}{
		{"auto", "A=", colorForm}, {"text", "A=", colorForm}, {"json", "A=", jsonForm}, {"auto", "NO_COLOR=1", textForm},
		{"auto", "NO_COLOR=", colorForm}, {"auto", "TERM=dumb", textForm}, {"auto", "TERM=xterm", colorForm},
	} {
		if got := chooseForm(c.mode, terminal, testEnvironment(t, c.variable)); got != c.want {
			t.Errorf("%s with %s is %d, want %d", c.mode, c.variable, got, c.want)
		}
	}
}

func TestLog(t *testing.T) {
	t.Run("JSON lines have the stable keys", func(t *testing.T) {
		var out bytes.Buffer
		newLog(&out, jsonForm, slog.LevelInfo).Warn("hello", "key", "v\n")
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(lines(out.String())) != 1 {
			t.Fatalf("%q: %v", out.String(), err)
		}
		if got["time"] == nil || got["level"] != "WARN" || got["msg"] != "hello" || got["key"] != "v\n" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("text without colour has no escape", func(t *testing.T) {
		var out bytes.Buffer
		newLog(&out, textForm, slog.LevelInfo).Error("hello", "key", "value")
		if got := out.String(); !strings.Contains(got, "hello") || !strings.Contains(got, "key=value") || strings.Contains(got, "\x1b") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("text with colour has some", func(t *testing.T) {
		var out bytes.Buffer
		newLog(&out, colorForm, slog.LevelInfo).Error("hello")
		if !strings.Contains(out.String(), "\x1b[") {
			t.Errorf("got %q", out.String())
		}
	})
	t.Run("values obey no terminal", func(t *testing.T) {
		var out bytes.Buffer
		log := newLog(&out, colorForm, slog.LevelInfo)
		log.Info("a", "key", "x\x1b[2Jy\nz")
		log.Info("b", "key", errors.New("x\x1b[2Jy\u009bz\xff"))
		if got := out.String(); strings.Contains(got, "\x1b[2J") || len(lines(got)) != 2 || strings.Contains(got, "\u009b") {
			t.Errorf("got %q", got)
		}
	})
}

func FuzzTextLogIsOneLine(f *testing.F) {
	f.Add("a\nb", "x\x1b]0;t\x07")
	f.Add("\xff", "\u2028")
	f.Fuzz(func(t *testing.T, text, failure string) {
		var out bytes.Buffer
		newLog(&out, textForm, slog.LevelInfo).Info("message", "text", text, "error", errors.New(failure))
		line, ok := strings.CutSuffix(out.String(), "\n")
		if !ok {
			t.Fatalf("no line: %q", out.String())
		}
		for _, r := range line {
			if !unicode.IsPrint(r) {
				t.Fatalf("%U in %q", r, line)
			}
		}
	})
}

func TestAccessLogForms(t *testing.T) {
	for form, want := range map[logForm]string{jsonForm: `{"time":`, textForm: " 200 ", colorForm: "\x1b[32m200\x1b[0m"} {
		var out bytes.Buffer
		observe.AccessLog(newAccessLog(&out, form))(&http1.Record{Start: time.Now(), Method: "GET", Target: "/", Status: 200})
		if got := out.String(); !strings.Contains(got, want) || len(lines(got)) != 1 {
			t.Errorf("form %d: %q", form, got)
		}
	}
}
