package listing

import (
	"encoding/json"
	"io"
)

// JSON writes the same for a program, as one object. A name that is no UTF-8 has U+FFFD in it
// there; url, relative to the directory, has every byte. It sorts d's entries where they are and
// drops those of other pages. An error is w's own.
func (d *Directory) JSON(w io.Writer, v View) error {
	of := document{Path: "/" + d.Name, Total: len(d.Entries), Truncated: d.Unread, Pages: pages(len(d.Entries)), Entries: []entry{}}
	if d.Name != "" {
		of.Path += "/"
	}
	d.Entries = v.page(d.Entries)
	of.Page = v.Page
	if v.Page < of.Pages {
		of.Next = v.query(v.Page + 1)
	}
	for i := range d.Entries {
		of.Entries = append(of.Entries, d.Entries[i].object())
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // it is sent as JSON, with nosniff, and "&" stays readable
	return encoder.Encode(of)
}

type document struct {
	Path      string  `json:"path"`
	Total     int     `json:"total"`
	Truncated bool    `json:"truncated"` // there are more than total, which were not read
	Page      int     `json:"page"`
	Pages     int     `json:"pages"`
	Next      string  `json:"next,omitempty"` // a reference to the next page
	Entries   []entry `json:"entries"`
}

type entry struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // file or directory
	Size     *int64 `json:"size,omitempty"`
	Modified string `json:"modified"`
	URL      string `json:"url"`
}

func (e *Entry) object() entry {
	o := entry{Name: e.Name, Type: "directory", Modified: machineTime(e.Modified), URL: link(e.Name, e.Directory)}
	if !e.Directory {
		o.Type, o.Size = "file", &e.Size
	}
	return o
}
