package http1

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A corpusEntry is one conversation of the corpus in testdata, whose README describes the
// format.
type corpusEntry struct {
	file, name, clause string
	steps              []corpusStep
	end                corpusEnd
}

// corpusStep is what the client sends before it waits for responses, and those.
type corpusStep struct {
	send      []byte
	halfClose bool // the client says behind it that it sends no more
	want      []corpusResponse
}

// corpusResponse is one expected response.
type corpusResponse struct {
	status   int
	head     bool    // to HEAD: content is what GET would bring
	optional bool    // a 100 that depends on when the content arrives
	content  string  // of a response by the handler
	refusal  *Reason // in place of content: the parser's
}

// corpusEnd is what becomes of the connection.
type corpusEnd string

const (
	corpusKept   corpusEnd = "kept"   // it takes another request
	corpusClosed corpusEnd = "closed" // the last response announced the end
	corpusEnded  corpusEnd = "ended"  // only because the client half-closed
)

var corpusEnds = []corpusEnd{corpusKept, corpusClosed, corpusEnded}

// message is all that the client sends.
func (e *corpusEntry) message() []byte {
	var b []byte
	for _, s := range e.steps {
		b = append(b, s.send...)
	}
	return b
}

// halfCloses tells whether the client half-closes at the end.
func (e *corpusEntry) halfCloses() bool { return e.steps[len(e.steps)-1].halfClose }

// responses are all that the client gets.
func (e *corpusEntry) responses() (all []corpusResponse) {
	for _, s := range e.steps {
		all = append(all, s.want...)
	}
	return all
}

// corpusLoad reads the whole corpus.
func corpusLoad(t testing.TB) (entries []corpusEntry) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		more, err := corpusParse(filepath.Base(file), string(text))
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, more...)
	}
	return entries
}

// corpusParse reads one file. It takes nothing that could be meant in two ways.
func corpusParse(file, text string) (entries []corpusEntry, err error) {
	var p *corpusParser
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == "" && p != nil:
			if err = p.finish(); err == nil {
				entries = append(entries, p.entry)
			}
			p = nil
		case line == "", p == nil && strings.HasPrefix(line, "; "):
		case p == nil:
			p = &corpusParser{entry: corpusEntry{file: file}}
			fallthrough
		default:
			err = p.line(line)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
	}
	if p != nil {
		return nil, fmt.Errorf("%s: the last line has no end", file)
	}
	return entries, nil
}

// corpusParser reads the lines of one entry.
type corpusParser struct{ entry corpusEntry }

func (p *corpusParser) line(line string) error {
	e := &p.entry
	if err := corpusVisible(line); err != nil {
		return err
	}
	mark, rest, _ := strings.Cut(line, " ")
	switch {
	case e.end != "":
		return errors.New("a line behind the end")
	case e.name == "":
		return corpusSet(&e.name, mark == "#", rest, "an entry begins with its name")
	case e.clause == "":
		return corpusSet(&e.clause, mark == "clause:" && strings.Contains(rest, "§"), rest, "the name is followed by its clause")
	case mark == "note:" && len(e.steps) == 0:
		return nil
	case line == ">|":
		return p.halfClose()
	case mark == ">":
		return p.send(rest)
	case mark == "<":
		return p.expect(rest)
	case mark == "=" && slices.Contains(corpusEnds, corpusEnd(rest)):
		e.end = corpusEnd(rest)
		return nil
	}
	return fmt.Errorf("line not understood: %s", line)
}

// corpusVisible refuses what an editor could lose or a reader not see.
func corpusVisible(line string) error {
	for _, c := range []byte(strings.ReplaceAll(line, "§", "")) {
		if c < ' ' || c > '~' {
			return fmt.Errorf("byte %#x is not visible", c)
		}
	}
	if strings.HasSuffix(line, " ") {
		return errors.New("white space at the end of a line")
	}
	return nil
}

func corpusSet(field *string, ok bool, value, otherwise string) error {
	if *field = value; !ok || value == "" {
		return errors.New(otherwise)
	}
	return nil
}

// step is the step that a client's line belongs to: the last one, until it was answered.
func (p *corpusParser) step() (*corpusStep, error) {
	e := &p.entry
	if n := len(e.steps); n == 0 || len(e.steps[n-1].want) > 0 {
		if n > 0 && e.steps[n-1].halfClose {
			return nil, errors.New("the client sends behind its half-close")
		}
		e.steps = append(e.steps, corpusStep{})
	}
	s := &e.steps[len(e.steps)-1]
	if s.halfClose {
		return nil, errors.New("the client sends behind its half-close")
	}
	return s, nil
}

func (p *corpusParser) halfClose() error {
	s, err := p.step()
	if err == nil {
		s.halfClose = true
	}
	return err
}

func (p *corpusParser) send(text string) error {
	s, err := p.step()
	if err != nil {
		return err
	}
	b, err := corpusUnescape(text)
	if err == nil && len(b) == 0 {
		err = errors.New("nothing is sent")
	}
	s.send = append(s.send, b...)
	return err
}

// expect reads "[HEAD ]STATUS[?][ TEXT]".
func (p *corpusParser) expect(text string) error {
	if len(p.entry.steps) == 0 {
		return errors.New("a response before a request")
	}
	s := &p.entry.steps[len(p.entry.steps)-1]
	var r corpusResponse
	text, r.head = strings.CutPrefix(text, "HEAD ")
	status, content, _ := strings.Cut(text, " ")
	status, r.optional = strings.CutSuffix(status, "?")
	var err error
	if r.status, err = strconv.Atoi(status); err != nil || len(status) != 3 || r.optional && r.status != 100 {
		return fmt.Errorf("%q is not a status", text)
	}
	for _, reason := range Reasons() {
		if reason.Code == content && reason.Status == r.status {
			r.refusal, content = reason, refusalText(reason)
		}
	}
	b := []byte(content)
	if r.refusal == nil {
		b, err = corpusUnescape(content)
	}
	r.content = string(b)
	s.want = append(s.want, r)
	return err
}

func (p *corpusParser) finish() error {
	e := &p.entry
	switch {
	case e.end == "":
		return errors.New("an entry without its end")
	case len(e.steps) == 0:
		return errors.New("an entry in which nothing is sent")
	case e.end == corpusEnded && !e.halfCloses(), e.end == corpusKept && e.halfCloses():
		return errors.New("ended goes with a half-close, kept does not")
	}
	return nil
}

// corpusUnescape makes bytes of what stands in a file.
func corpusUnescape(s string) ([]byte, error) {
	var out []byte
	for s != "" {
		before, after, found := strings.Cut(s, `\`)
		out = append(out, before...)
		if !found {
			break
		}
		b, rest, err := corpusEscape(after)
		if err != nil {
			return nil, err
		}
		out, s = append(out, b...), rest
	}
	return out, nil
}

// corpusEscape reads what stands behind a backslash.
func corpusEscape(s string) (b []byte, rest string, err error) {
	const simple, meant = `rnt\`, "\r\n\t\\"
	switch {
	case s == "":
	case s[0] == '{':
		return corpusRepeat(s[1:])
	case s[0] == 'x' && len(s) >= 3:
		n, err := strconv.ParseUint(s[1:3], 16, 8)
		return []byte{byte(n)}, s[3:], err
	case strings.IndexByte(simple, s[0]) >= 0:
		return []byte{meant[strings.IndexByte(simple, s[0])]}, s[1:], nil
	}
	return nil, "", fmt.Errorf("no such escape: %.10q", `\`+s)
}

// corpusRepeat reads "N TEXT}".
func corpusRepeat(s string) (b []byte, rest string, err error) {
	const mostBytes = 1 << 20
	run, rest, closed := strings.Cut(s, "}")
	count, text, _ := strings.Cut(run, " ")
	n, err := strconv.Atoi(count)
	if err != nil || !closed || n < 1 {
		return nil, "", fmt.Errorf("not a repetition: %.20q", `\{`+s)
	}
	b, err = corpusUnescape(text)
	if err != nil || len(b) == 0 || n*len(b) > mostBytes {
		return nil, "", fmt.Errorf("a repetition of nothing or too much: %.20q (%v)", `\{`+s, err)
	}
	return bytes.Repeat(b, n), rest, nil
}

const corpusExample = `; A comment.

# two steps
clause: RFC 9110 §10.1.1
note: said for people
> POST / HTTP/1.1\r\n
>  \x00\t\\\{3 ab}c
< 100?
< 100
> hello
>|
< HEAD 200 O\x4b
< 400 bad-host
= closed
`

func TestCorpusFormat(t *testing.T) {
	t.Run("an entry is read to the byte", func(t *testing.T) {
		entries, err := corpusParse("a.http", corpusExample+"\n")
		if err != nil || len(entries) != 1 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		e := entries[0]
		if want := "POST / HTTP/1.1\r\n \x00\t\\abababchello"; string(e.message()) != want {
			t.Errorf("message %q, want %q", e.message(), want)
		}
		if e.name != "two steps" || e.clause != "RFC 9110 §10.1.1" || e.end != corpusClosed || !e.halfCloses() || len(e.steps) != 2 {
			t.Errorf("got %+v", e)
		}
		got := e.responses()
		if len(got) != 4 || !got[0].optional || got[1].optional || got[2].content != "OK" || !got[2].head ||
			got[3].refusal == nil || got[3].refusal.Code != "bad-host" {
			t.Errorf("responses %+v", got)
		}
	})
	const head = "# a\nclause: RFC 9112 §3\n"
	for name, text := range map[string]string{
		"a name is required":                       "> GET\n< 200\n= kept\n\n",
		"a clause is required":                     "# a\n> GET\n< 200\n= kept\n\n",
		"a clause names its section":               "# a\nclause: RFC 9112\n> GET\n< 200\n= kept\n\n",
		"an end is required":                       head + "> GET\n< 200\n\n",
		"the end is one of four":                   head + "> GET\n< 200\n= open\n\n",
		"nothing follows the end":                  head + "> GET\n< 200\n= kept\n> GET\n\n",
		"something is sent":                        head + "= closed\n\n",
		"no response comes first":                  head + "< 200\n> GET\n= kept\n\n",
		"a status has three digits":                head + "> GET\n< 20\n= kept\n\n",
		"only a 100 is optional":                   head + "> GET\n< 200?\n= kept\n\n",
		"a TAB is written as an escape":            head + "> GET\t/\n< 200\n= kept\n\n",
		"a raw byte above 0x7E is not taken":       head + "> é\n< 200\n= kept\n\n",
		"no white space ends a line":               head + "> GET \n< 200\n= kept\n\n",
		"an unknown escape is not taken":           head + "> \\q\n< 200\n= kept\n\n",
		"a byte has two digits":                    head + "> \\x1\n< 200\n= kept\n\n",
		"a repetition is closed":                   head + "> \\{3 a\n< 200\n= kept\n\n",
		"a repetition has a count":                 head + "> \\{a}\n< 200\n= kept\n\n",
		"a repetition is bounded":                  head + "> \\{2000000 a}\n< 200\n= kept\n\n",
		"nothing is sent behind a half-close":      head + "> a\n>|\n> b\n< 200\n= ended\n\n",
		"nothing is sent after it was answered":    head + "> a\n>|\n< 200\n> b\n= ended\n\n",
		"a half-closed connection is not kept":     head + "> a\n>|\n< 200\n= kept\n\n",
		"ended goes with a half-close":             head + "> a\n< 200\n= ended\n\n",
		"the last line of a file has an end":       head + "> a\n< 200\n= kept",
		"a note stands in front of the exchange":   head + "> a\nnote: x\n< 200\n= kept\n\n",
		"a comment does not stand in an entry":     head + "> a\n; x\n< 200\n= kept\n\n",
		"an entry does not follow another at once": head + "> a\n< 200\n= kept\n" + head + "> a\n< 200\n= kept\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := corpusParse("a.http", text); err == nil {
				t.Errorf("taken: %q", text)
			}
		})
	}
}
