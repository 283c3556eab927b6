package main

import (
	"bytes"
	"io"
	"log/slog"
	"testing"
)

func TestLogLevel(t *testing.T) {
	levels := []struct {
		name  string
		level slog.Level
		shown int // of one line at each level
	}{
		{"debug", slog.LevelDebug, 4}, {"info", slog.LevelInfo, 3}, {"warn", slog.LevelWarn, 2}, {"error", slog.LevelError, 1},
	}
	for _, c := range levels {
		t.Run(c.name+" is read and kept to in every form", func(t *testing.T) {
			s := configured(t, testEnvironment(t), "--log-level", c.name)
			if s.LogLevel != c.level {
				t.Errorf("read as %v", s.LogLevel)
			}
			for _, form := range []logForm{jsonForm, textForm, colorForm} {
				var out bytes.Buffer
				log := newLog(&out, form, s.LogLevel)
				for _, line := range levels {
					log.Log(t.Context(), line.level, "a line")
				}
				if got := len(lines(out.String())); got != c.shown {
					t.Errorf("form %d shows %d lines, want %d:\n%s", form, got, c.shown, &out)
				}
			}
		})
	}
	t.Run("without the flag it is info", func(t *testing.T) {
		if got := configured(t, testEnvironment(t)).LogLevel; got != slog.LevelInfo {
			t.Errorf("it is %v", got)
		}
	})
}

// What is refused shows at debug level, and how much of it, by code, when the server stops.
func TestRefusalsAreTold(t *testing.T) {
	ask := func(s *server, messages ...string) {
		for _, message := range messages {
			p := dialTCP(t, s.http, 0)
			_, _ = io.WriteString(p.conn, message)
			_, _ = io.ReadAll(p.r)
			_ = p.conn.Close()
		}
		p := dialTCP(t, s.https, 0)
		_, _ = io.WriteString(p.conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		_, _ = io.ReadAll(p.r)
		_ = p.conn.Close()
	}
	root := site(t, map[string]string{"index.html": "the quay"})
	flags := []string{"--http", "127.0.0.1:0"}
	t.Run("at debug level", func(t *testing.T) {
		s := launch(t, root, append(flags, "--log-level", "debug")...)
		ask(s, "GET / HTTP/1.1\r\n\r\n", "GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n")
		s.stop()
		codes := map[any]int{}
		for _, line := range s.log.records("request refused") {
			codes[line["code"]]++
			if line["level"] != "DEBUG" || line["status"] != 400.0 || line["section"] == "" || line["client"] == "" || line["request"] == "" {
				t.Errorf("the line is %v", line)
			}
		}
		want := map[string]int{"missing-host": 2, "bad-target-byte": 1, "plain-on-tls": 1}
		told := s.ledger("refusals")
		for code, n := range want {
			if codes[code] != n || told[code] != float64(n) {
				t.Errorf("%s: %d lines, %v told at the end, want %d", code, codes[code], told[code], n)
			}
		}
		if len(codes) != len(want) || len(told) != len(want) {
			t.Errorf("logged %v, told %v", codes, told)
		}
	})
	t.Run("at the usual level only as a sum, and none of nothing", func(t *testing.T) {
		s := launch(t, root, flags...)
		ask(s)
		s.stop()
		if lines := s.log.records("request refused"); len(lines) > 0 {
			t.Errorf("logged %v", lines)
		}
		if told := s.ledger("refusals"); told["plain-on-tls"] != 1.0 {
			t.Errorf("told %v", told)
		}
		quiet := launch(t, root)
		quiet.stop()
		if told, ok := quiet.await("stopped")["refusals"]; ok {
			t.Errorf("nothing was refused, and told is %v", told)
		}
	})
}
