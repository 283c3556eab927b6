package listing

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func file(name string, size int64, age time.Duration) Entry {
	return Entry{Name: name, Size: size, Modified: now.Add(-age)}
}

func directory(name string, age time.Duration) Entry {
	return Entry{Name: name, Directory: true, Modified: now.Add(-age)}
}

// read is what a browser would make of a page: its elements, as far as the tests ask.
type read struct {
	elements map[string]int
	rows     []row
	texts    map[string]string // by element, the last one's
	sorted   string            // column and direction
}

type row struct{ href, name string } // an entry's link

// parse reads a page strictly enough to see an element that a name has smuggled in.
func parse(t testing.TB, page string) *read {
	t.Helper()
	r := &read{elements: make(map[string]int), texts: make(map[string]string)}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta"}, xml.HTMLEntity
	var href, sort string
	var open []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			return r
		} else if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			r.elements[token.Name.Local]++
			for _, a := range token.Attr {
				switch {
				case a.Name.Local == "href":
					href = a.Value
				case a.Name.Local == "aria-sort":
					sort = a.Value
				case strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style":
					t.Fatalf("an attribute %s", a.Name.Local)
				}
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) == 0 {
				continue
			}
			last := open[len(open)-1]
			r.texts[last] = string(token)
			if last == "bdi" && slices.Contains(open, "tbody") {
				r.rows = append(r.rows, row{href, string(token)})
			}
			if last == "a" && sort != "" {
				r.sorted, sort = string(token)+" "+sort, ""
			}
		}
	}
}

func render(t testing.TB, d Directory, query string) string {
	t.Helper()
	var b strings.Builder
	if err := d.HTML(&b, ParseView(query), now); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func names(r *read) (names []string) {
	for _, row := range r.rows {
		names = append(names, row.name)
	}
	return names
}

func TestOrder(t *testing.T) {
	all := func() []Entry {
		return []Entry{file("b", 300, 2*time.Hour), directory("z", time.Hour), file("A", 100, time.Hour), file("c", 200, 3*time.Hour), directory("y", 2*time.Hour)}
	}
	for _, c := range []struct{ query, want, sorted string }{
		{"", "[y z A b c]", "Name ascending"},
		{"sort=name&order=desc", "[z y c b A]", "Name descending"},
		{"sort=size", "[y z A c b]", "Size ascending"},
		{"sort=size&order=desc", "[y z b c A]", "Size descending"},
		{"sort=time", "[y z c b A]", "Modified ascending"},
		{"order=desc&sort=time", "[z y A b c]", "Modified descending"},
		{"sort=owner&order=up&page=x&&=", "[y z A b c]", "Name ascending"},
		{"page=99999999999999999999", "[y z A b c]", "Name ascending"},
		{"page=-1", "[y z A b c]", "Name ascending"},
	} {
		t.Run("directories first with "+c.query, func(t *testing.T) {
			r := parse(t, render(t, Directory{Entries: all()}, c.query))
			if got := fmt.Sprint(names(r)); got != c.want || r.sorted != c.sorted {
				t.Errorf("%s, sorted by %s; want %s, %s", got, r.sorted, c.want, c.sorted)
			}
		})
	}
}

func TestSortLinks(t *testing.T) {
	for _, c := range []struct{ clause, query, want string }{
		{"the column in force is turned around", "sort=name", `href="?sort=name&amp;order=desc"`},
		{"and back", "sort=size&order=desc", `href="?sort=size&amp;order=asc"`},
		{"another begins with the largest", "", `href="?sort=size&amp;order=desc"`},
		{"or with the newest", "", `href="?sort=time&amp;order=desc"`},
		{"and names with the first", "sort=time", `href="?sort=name&amp;order=asc"`},
	} {
		t.Run(c.clause, func(t *testing.T) {
			if page := render(t, Directory{}, c.query); !strings.Contains(page, c.want) {
				t.Errorf("no %s", c.want)
			}
		})
	}
}

func TestPages(t *testing.T) {
	many := func() (entries []Entry) {
		for i := range 2*PageEntries + 1 {
			entries = append(entries, file(fmt.Sprintf("%05d", i), int64(i), 0))
		}
		return entries
	}
	for _, c := range []struct {
		query, first string
		rows         int
		links        []string
	}{
		{"", "00000", PageEntries, []string{`rel="next"`}},
		{"page=2", "01000", PageEntries, []string{`rel="prev"`, `rel="next"`}},
		{"page=3&sort=name&order=desc", "00000", 1, []string{`href="?sort=name&amp;order=desc&amp;page=2" rel="prev"`}},
		{"page=40", "02000", 1, []string{`rel="prev"`}},
	} {
		t.Run("a long listing has pages, "+c.query, func(t *testing.T) {
			page := render(t, Directory{Entries: many()}, c.query)
			got := names(parse(t, page))
			if len(got) != c.rows || got[0] != c.first {
				t.Fatalf("%d rows from %s, want %d from %s", len(got), got[0], c.rows, c.first)
			}
			for _, link := range c.links {
				if !strings.Contains(page, link) {
					t.Errorf("no %s", link)
				}
			}
			if n := strings.Count(page, ` rel="`); n != len(c.links) {
				t.Errorf("%d links to other pages, want %d", n, len(c.links))
			}
		})
	}
	t.Run("what was not read is said", func(t *testing.T) {
		if page := render(t, Directory{Entries: many(), Unread: true}, ""); !strings.Contains(page, "the first 2001 that the disk named") {
			t.Error("it is not")
		}
	})
}

func TestWays(t *testing.T) {
	t.Run("the root has no way up", func(t *testing.T) {
		if page := render(t, Directory{}, ""); strings.Contains(page, "../") || !strings.Contains(page, "This directory is empty.") {
			t.Error(page)
		}
	})
	t.Run("another has one, and one to each directory above", func(t *testing.T) {
		page := render(t, Directory{Name: "a/<b>/c", Entries: []Entry{file("x", 1, 0)}}, "")
		for _, want := range []string{`<a href="../" rel="up">Parent directory</a>`, `<a href="../../../" aria-label="Top directory">/</a>`,
			`<a href="../../"><bdi>a</bdi></a>`, `<a href="../"><bdi>&lt;b&gt;</bdi></a>`, `<bdi aria-current="page">c</bdi>`, `<title>/a/&lt;b&gt;/c</title>`, "<p>1 entry</p>"} {
			if !strings.Contains(page, want) {
				t.Errorf("no %s", want)
			}
		}
	})
}

// hostile are names that a disk can hold and that somebody may have put there on purpose.
var hostile = []string{
	`"><script src=x>`, `' onmouseover='x`, "a&amp;b", "new\nline", "tab\there", "\x01\x7f", "\xff\xfe", "half \xc3",
	"javascript:alert(1)", `\\evil.example`, "?x=1", "#top", "100%", "%2e%2e", "a b+c", "é", "\u202egnp.exe", "\u2066x", "\u2028", "\u0085",
	"<table>", "]]>", "<!--", "..hidden", "~", ";=,@:", "\ufeff", "😀", "{{.}}",
}

func TestNames(t *testing.T) {
	for _, name := range hostile {
		t.Run(fmt.Sprintf("%q is shown and found", name), func(t *testing.T) { checkName(t, name) })
	}
	t.Run("what turns the direction of writing is not shown as such", func(t *testing.T) {
		if got := visible("\u202egnp.exe\n\xff"); got != "\ufffdgnp.exe\u240a\ufffd" {
			t.Errorf("%q", got)
		}
	})
}

// FuzzNames holds the page to its promise for any name a disk can hold.
func FuzzNames(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || len(name) > 255 {
			t.Skip()
		}
		checkName(t, name)
	})
}

// checkName lists a file and a directory of one name, below a directory of that name, and
// follows the links as a client does.
func checkName(t *testing.T, name string) {
	t.Helper()
	d := Directory{Name: name, Entries: []Entry{file(name, 1, 0), directory(name, 0)}}
	page := render(t, d, "")
	r := parse(t, page)
	plain := parse(t, render(t, Directory{Name: "n", Entries: []Entry{file("n", 1, 0), directory("n", 0)}}, ""))
	if fmt.Sprint(r.elements) != fmt.Sprint(plain.elements) {
		t.Fatalf("elements %v, a plain name's are %v", r.elements, plain.elements)
	}
	if len(r.rows) != 2 || !utf8.ValidString(page) {
		t.Fatalf("rows %q", r.rows)
	}
	base := &url.URL{Scheme: "https", Host: "a.test", Path: "/here/"}
	for i, slash := range []string{"/", ""} {
		to, err := base.Parse(r.rows[i].href)
		if err != nil || to.Host != "a.test" || to.Scheme != "https" || to.Path != "/here/"+name+slash || to.RawQuery != "" || to.Fragment != "" {
			t.Errorf("%q leads to %v, %v", r.rows[i].href, to, err)
		}
		if r.rows[i].name != visible(name) {
			t.Errorf("it is shown as %q, want %q", r.rows[i].name, visible(name))
		}
	}
	checkJSON(t, name)
}

func checkJSON(t *testing.T, name string) {
	t.Helper()
	var b strings.Builder
	d := Directory{Entries: []Entry{file(name, 1, 0)}}
	if err := d.JSON(&b, View{By: ByName, Page: 1}); err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil || len(got.Entries) != 1 {
		t.Fatalf("%v in %q", err, b.String())
	}
	raw, err := url.PathUnescape(strings.TrimPrefix(got.Entries[0].URL, "./"))
	if err != nil || raw != name {
		t.Errorf("url is %q, %v", got.Entries[0].URL, err)
	}
	if utf8.ValidString(name) && got.Entries[0].Name != name {
		t.Errorf("name is %q", got.Entries[0].Name)
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	d := Directory{Name: "a", Unread: true, Entries: []Entry{file("x", 7, 0), directory("d", 0)}}
	if err := d.JSON(&b, View{By: BySize, Page: 1}); err != nil {
		t.Fatal(err)
	}
	const want = `{"path":"/a/","total":2,"truncated":true,"page":1,"pages":1,"entries":[` +
		`{"name":"d","type":"directory","modified":"2026-03-10T12:00:00Z","url":"./d/"},` +
		`{"name":"x","type":"file","size":7,"modified":"2026-03-10T12:00:00Z","url":"./x"}]}` + "\n"
	if b.String() != want {
		t.Errorf("%s\nwant %s", b.String(), want)
	}
	t.Run("an empty directory has an empty list, and a page has the next one's address", func(t *testing.T) {
		var b strings.Builder
		if err := (&Directory{}).JSON(&b, ParseView("")); err != nil || !strings.Contains(b.String(), `"path":"/","total":0`) || !strings.Contains(b.String(), `"entries":[]`) {
			t.Errorf("%s, %v", b.String(), err)
		}
		b.Reset()
		if err := (&Directory{Entries: make([]Entry, PageEntries+1)}).JSON(&b, ParseView("sort=time")); err != nil || !strings.Contains(b.String(), `"next":"?sort=time&order=asc&page=2"`) {
			t.Errorf("%.200s, %v", b.String(), err)
		}
	})
}

// refusing takes so many writes and then none.
type refusing struct{ left int }

var errRefused = errors.New("nobody reads")

func (r *refusing) Write(p []byte) (int, error) {
	if r.left--; r.left < 0 {
		return 0, errRefused
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	for left := range 3 {
		w := &refusing{left}
		d := Directory{Entries: slices.Repeat([]Entry{file("name", 1, 0)}, 500)}
		if err := d.HTML(w, ParseView(""), now); err != errRefused {
			t.Errorf("after %d writes: %v", left, err)
		}
		if w.left < -1 {
			t.Errorf("it was written to %d times after the error", -1-w.left)
		}
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1432: "1.4 kB", 9949: "9.9 kB", 9951: "10 kB", 99_499: "99 kB",
		999_499: "999 kB", 999_501: "1.0 MB", 5_300_000_000: "5.3 GB", 1<<63 - 1: "9.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) is %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1,000 bytes", 1234567: "1,234,567 bytes"} {
		if got := exactSize(n); got != want {
			t.Errorf("exactSize(%d) is %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "just now", 61 * time.Second: "1 min ago", 5 * time.Hour: "5 h ago", 30 * time.Hour: "yesterday",
		3 * 24 * time.Hour: "3 days ago", 8 * 24 * time.Hour: "2 Mar 2026", -time.Hour: "10 Mar 2026"} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("age of %v is %q, want %q", d, got, want)
		}
	}
	for want, year := range map[string]int{"9999-12-31T23:59:59Z": 200_000, "0000-01-01T00:00:00Z": -5, "2026-01-01T00:00:00Z": 2026} {
		if got := machineTime(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)); got != want {
			t.Errorf("the year %d is %q, want %q", year, got, want)
		}
	}
}

// The policy lets in the style that the page has, byte for byte.
func TestPolicy(t *testing.T) {
	page := render(t, Directory{}, "")
	if !strings.Contains(page, "<style>"+style+"</style>") || strings.Contains(style, "</") || !strings.Contains(ContentSecurityPolicy, "'sha256-") {
		t.Error("the style is not what the policy names")
	}
	for _, want := range []string{"prefers-color-scheme:dark", "focus-visible", "max-width:36rem"} {
		if !strings.Contains(style, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "http:") || strings.Contains(page, "https:") {
		t.Error("the page loads something")
	}
}
