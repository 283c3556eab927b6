package account

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"time"
)

//go:embed pages
var embedded embed.FS

// pageNames are the pages, each of which a site may replace. layout.html has what they share,
// the templates "head" and "foot".
var pageNames = []string{"sign-in.html", "sign-up.html", "password.html", "account.html", "sign-out.html", "message.html"}

// pageMostBytes bounds a page or a stylesheet of the site's own.
const pageMostBytes = 1 << 20

// A Page is what a template gets, html/template's dot. A field that has nothing to say on a
// page is empty.
type Page struct {
	Title  string
	Site   string // its name, from the configuration
	Prefix string // of the pages: "/-/"
	Style  string // the stylesheet's address
	SignUp string // "open", "invite" or "closed"
	Member string // who is signed in, as the member wrote it
	Text   string // of message.html: a sentence or two

	Problem *Invalid // what is wrong with what was posted
	Notice  string   // what was done

	// What was typed before, but for passwords, and where to go on.
	Name, Email, Invite, Next string

	Sessions []SessionLine // of account.html
	Quota    *QuotaLine    // likewise; nil for none
}

// At tells whether the problem is with the field of that name.
func (p *Page) At(field string) bool { return p.Problem != nil && p.Problem.Field == field }

// A SessionLine is a session on the member's page.
type SessionLine struct {
	ID           string `json:"id"` // what to post to end it
	Device       string `json:"device"`
	Current      bool   `json:"current"`
	Began        string `json:"-"`
	BeganMachine string `json:"began"` // RFC 3339
	Seen         string `json:"-"`
	SeenMachine  string `json:"last_seen"`
}

// A QuotaLine is how much of the quota is used.
type QuotaLine struct {
	Limit         int64  `json:"limit"`
	Used          int64  `json:"used"`
	Left          int64  `json:"left"`
	WindowSeconds int64  `json:"window_seconds"`
	ResetsSeconds int64  `json:"resets_seconds"`
	Resets        string `json:"-"` // "in 5 minutes"
}

// look is a set of templates with its stylesheet.
type look struct {
	pages     map[string]*template.Template
	style     []byte
	styleName string // with a hash of the content: it is another when the content is
}

// newLook parses the pages, each from own where it is there. Each is tried with an example, so
// that a field that does not exist is told now and not to a member.
func newLook(own fs.FS) (*look, error) {
	layout, err := pageSource(own, "layout.html")
	if err != nil {
		return nil, err
	}
	l := &look{pages: make(map[string]*template.Template)}
	var errs []error
	for _, name := range pageNames {
		t, err := newPage(own, name, layout)
		if err != nil {
			errs = append(errs, err)
		}
		l.pages[name] = t
	}
	if l.style, err = pageSource(own, "style.css"); err != nil {
		errs = append(errs, err)
	}
	sum := sha256.Sum256(l.style)
	l.styleName = "style." + hex.EncodeToString(sum[:8]) + ".css"
	return l, errors.Join(errs...)
}

func newPage(own fs.FS, name string, layout []byte) (*template.Template, error) {
	source, err := pageSource(own, name)
	if err != nil {
		return nil, err
	}
	t, err := template.New("layout.html").Parse(string(layout))
	if err == nil {
		t, err = t.New(name).Parse(string(source))
	}
	for _, example := range examplePages() {
		if err == nil {
			err = t.Execute(io.Discard, example)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("account: the page %s cannot be shown: %w", name, err)
	}
	return t, nil
}

// pageSource is a file of the site's own or, without one, ours.
func pageSource(own fs.FS, name string) ([]byte, error) {
	if own != nil {
		b, err := readBounded(own, name)
		if !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				err = fmt.Errorf("account: the page %s cannot be read: %w", name, err)
			}
			return b, err
		}
	}
	return fs.ReadFile(embedded, "pages/"+name)
}

// readBounded reads a regular file. A FIFO in its place would hold us up.
func readBounded(own fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(own, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := own.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, pageMostBytes+1))
	if err == nil && len(b) > pageMostBytes {
		err = fmt.Errorf("it has more than %d bytes", pageMostBytes)
	}
	return b, err
}

// examplePages have every field once full and once empty.
func examplePages() []*Page {
	return []*Page{
		{Title: "Example", Prefix: "/-/", Style: "/-/style.css", SignUp: "closed"},
		{Title: "Example", Site: "Example", Prefix: "/-/", Style: "/-/style.css", SignUp: "invite", Member: "Ann", Text: "A text.",
			Problem: &Invalid{"name", "A problem."}, Notice: "Done.", Name: "ann", Email: "ann@example.org", Invite: "abc", Next: "/members/",
			Sessions: []SessionLine{{ID: "1", Device: "Firefox on Linux", Current: true}, {ID: "2", Device: "Safari on iPhone"}},
			Quota:    &QuotaLine{Limit: 10, Used: 1, Left: 9, WindowSeconds: 60, ResetsSeconds: 5, Resets: "in 5 seconds"}},
	}
}

// render is a page as bytes: whole or not at all.
func (l *look) render(name string, p *Page) ([]byte, error) {
	p.Style = p.Prefix + l.styleName
	var b bytes.Buffer
	err := l.pages[name].Execute(&b, p)
	return b.Bytes(), err
}

// humanTime is a time for people, who may be anywhere.
func humanTime(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
