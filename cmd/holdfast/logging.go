package main

import (
	"io"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/holdfast-server/holdfast/http1/observe"
)

// logForm is how log lines are written.
type logForm uint8

const (
	jsonForm logForm = iota // a JSON object a line: time, level, msg and more
	textForm
	colorForm // text with colours
)

// chooseForm turns --log into the form for one stream. auto decides for each stream by
// itself, so that stdout can go to a collector while stderr stays readable.
func chooseForm(mode string, w io.Writer, env environment) logForm {
	terminal := isTerminal(w)
	switch {
	case mode == "json", mode != "text" && !terminal:
		return jsonForm
	case terminal && env.get("NO_COLOR") == "" && env.get("TERM") != "dumb":
		return colorForm
	}
	return textForm
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// logLevels are the levels that --log-level names.
var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// newLog makes the log, from level up. Text values are escaped where they go to a terminal: an error
// can quote what a client or a file's name says.
func newLog(w io.Writer, form logForm, level slog.Level) *slog.Logger {
	if form == jsonForm {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{
		Level: level, TimeFormat: time.TimeOnly, NoColor: form == textForm, ReplaceAttr: escapeText,
	}))
}

// attributeLimitBytes bounds one value of a text log; a panic's stack fits.
const attributeLimitBytes = 16 << 10

func escapeText(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(observe.Escape(v, attributeLimitBytes))
	case error:
		a.Value = slog.StringValue(observe.Escape(v.Error(), attributeLimitBytes))
	}
	return a
}

// newAccessLog makes the log for observe.AccessLog.
func newAccessLog(w io.Writer, form logForm) *slog.Logger {
	if form == jsonForm {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(observe.NewTextHandler(w, form == colorForm))
}
