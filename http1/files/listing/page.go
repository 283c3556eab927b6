package listing

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// pieceBytes is about how much of a page is made at a time: one of 1,000 entries is some 250 KB
// and need not be in memory at once for a client that reads slowly.
const pieceBytes = 16 << 10

// HTML writes the page. It sorts d's entries where they are and drops those of other pages.
// An error is w's own.
func (d *Directory) HTML(w io.Writer, v View, now time.Time) error {
	p := &page{w: w}
	all := len(d.Entries)
	d.Entries = v.page(d.Entries)
	p.add(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>`,
		text("/"+d.Name), `</title><style>`, style, `</style></head><body><main>`)
	d.crumbs(p)
	p.add(`<p>`, d.count(all), `</p><table aria-label="Entries of this directory"><thead><tr>`)
	for _, column := range []struct{ by, name, class string }{{ByName, "Name", ""}, {BySize, "Size", ` class="n"`}, {ByTime, "Modified", ` class="t"`}} {
		v.head(p, column.by, column.name, column.class)
	}
	p.add("</tr></thead><tbody>\n")
	if d.Name != "" {
		p.add(`<tr class="u"><th scope="row"><a href="../" rel="up">Parent directory</a></th><td class="n"></td><td class="t"></td></tr>`, "\n")
	}
	for i := range d.Entries {
		d.Entries[i].row(p, now)
	}
	p.add(`</tbody></table>`)
	v.turn(p, pages(all))
	p.add("</main></body></html>\n")
	p.flush()
	return p.err
}

// page collects what is written, and keeps the first error.
type page struct {
	w   io.Writer
	buf []byte
	err error
}

func (p *page) add(parts ...string) {
	for _, part := range parts {
		p.buf = append(p.buf, part...)
	}
	if len(p.buf) >= pieceBytes {
		p.flush()
	}
}

func (p *page) flush() {
	if p.err == nil {
		_, p.err = p.w.Write(p.buf)
	}
	p.buf = p.buf[:0]
}

// crumbs is the heading: the path, each part of it above the last a link. The links are
// relative, so that they are right below any prefix.
func (d *Directory) crumbs(p *page) {
	parts := strings.Split(d.Name, "/")
	if d.Name == "" {
		parts = nil
	}
	p.add(`<h1>`)
	if len(parts) == 0 {
		p.add(`<span aria-current="page">Index of /</span></h1>`)
		return
	}
	p.add(`<a href="`, strings.Repeat("../", len(parts)), `" aria-label="Top directory">/</a>`)
	for i, part := range parts {
		if above := len(parts) - 1 - i; above > 0 {
			p.add(` <a href="`, strings.Repeat("../", above), `"><bdi>`, text(part), `</bdi></a> /`)
		} else {
			p.add(` <bdi aria-current="page">`, text(part), `</bdi>`)
		}
	}
	p.add(`</h1>`)
}

// count says how many entries there are, and when those are not all.
func (d *Directory) count(n int) string {
	switch {
	case d.Unread:
		return fmt.Sprintf("More entries than are listed here: the first %d that the disk named.", n)
	case n == 0:
		return "This directory is empty."
	case n == 1:
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// head is a column's, whose link sorts by it, or turns the order around.
func (v View) head(p *page, by, name, class string) {
	to, state := View{By: by}, ""
	if v.By == by {
		to.Descending = !v.Descending
		state = ` aria-sort="ascending"`
		if v.Descending {
			state = ` aria-sort="descending"`
		}
	} else {
		to.Descending = by != ByName // the largest and the newest are what one looks for
	}
	href := strings.ReplaceAll(to.query(1), "&", "&amp;")
	p.add(`<th scope="col"`, class, state, `><a href="`, href, `">`, name, `</a></th>`)
}

func (e *Entry) row(p *page, now time.Time) {
	class, slash, bytes := "", "", ""
	if e.Directory {
		class, slash = ` class="d"`, "/"
	} else {
		bytes = `<span title="` + exactSize(e.Size) + `">` + size(e.Size) + `</span>`
	}
	p.add(`<tr`, class, `><th scope="row"><a href="`, link(e.Name, e.Directory), `"><bdi>`, text(e.Name), `</bdi>`, slash, `</a></th><td class="n">`, bytes, `</td>`)
	p.add(`<td class="t"><time datetime="`, machineTime(e.Modified), `" title="`, e.Modified.UTC().Format("2006-01-02 15:04:05 UTC"), `">`, age(e.Modified, now), "</time></td></tr>\n")
}

// turn is the way to the other pages, where there are some.
func (v View) turn(p *page, of int) {
	if of == 1 {
		return
	}
	to := func(page int, rel, name string) {
		href := strings.ReplaceAll(v.query(page), "&", "&amp;")
		p.add(`<a href="`, href, `" rel="`, rel, `">`, name, `</a>`)
	}
	p.add(`<nav class="turn" aria-label="Pages">`)
	if v.Page > 1 {
		to(v.Page-1, "prev", "Previous")
	}
	p.add(fmt.Sprintf("<span>Page %d of %d</span>", v.Page, of))
	if v.Page < of {
		to(v.Page+1, "next", "Next")
	}
	p.add(`</nav>`)
}
