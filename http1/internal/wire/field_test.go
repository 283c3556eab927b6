package wire

import (
	"fmt"
	"strings"
	"testing"
)

// fieldRows are field lines behind a Host; want is name=value of each.
var fieldRows = []row{
	{"§5", "a name, a colon, a value", "A: b", nil, "[A=b]"},
	{"§5", "no whitespace is needed", "A:b", nil, "[A=b]"},
	{"§5.1", "whitespace before a value is not part of it", "A: \t  b", nil, "[A=b]"},
	{"§5.1", "nor behind it", "A: b \t ", nil, "[A=b]"},
	{"§5.1", "within it is", "A: b \t c", nil, "[A=b \t c]"},
	{"RFC 9110 §5.5", "a value may be empty", "A:", nil, "[A=]"},
	{"RFC 9110 §5.5", "or be whitespace alone", "A: \t ", nil, "[A=]"},
	{"RFC 9110 §5.5", "and hold colons", "A: b:c", nil, "[A=b:c]"},
	{"RFC 9110 §5.5", "and begin with one", "A::b", nil, "[A=:b]"},
	{"RFC 9110 §5.5", "and quotation marks, unbalanced ones too", `A: "b`, nil, `[A="b]`},
	{"RFC 9110 §5.5", "and UTF-8", "A: D\u00fcsseldorf", nil, "[A=D\u00fcsseldorf]"},
	{"RFC 9110 §5.5", "and every byte above 0x7F", "A: \x80\xff", nil, "[A=\x80\xff]"},
	{"RFC 9110 §5.5", "a no-break space is no whitespace", "A: \xa0b\xa0", nil, "[A=\xa0b\xa0]"},
	{"RFC 9110 §5.1", "a name keeps its case", "aBc: d", nil, "[aBc=d]"},
	{"RFC 9110 §5.1", "a name may be any token", tchar + ": b", nil, "[" + tchar + "=b]"},
	{"RFC 9110 §5.3", "lines of one name stay apart and in order", "A: 1\r\nB: 2\r\na: 3", nil, "[A=1][B=2][a=3]"},
	{"§5", "a long value passes", "A: " + strings.Repeat("b", 8000), nil, "[A=" + strings.Repeat("b", 8000) + "]"},

	{"§5.1", "a space before the colon is refused", "A : b", SpaceBeforeColon, ""},
	{"§5.1", "a TAB before the colon is refused", "A\t: b", SpaceBeforeColon, ""},
	{"§5.1", "before Content-Length's above all", "Content-Length : 5", SpaceBeforeColon, ""},
	{"§5.1", "and Transfer-Encoding's", "Transfer-Encoding : chunked", SpaceBeforeColon, ""},
	{"§5.1", "a form feed before the colon is refused", "A\f: b", BadFieldName, ""},
	{"§5.1", "a no-break space before the colon is refused", "A\xa0: b", BadFieldName, ""},
	{"§5.2", "a folded line is refused", "A: b\r\n c", ObsFold, ""},
	{"§5.2", "by TAB too", "A: b\r\n\tc", ObsFold, ""},
	{"§5.2", "one that looks like a field", "A: b\r\n Content-Length: 5", ObsFold, ""},
	{"§5.2", "one of whitespace alone", "A: b\r\n ", ObsFold, ""},
	{"§5.2", "one behind an empty value", "A:\r\n b", ObsFold, ""},
	{"§5", "a line without colon is refused", "A", MissingColon, ""},
	{"§5", "with spaces too", "A b c", MissingColon, ""},
	{"§5", "a second request line", "GET /admin HTTP/1.1", MissingColon, ""},
	{"§5", "an equals sign is no colon", "A=b", MissingColon, ""},
	{"RFC 9110 §5.1", "an empty name is refused", ": b", BadFieldName, ""},
	{"RFC 9110 §5.1", "a colon alone", ":", BadFieldName, ""},
	{"RFC 9110 §5.1", "a space in the name", "A B: c", BadFieldName, ""},
	{"RFC 9110 §5.1", "brackets", "A[]: b", BadFieldName, ""},
	{"RFC 9110 §5.1", "parentheses", "A(): b", BadFieldName, ""},
	{"RFC 9110 §5.1", "an at", "A@: b", BadFieldName, ""},
	{"RFC 9110 §5.1", "a slash", "A/B: c", BadFieldName, ""},
	{"RFC 9110 §5.1", "a quotation mark", `"A": b`, BadFieldName, ""},
	{"RFC 9110 §5.1", "a backslash", `A\B: c`, BadFieldName, ""},
	{"RFC 9110 §5.1", "a comma", "A,B: c", BadFieldName, ""},
	{"RFC 9110 §5.1", "a semicolon", "A;B: c", BadFieldName, ""},
	{"RFC 9110 §5.1", "a NUL", "A\x00: b", BadFieldName, ""},
	{"RFC 9110 §5.1", "DEL", "A\x7f: b", BadFieldName, ""},
	{"RFC 9110 §5.1", "UTF-8", "\u00c4: b", BadFieldName, ""},
	{"RFC 9110 §5.1", "a byte order mark", "\ufeffA: b", BadFieldName, ""},
	{"RFC 9110 §5.1", "a control byte in front", "\x01A: b", BadFieldName, ""},
	{"RFC 9110 §5.5", "a NUL in a value is refused", "A: b\x00c", BadFieldValue, ""},
	{"RFC 9110 §5.5", "a NUL at its start", "A: \x00", BadFieldValue, ""},
	{"RFC 9110 §5.5", "a vertical tab", "A: \vb", BadFieldValue, ""},
	{"RFC 9110 §5.5", "a form feed", "A: b\f", BadFieldValue, ""},
	{"RFC 9110 §5.5", "a bell", "A: b\a", BadFieldValue, ""},
	{"RFC 9110 §5.5", "an escape", "A: \x1b[31m", BadFieldValue, ""},
	{"RFC 9110 §5.5", "DEL", "A: \x7f", BadFieldValue, ""},
	{"RFC 9110 §5.5", "a control byte in whitespace", "A: \x1f b", BadFieldValue, ""},
	{"§2.2", "a bare CR in a value is refused", "A: b\rc", BareCR, ""},
	{"§2.2", "a bare CR before the CRLF", "A: b\r", BareCR, ""},
	{"§2.2", "a bare CR in a name", "Content\rLength: 5", BareCR, ""},
	{"§2.2", "a bare LF between fields", "A: b\nTransfer-Encoding: chunked", BareLF, ""},
	{"§2.2", "a bare LF behind an empty value", "A:\nB: c", BareLF, ""},
	{"RFC 6585 §5", "a hundred fields pass with Host", strings.TrimSuffix(strings.Repeat("A:\r\n", 99), "\r\n"), nil, strings.Repeat("[A=]", 99)},
	{"RFC 6585 §5", "one more is refused", strings.TrimSuffix(strings.Repeat("A:\r\n", 100), "\r\n"), TooManyFields, ""},
	{"RFC 6585 §5", "a head of 16 KiB and more is refused", "A: " + strings.Repeat("b", 16<<10), HeadTooLarge, ""},
}

// firstFieldRows are all field lines of a head.
var firstFieldRows = []row{
	{"§2.2", "whitespace before the first field is refused", " Host: a", LeadingSpace, ""},
	{"§2.2", "by TAB too", "\tHost: a", LeadingSpace, ""},
	{"§2.2", "a line of it alone", " \r\nHost: a", LeadingSpace, ""},
}

func TestFields(t *testing.T) {
	checkHeads(t, fieldRows,
		func(in string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + in + "\r\n\r\n" },
		func(h *Head) string { return strings.TrimPrefix(fieldText(h.Fields), "[Host=a]") })
	checkHeads(t, firstFieldRows,
		func(in string) string { return "GET / HTTP/1.1\r\n" + in + "\r\n\r\n" }, text)
}

// optionRows are a version and field lines; want is which of KeepAlive, Expect100 and
// Upgrade hold.
var optionRows = []row{
	{"§9.3", "HTTP/1.1 goes on", "1.1", nil, "keep"},
	{"§9.3", "HTTP/1.0 does not", "1.0", nil, ""},
	{"§9.3", "HTTP/1.0 may ask to", "1.0\r\nConnection: keep-alive", nil, "keep"},
	{"§9.3", "in any case", "1.0\r\nConnection: Keep-Alive", nil, "keep"},
	{"§9.3", "HTTP/1.1 need not ask", "1.1\r\nConnection: keep-alive", nil, "keep"},
	{"§9.6", "close ends it", "1.1\r\nConnection: close", nil, ""},
	{"§9.6", "in any case", "1.1\r\nConnection: CLOSE", nil, ""},
	{"§9.6", "with whitespace", "1.1\r\nConnection: close\t", nil, ""},
	{"§9.6", "in a list", "1.1\r\nConnection: foo ,\tclose, bar", nil, ""},
	{"§9.6", "in a list with empty members", "1.1\r\nConnection: ,,close,", nil, ""},
	{"§9.6", "in a second line", "1.1\r\nConnection: foo\r\nConnection: close", nil, ""},
	{"§9.3", "against keep-alive", "1.1\r\nConnection: keep-alive, close", nil, ""},
	{"§9.3", "whichever comes first", "1.0\r\nConnection: close, keep-alive", nil, ""},
	{"§9.3", "in a line before it", "1.1\r\nConnection: close\r\nConnection: keep-alive", nil, ""},
	{"RFC 9110 §7.6.1", "a part of a word is no option", "1.1\r\nConnection: closed, xclose, clos", nil, "keep"},
	{"RFC 9110 §7.6.1", "nor is a quoted one", "1.1\r\nConnection: \"close\"", nil, "keep"},
	{"RFC 9110 §7.6.1", "nor two words", "1.1\r\nConnection: not close", nil, "keep"},
	{"RFC 9110 §7.6.1", "an empty list is none", "1.1\r\nConnection:", nil, "keep"},
	{"RFC 9110 §7.6.1", "the field's name has no case", "1.1\r\nCONNECTION: close", nil, ""},
	{"§C.2.2", "Proxy-Connection is nothing", "1.1\r\nProxy-Connection: close", nil, "keep"},

	{"RFC 9110 §7.8", "Upgrade is offered by field and option", "1.1\r\nConnection: upgrade\r\nUpgrade: websocket", nil, "keep up"},
	{"RFC 9110 §7.8", "the field alone is none", "1.1\r\nUpgrade: websocket", nil, "keep"},
	{"RFC 9110 §7.8", "the option alone is none", "1.1\r\nConnection: upgrade", nil, "keep"},
	{"RFC 9110 §7.8", "in a list", "1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket", nil, "keep up"},
	{"RFC 9110 §7.8", "HTTP/1.0's is ignored", "1.0\r\nConnection: upgrade\r\nUpgrade: websocket", nil, ""},
	{"RFC 9110 §7.8", "with close too", "1.1\r\nConnection: close, upgrade\r\nUpgrade: x", nil, "up"},

	{"RFC 9110 §10.1.1", "a 100 is waited for before content", "1.1\r\nContent-Length: 5\r\nExpect: 100-continue", nil, "keep 100"},
	{"RFC 9110 §10.1.1", "before chunks too", "1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue", nil, "keep 100"},
	{"RFC 9110 §10.1.1", "in any case", "1.1\r\nContent-Length: 5\r\nEXPECT: 100-Continue", nil, "keep 100"},
	{"RFC 9110 §10.1.1", "without content there is nothing to wait for", "1.1\r\nExpect: 100-continue", nil, "keep"},
	{"RFC 9110 §10.1.1", "nor with a length of 0", "1.1\r\nContent-Length: 0\r\nExpect: 100-continue", nil, "keep"},
	{"RFC 9110 §10.1.1", "HTTP/1.0's is ignored", "1.0\r\nContent-Length: 5\r\nExpect: 100-continue", nil, ""},
	{"RFC 9110 §10.1.1", "twice is once", "1.1\r\nContent-Length: 5\r\nExpect: 100-continue, 100-continue", nil, "keep 100"},
	{"RFC 9110 §5.6.1", "empty members do not count", "1.1\r\nContent-Length: 5\r\nExpect: ,100-continue,", nil, "keep 100"},
	{"RFC 9110 §5.6.1", "an empty list expects nothing", "1.1\r\nContent-Length: 5\r\nExpect:", nil, "keep"},
	{"RFC 9110 §10.1.1", "another expectation is refused", "1.1\r\nExpect: 200-ok", UnknownExpectation, ""},
	{"RFC 9110 §10.1.1", "beside ours too", "1.1\r\nExpect: 100-continue, x", UnknownExpectation, ""},
	{"RFC 9110 §10.1.1", "in another line too", "1.1\r\nExpect: 100-continue\r\nExpect: x", UnknownExpectation, ""},
	{"RFC 9110 §10.1.1", "with a parameter", "1.1\r\nExpect: 100-continue;a=b", UnknownExpectation, ""},
	{"RFC 9110 §10.1.1", "half a word", "1.1\r\nExpect: 100", UnknownExpectation, ""},
	{"RFC 9110 §10.1.1", "bad framing outranks it", "1.1\r\nContent-Length: x\r\nExpect: x", BadLength, ""},
	{"RFC 9110 §10.1.1", "and is refused instead of a 100", "1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue", LengthAndCoding, ""},
}

func TestOptions(t *testing.T) {
	checkHeads(t, optionRows,
		func(in string) string {
			version, fields, _ := strings.Cut(in, "\r\n")
			if fields != "" {
				fields += "\r\n"
			}
			return "POST / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n"
		},
		func(h *Head) string {
			var on []string
			for _, o := range []struct {
				set  bool
				name string
			}{{h.KeepAlive, "keep"}, {h.Expect100, "100"}, {h.Upgrade, "up"}} {
				if o.set {
					on = append(on, o.name)
				}
			}
			return strings.Join(on, " ")
		})
}

// TestSteering sees that note hears of every name it looks for, in any case.
func TestSteering(t *testing.T) {
	for _, name := range []string{"host", "expect", "upgrade", "connection", "content-length", "transfer-encoding"} {
		for _, as := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			t.Run(as+" steers", func(t *testing.T) {
				lim := DefaultLimits()
				var h Head
				var c, none control
				if r := h.parseFields([]byte(as+": close\r\n\r\n"), lim.Fields, &c); r != nil {
					t.Fatal(r)
				}
				if fmt.Sprint(c) == fmt.Sprint(none) {
					t.Error("the field was not noted")
				}
			})
		}
		for i := range name {
			other := name[:i] + string(name[i]^0x40) + name[i+1:]
			if !ValidFieldName(other) {
				continue
			}
			t.Run(other+" does not steer", func(t *testing.T) {
				var h Head
				var c, none control
				if r := h.parseFields([]byte(other+": close\r\n\r\n"), 1, &c); r != nil || fmt.Sprint(c) != fmt.Sprint(none) {
					t.Errorf("%v, %+v", r, c)
				}
			})
		}
	}
}
