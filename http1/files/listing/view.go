package listing

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PageEntries is how many entries one page shows.
const PageEntries = 1000

// An Entry is what is known of one file or directory.
type Entry struct {
	Name      string // its bytes on the disk, without a slash
	Directory bool
	Size      int64 // in bytes; of a file
	Modified  time.Time
}

// A Directory is what is shown.
type Directory struct {
	// Name is its path below the root, decoded and slash-separated, "" for the root itself.
	Name    string
	Entries []Entry
	// Unread says that it has more than those: whoever read it stopped at a limit.
	Unread bool
}

// A View is what a client asks to see: in which order, and which page of it.
type View struct {
	By         string // ByName, BySize or ByTime
	Descending bool
	Page       int // from 1
}

// The orders that there are, as they stand in a query.
const (
	ByName = "name"
	BySize = "size"
	ByTime = "time"
)

// ParseView reads sort=name|size|time, order=asc|desc and page=N from a query. What it does
// not know it passes over: by name, ascending, the first page.
func ParseView(query string) View {
	v := View{By: ByName, Page: 1}
	for query != "" {
		var one string
		one, query, _ = strings.Cut(query, "&")
		switch name, value, _ := strings.Cut(one, "="); name {
		case "sort":
			if value == BySize || value == ByTime || value == ByName {
				v.By = value
			}
		case "order":
			v.Descending = value == "desc"
		case "page":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				v.Page = n
			}
		}
	}
	return v
}

// query asks for that page of the view, and is not empty: a link to it can be followed from
// any other.
func (v View) query(page int) string {
	order := "asc"
	if v.Descending {
		order = "desc"
	}
	q := "?sort=" + v.By + "&order=" + order
	if page > 1 {
		q += "&page=" + strconv.Itoa(page)
	}
	return q
}

// pages is how many pages n entries fill, at least one.
func pages(n int) int { return max(1, (n+PageEntries-1)/PageEntries) }

// page sorts the entries and returns those of the view's page, which is the last one where
// there are not so many. It keeps nothing of the others.
func (v *View) page(entries []Entry) []Entry {
	v.sort(entries)
	v.Page = min(v.Page, pages(len(entries)))
	from := (v.Page - 1) * PageEntries
	return slices.Clone(entries[from:min(from+PageEntries, len(entries))])
}

// sort puts directories first, by name among themselves unless the order is by time: they have
// no size. What is equal stands by name.
func (v View) sort(entries []Entry) {
	folded := make(map[string]string, len(entries))
	for _, e := range entries {
		folded[e.Name] = strings.ToLower(e.Name)
	}
	names := func(a, b Entry) int {
		return cmp.Or(cmp.Compare(folded[a.Name], folded[b.Name]), cmp.Compare(a.Name, b.Name))
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		if a.Directory != b.Directory {
			if a.Directory {
				return -1
			}
			return 1
		}
		var order int
		switch v.By {
		case BySize:
			if !a.Directory {
				order = cmp.Compare(a.Size, b.Size)
			}
		case ByTime:
			order = a.Modified.Compare(b.Modified)
		default:
			order = names(a, b)
		}
		if v.Descending {
			order = -order
		}
		return cmp.Or(order, names(a, b))
	})
}
