package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/coding"
	"github.com/holdfast-server/holdfast/http1/files/listing"
	"github.com/holdfast-server/holdfast/http1/files/media"
)

const (
	// namesLimit is how many names of a directory are read for one listing. Each costs a
	// system call: 10,000 take about 20 ms.
	namesLimit = 10_000

	// listingsLimit is how many listings are read from the disk at a time. One that waits to be
	// sent holds one page's entries and is not counted.
	listingsLimit = 4
)

// A browser lists directories below a root.
type browser struct {
	root *os.Root
	turn chan struct{} // has room for those that may read
	now  func() time.Time

	encoders *coding.Encoders // nil for none
	reserved string           // a name in the root
}

// newBrowser is nil where listings were not asked for.
func newBrowser(root *os.Root, opts Options, now func() time.Time) *browser {
	if !opts.Browse {
		return nil
	}
	return &browser{root: root, turn: make(chan struct{}, listingsLimit), now: now, encoders: opts.Encoders, reserved: opts.Reserved}
}

// serve answers with the listing of a directory. An error means that there is none, and then
// nothing was set.
func (b *browser) serve(w *http1.Response, r *http1.Request, name string) error {
	if !b.begin(r) {
		return nil // nobody waits
	}
	entries, unread, err := b.read(name)
	<-b.turn
	if err != nil {
		return err
	}
	d := listing.Directory{Name: name, Entries: entries, Unread: unread}
	view := listing.ParseView(r.Query())
	w.Set("Vary", "Accept")
	w.Set("Cache-Control", "no-cache")
	w.Set("X-Content-Type-Options", "nosniff")
	if media.PrefersJSON(r.Field("Accept")) {
		w.Set("Content-Type", "application/json")
		b.send(w, r, func(to io.Writer) error { return d.JSON(to, view) })
		return nil
	}
	w.Set("Content-Type", "text/html; charset=utf-8")
	w.Set("Content-Security-Policy", listing.ContentSecurityPolicy)
	b.send(w, r, func(to io.Writer) error { return d.HTML(to, view, b.now()) })
	return nil
}

// send writes a listing, encoded for a client that likes that best while an encoder is free. An
// error of the page means that nobody reads.
func (b *browser) send(w *http1.Response, r *http1.Request, page func(io.Writer) error) {
	e := b.encoder(w, r)
	if e == nil {
		_ = page(w)
		return
	}
	defer e.Release()
	if page(e) == nil {
		_ = e.Close()
	}
}

// encoder writes to w what is written to it. It is nil where the listing goes out as it is.
func (b *browser) encoder(w *http1.Response, r *http1.Request) *coding.Encoder {
	if b.encoders == nil {
		return nil
	}
	w.Add("Vary", "Accept-Encoding")
	value, sent := r.Lookup("Accept-Encoding")
	best, ok := coding.Parse(value).Choose(live[:]...)
	if !sent || !ok || best == coding.Identity {
		return nil
	}
	e, free := b.encoders.Begin(best, w)
	if !free {
		return nil
	}
	w.Set("Content-Encoding", best.String())
	return e
}

// begin waits for a turn. Only who has to wait pays for a watch on the client.
func (b *browser) begin(r *http1.Request) bool {
	select {
	case b.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case b.turn <- struct{}{}:
		return true
	case <-r.Context().Done():
		return false
	}
}

// read is what a directory has that can be asked for, up to a limit. The directory is opened as
// a root of its own, so that what is looked up is in it, wherever its name leads by then.
func (b *browser) read(name string) (entries []listing.Entry, unread bool, err error) {
	directory := path.Join(".", name)
	below, err := b.root.OpenRoot(directory)
	if err != nil {
		return nil, false, err
	}
	defer below.Close()
	f, err := below.Open(".")
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	names, err := f.Readdirnames(namesLimit + 1)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	if unread = len(names) > namesLimit; unread {
		names = names[:namesLimit]
	}
	entries = make([]listing.Entry, 0, len(names))
	for _, one := range names {
		if e, ok := b.look(below, directory, one); ok {
			entries = append(entries, e)
		}
	}
	return entries, unread, nil
}

// look describes an entry, unless asking for it would be a 404: dotfiles, what is neither a file
// nor a directory, and links that lead nowhere or out of the root.
func (b *browser) look(below *os.Root, directory, name string) (e listing.Entry, ok bool) {
	if !admitted(name, false) || isReserved(path.Join(directory, name), b.reserved) {
		return e, false
	}
	info, err := below.Lstat(name)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		info, err = b.root.Stat(path.Join(directory, name)) // it may lead out of the directory, inside the root
	}
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return e, false
	}
	return listing.Entry{Name: name, Directory: info.IsDir(), Size: info.Size(), Modified: info.ModTime()}, true
}

// browse answers with a listing where one was asked for in place of an index that is not there.
func (h *Handler) browse(w *http1.Response, r *http1.Request, p location, err error) (served bool) {
	if h.browser == nil || !p.slash || !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	err = h.browser.serve(w, r, p.name)
	if err != nil && statusOf(err) != 404 {
		h.fail(w, r, p.name, err)
		return true
	}
	return err == nil
}
