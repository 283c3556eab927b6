package observe

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// textHandler sets access lines in columns.
type textHandler struct {
	mu    *sync.Mutex // one Write at a time, shared by the handlers derived from it
	dst   io.Writer
	color bool
	attrs []slog.Attr // of WithAttrs, keys already prefixed
	group string      // the prefix that WithGroup gave, with its dot
}

// NewTextHandler returns a handler that writes access lines for a person: the time of
// day, status, duration and size in columns first, so that the eye can run down them,
// then client, method, target, authority and the rest. With color, the status has its
// class's. Attributes that are no part of an access line follow as key=value.
//
// Each record is one call of dst.Write, one at a time, and one line: a value with
// anything unprintable in it is quoted.
func NewTextHandler(dst io.Writer, color bool) slog.Handler {
	return &textHandler{mu: new(sync.Mutex), dst: dst, color: color}
}

func (h *textHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := *h
	derived.attrs = append([]slog.Attr(nil), h.attrs...)
	for _, a := range attrs {
		derived.attrs = append(derived.attrs, slog.Attr{Key: h.group + a.Key, Value: a.Value})
	}
	return &derived
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	derived := *h
	derived.group = h.group + name + "."
	return &derived
}

func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	line := columns{time: r.Time, color: h.color}
	for _, a := range h.attrs {
		line.take(a.Key, a.Value)
	}
	r.Attrs(func(a slog.Attr) bool {
		line.take(h.group+a.Key, a.Value)
		return true
	})
	b := line.append(make([]byte, 0, 256))
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.dst.Write(b)
	return err
}

// columns are the parts of a line in the order in which they are set.
type columns struct {
	time     time.Time
	color    bool
	status   int64
	bytes    int64
	duration float64 // milliseconds
	client   string
	method   string
	target   string
	rest     []string // what has no column
}

// take puts an attribute into its column.
func (c *columns) take(key string, v slog.Value) {
	v = v.Resolve()
	switch {
	case key == keyStatus && v.Kind() == slog.KindInt64:
		c.status = v.Int64()
	case key == keyBytes && v.Kind() == slog.KindInt64:
		c.bytes = v.Int64()
	case key == keyDuration && v.Kind() == slog.KindFloat64:
		c.duration = v.Float64()
	case key == keyClient:
		c.client = quoted(v.String())
	case key == keyMethod:
		c.method = quoted(v.String())
	case key == keyTarget:
		c.target = quoted(v.String())
	case key == keyAuthority, key == keyProto, key == keyGroup, key == keyID, key == keyEnding:
		c.rest = append(c.rest, quoted(v.String()))
	case key == keyTLS: // TLS1.3, one word
		c.rest = append(c.rest, quoted(strings.ReplaceAll(v.String(), " ", "")))
	default:
		c.rest = append(c.rest, quoted(key)+"="+quoted(v.String()))
	}
}

func (c *columns) append(b []byte) []byte {
	b = c.time.AppendFormat(b, "15:04:05.000")
	b = c.appendStatus(append(b, ' '))
	b = appendRight(b, duration(c.duration), 9)
	b = appendRight(b, size(c.bytes), 9)
	b = appendLeft(append(b, "  "...), c.client, 21)
	b = appendLeft(append(b, ' '), c.method, 4)
	b = append(append(b, ' '), c.target...)
	for _, s := range c.rest {
		b = append(append(b, ' '), s...)
	}
	return append(b, '\n')
}

// appendStatus writes three columns; a request without a response has dashes.
func (c *columns) appendStatus(b []byte) []byte {
	text := "---"
	if c.status != 0 {
		text = strconv.FormatInt(c.status, 10)
	}
	if !c.color {
		return append(b, text...)
	}
	paint := map[int64]string{2: "32", 3: "36", 4: "33", 5: "31"}[c.status/100]
	if paint == "" {
		paint = "35"
	}
	return append(b, "\x1b["+paint+"m"+text+"\x1b[0m"...)
}

// appendRight sets ASCII text at the right of a column.
func appendRight(b []byte, text string, width int) []byte {
	return append(append(b, spaces(width-len(text))...), text...)
}

// appendLeft sets text at the left of a column.
func appendLeft(b []byte, text string, width int) []byte {
	return append(append(b, text...), spaces(width-utf8.RuneCountInString(text))...)
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

// duration writes milliseconds with three or four digits.
func duration(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}

// size writes bytes in the largest unit that leaves a number of at least one.
func size(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < 4 {
		value, unit = value/1024, unit+1
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + "KMGTP"[unit:unit+1] + "iB"
}

// quoted is s where it is one printable word, else s in quotes, "-" for nothing.
func quoted(s string) string {
	if s == "" {
		return "-"
	}
	odd := func(r rune) bool { return r == ' ' || r == '"' || !unicode.IsPrint(r) }
	if !utf8.ValidString(s) || strings.ContainsFunc(s, odd) {
		return strconv.Quote(s)
	}
	return s
}
