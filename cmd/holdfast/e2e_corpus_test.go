package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A rawMessage is an entry of the corpus in http1/testdata, as far as its bytes go: what
// the client sends in all its steps. That corpus's own tests check the format.
type rawMessage struct {
	where   string // file: name
	bytes   string
	refused bool // the parser refuses it, or what stands behind it
}

// corpusRefusal is a response that is the parser's: a status and a reason's code.
var corpusRefusal = regexp.MustCompile(`^< [45]\d\d [a-z]+(-[a-z]+)+$`)

// hostileMessages are the refused messages of the corpus, and all of smuggling.http.
func hostileMessages(t testing.TB) (hostile []rawMessage) {
	t.Helper()
	files, err := filepath.Glob("../../http1/testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "\n\n") {
			m := readMessage(t, filepath.Base(file), block)
			if m.bytes != "" && (m.refused || filepath.Base(file) == "smuggling.http") {
				hostile = append(hostile, m)
			}
		}
	}
	return hostile
}

func readMessage(t testing.TB, file, block string) (m rawMessage) {
	t.Helper()
	for line := range strings.SplitSeq(block, "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "#":
			m.where = file + ": " + rest
		case ">":
			m.bytes += unescapeCorpus(t, rest)
		case "<":
			m.refused = m.refused || corpusRefusal.MatchString(line)
		}
	}
	return m
}

// corpusEscape is a repetition, a byte by its digits, or one of the short escapes.
var corpusEscape = regexp.MustCompile(`\\(\{(\d+) ((?:[^}\\]|\\.)*)\}|x[0-9A-Fa-f]{2}|[rnt\\])`)

func unescapeCorpus(t testing.TB, s string) string {
	t.Helper()
	return corpusEscape.ReplaceAllStringFunc(s, func(escape string) string {
		parts := corpusEscape.FindStringSubmatch(escape)
		if parts[2] != "" {
			n, err := strconv.Atoi(parts[2])
			if err != nil {
				t.Fatal(err)
			}
			return strings.Repeat(unescapeCorpus(t, parts[3]), n)
		}
		if b, err := strconv.ParseUint(escape[2:], 16, 8); escape[1] == 'x' && err == nil {
			return string([]byte{byte(b)})
		}
		return string("\r\n\t\\"[bytes.IndexByte([]byte(`rnt\`), escape[1])])
	})
}
