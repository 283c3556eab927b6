package files

import (
	"strings"
	"testing"
	"time"
)

const (
	strongTag = `"64-abc"`
	before    = "Sun, 06 Nov 1994 08:49:36 GMT"
	exactly   = "Sun, 06 Nov 1994 08:49:37 GMT"
	after     = "Sun, 06 Nov 1994 08:49:38 GMT"
)

var (
	known = validators{etag: strongTag, modified: time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC), settled: true}
	weak  = validators{etag: "W/" + strongTag, modified: known.modified, settled: true}
	young = validators{etag: strongTag, modified: known.modified}
	none  = validators{}
)

// ask makes a question of "Name: value" lines.
func ask(t *testing.T, method string, lines ...string) asked {
	t.Helper()
	a := asked{head: method == "HEAD"}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		f := field{value, true}
		switch name {
		case "If-Match":
			a.ifMatch = f
		case "If-Unmodified-Since":
			a.ifUnmodifiedSince = f
		case "If-None-Match":
			a.ifNoneMatch = f
		case "If-Modified-Since":
			a.ifModifiedSince = f
		case "If-Range":
			a.ifRange = f
		case "Range":
			a.ranges = f
		default:
			t.Fatalf("no field %q here", name)
		}
	}
	return a
}

// A conditionCase is a clause, what is known of a file of 100 bytes, and the status of a GET.
type conditionCase struct {
	clause string
	v      validators
	status int
	lines  []string
}

func (c *conditionCase) run(t *testing.T) {
	if got, _ := ask(t, "GET", c.lines...).answer(c.v, 100, today); got != c.status {
		t.Errorf("GET is %d, want %d", got, c.status)
	}
	want := c.status
	if want == 206 || want == 416 {
		want = 200 // ranges are for GET alone (RFC 9110 §14.2)
	}
	if got, _ := ask(t, "HEAD", c.lines...).answer(c.v, 100, today); got != want {
		t.Errorf("HEAD is %d, want %d", got, want)
	}
}

func TestPreconditions(t *testing.T) {
	for _, c := range []conditionCase{
		{"nothing asked", known, 200, nil},

		{"If-Match with the tag (RFC 9110 §13.1.1)", known, 200, []string{"If-Match: " + strongTag}},
		{"If-Match with a list", known, 200, []string{`If-Match: "x", ` + strongTag}},
		{"If-Match with another", known, 412, []string{`If-Match: "x"`}},
		{"If-Match with a star", known, 200, []string{"If-Match: *"}},
		{"If-Match with a star where there is no tag", none, 200, []string{"If-Match: *"}},
		{"If-Match compares strongly (RFC 9110 §8.8.3.2)", weak, 412, []string{"If-Match: W/" + strongTag}},
		{"If-Match with a weak spelling of a strong tag", known, 412, []string{"If-Match: W/" + strongTag}},
		{"If-Match that is empty", known, 412, []string{"If-Match: "}},
		{"If-Match without quotes", known, 412, []string{"If-Match: 64-abc"}},
		{"If-Match before If-Unmodified-Since (RFC 9110 §13.2.2)", known, 200, []string{"If-Match: " + strongTag, "If-Unmodified-Since: " + before}},
		{"If-Match before If-None-Match", known, 412, []string{`If-Match: "x"`, "If-None-Match: " + strongTag}},
		{"If-Match with If-None-Match, both true", known, 304, []string{"If-Match: " + strongTag, "If-None-Match: " + strongTag}},

		{"If-Unmodified-Since a later date (RFC 9110 §13.1.4)", known, 200, []string{"If-Unmodified-Since: " + after}},
		{"If-Unmodified-Since the same date", known, 200, []string{"If-Unmodified-Since: " + exactly}},
		{"If-Unmodified-Since an earlier date", known, 412, []string{"If-Unmodified-Since: " + before}},
		{"If-Unmodified-Since what is no date", known, 200, []string{"If-Unmodified-Since: yesterday"}},
		{"If-Unmodified-Since where there is no date", none, 200, []string{"If-Unmodified-Since: " + before}},

		{"If-None-Match with the tag (RFC 9110 §13.1.2)", known, 304, []string{"If-None-Match: " + strongTag}},
		{"If-None-Match with a list", known, 304, []string{`If-None-Match: "x" ,	, ` + strongTag + ","}},
		{"If-None-Match with another", known, 200, []string{`If-None-Match: "x"`}},
		{"If-None-Match with a star", known, 304, []string{"If-None-Match: *"}},
		{"If-None-Match with a star where there is no tag", none, 304, []string{"If-None-Match: *"}},
		{"If-None-Match with a tag where there is none", none, 200, []string{`If-None-Match: ""`}},
		{"If-None-Match compares weakly (RFC 9110 §8.8.3.2)", known, 304, []string{"If-None-Match: W/" + strongTag}},
		{"If-None-Match with the strong spelling of a weak tag", weak, 304, []string{"If-None-Match: " + strongTag}},
		{"If-None-Match with another case of weakness", known, 200, []string{"If-None-Match: w/" + strongTag}},
		{"If-None-Match that is empty", known, 200, []string{"If-None-Match: "}},
		{"If-None-Match malformed behind the tag", known, 200, []string{"If-None-Match: " + strongTag + ", x"}},
		{"If-None-Match with a star in a list", known, 200, []string{"If-None-Match: *, " + strongTag}},
		{"If-None-Match without commas", known, 200, []string{"If-None-Match: " + strongTag + strongTag}},
		{"If-None-Match with a comma in a tag", known, 200, []string{`If-None-Match: "a,` + strongTag[1:]}},
		{"If-None-Match before If-Modified-Since (RFC 9110 §13.2.2)", known, 200, []string{`If-None-Match: "x"`, "If-Modified-Since: " + after}},

		{"If-Modified-Since a later date (RFC 9110 §13.1.3)", known, 304, []string{"If-Modified-Since: " + after}},
		{"If-Modified-Since the same date", known, 304, []string{"If-Modified-Since: " + exactly}},
		{"If-Modified-Since the same date in another form", known, 304, []string{"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"}},
		{"If-Modified-Since an earlier date", known, 200, []string{"If-Modified-Since: " + before}},
		{"If-Modified-Since what is no date", known, 200, []string{"If-Modified-Since: 0"}},
		{"If-Modified-Since where there is no date", none, 200, []string{"If-Modified-Since: " + after}},
	} {
		t.Run(c.clause, c.run)
	}
}

func TestRangeConditions(t *testing.T) {
	const all = "Range: bytes=0-9"
	for _, c := range []conditionCase{
		{"Range alone (RFC 9110 §14.2)", known, 206, []string{all}},
		{"Range beyond the end", known, 416, []string{"Range: bytes=100-"}},
		{"Range malformed", known, 200, []string{"Range: bytes=x"}},
		{"Range after a failed condition (RFC 9110 §13.2.2)", known, 412, []string{all, `If-Match: "x"`}},
		{"Range after a 304", known, 304, []string{all, "If-None-Match: " + strongTag}},

		{"If-Range with the tag (RFC 9110 §13.1.5)", known, 206, []string{all, "If-Range: " + strongTag}},
		{"If-Range with another", known, 200, []string{all, `If-Range: "x"`}},
		{"If-Range with another, and a range beyond the end", known, 200, []string{"Range: bytes=100-", `If-Range: "x"`}},
		{"If-Range compares strongly", weak, 200, []string{all, "If-Range: W/" + strongTag}},
		{"If-Range with two tags", known, 200, []string{all, "If-Range: " + strongTag + ", " + strongTag}},
		{"If-Range with a star", known, 200, []string{all, "If-Range: *"}},
		{"If-Range with the date", known, 206, []string{all, "If-Range: " + exactly}},
		{"If-Range with the date in another form", known, 206, []string{all, "If-Range: Sun Nov  6 08:49:37 1994"}},
		{"If-Range with a later date is not the same", known, 200, []string{all, "If-Range: " + after}},
		{"If-Range with an earlier date", known, 200, []string{all, "If-Range: " + before}},
		{"If-Range with a date whose second is not over (RFC 9110 §8.8.2.2)", young, 200, []string{all, "If-Range: " + exactly}},
		{"If-Range with a date where there is none", none, 200, []string{all, "If-Range: " + exactly}},
		{"If-Range that is empty", known, 200, []string{all, "If-Range: "}},
		{"If-Range without Range (RFC 9110 §13.1.5)", known, 200, []string{"If-Range: " + strongTag}},
	} {
		t.Run(c.clause, c.run)
	}
}

func FuzzEntityTags(f *testing.F) {
	for _, s := range []string{"*", strongTag, "W/" + strongTag, `"a", "b"`, `"a,b"`, `"`, `W/`, `,,"a"`, `"\""`, "\"\x00\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		strong := listed(list, strongTag, strongly)
		if strong && !strings.Contains(list, strongTag) && strings.Trim(list, " \t") != "*" {
			t.Fatalf("%q holds a tag that is not in it", list)
		}
		if strong && !listed(list, strongTag, weakly) {
			t.Fatalf("%q holds the tag strongly and not weakly", list)
		}
		if strings.Trim(list, " \t,") == "" || strings.Trim(list, " \t") == "*" {
			return
		}
		wellFormed := listed(list+","+strongTag, strongTag, strongly)
		if strong && !wellFormed {
			t.Fatalf("%q holds the tag, and with one more does not", list)
		}
	})
}
