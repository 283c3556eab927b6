package files

import (
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/coding"
)

const (
	indexName = "index.html"

	allowed = "GET, HEAD, OPTIONS"

	// sendAttempts is how often a file that changes under our hands before its head has
	// gone is opened anew. Reading its beginning takes some 20 µs: a log that gets ten
	// thousand lines a second stands still for one of ten such looks.
	sendAttempts = 10

	// retryAfterSeconds is what a client is told to wait when descriptors ran out.
	retryAfterSeconds = "1"
)

// Options are what a [Handler] can be told beside its root. The zero value serves.
type Options struct {
	// Log gets a line for each link that leads out of the root, once for a path, and for
	// disk errors, one in ten seconds. Nil for none.
	Log *slog.Logger

	// Rules say how long files may be kept by browsers, and which are for saving. Of those
	// for a file, the first that speaks of a field decides it.
	Rules []Rule

	// ETag is what entity tags are made of.
	ETag ETag

	// Precompressed looks for a file's siblings with .br, .zst and .gz behind its name,
	// and sends one in its place to clients that accept the coding, unless it is older.
	Precompressed bool

	// Encoders compress on the fly what is text and has no such sibling, from 1 KiB on;
	// when all are busy, files are sent as they are. Nil for never. Handlers may share them.
	Encoders *coding.Encoders

	// Cache keeps files of up to 128 KiB in memory. Nil for none. Handlers may share one.
	Cache *Cache

	// Browse lists a directory that has no index.html, to everybody who can ask for it:
	// package listing. It shows no dotfiles, and nothing that would be a 404.
	Browse bool

	// SPA is a file below the root, slash-separated, that answers with status 200 and
	// Cache-Control: no-cache where a person navigates to what is no file: the page of a
	// single-page application. Empty for none.
	SPA string

	// Reserved is a name in the root, a file's or a directory's, that is neither served nor
	// listed, in whatever case: what it holds is for the server. Empty for none.
	Reserved string

	// PlainErrors leaves the root's error pages (404.html, 50x.html) unused.
	PlainErrors bool
}

// A Handler serves the files below a root. It keeps no descriptor open between
// requests and may serve any number of them at once.
type Handler struct {
	disk  opener
	notes *notes
	now   func() time.Time

	rules         []Rule
	etag          ETag
	sums          *sums
	precompressed bool
	encoders      *coding.Encoders

	browser     *browser // nil for no listings
	spa         string
	reserved    string
	plainErrors bool
}

// New is a handler for the files below root. It opens nothing by itself. The caller
// keeps the root and closes it once no request is in flight any more; requests that come
// later are answered with 500, or from the cache for a second.
func New(root *os.Root, opts Options) *Handler {
	h := newHandler(tree{root}, opts, time.Now)
	h.browser = newBrowser(root, opts, time.Now)
	return h
}

func newHandler(disk opener, opts Options, now func() time.Time) *Handler {
	h := &Handler{disk: disk, notes: newNotes(opts.Log, now), now: now, rules: opts.Rules, etag: opts.ETag,
		sums: newSums(), precompressed: opts.Precompressed, encoders: opts.Encoders,
		spa: opts.SPA, reserved: opts.Reserved, plainErrors: opts.PlainErrors}
	if opts.Cache != nil {
		h.disk = &keeper{opener: disk, cache: opts.Cache, now: now, prepare: h.prepare}
	}
	return h
}

// prepare works out what requests would else work out one by one for a file in memory.
func (h *Handler) prepare(name string, f *file, now time.Time) {
	f.about = h.about(name)
	if v, err := h.tags(nil, name, f, now); err == nil {
		f.tags = &v
	}
}

// Serve answers GET and HEAD with a file, OPTIONS (of "*" too) with the methods there are, POST,
// PUT, DELETE, PATCH and TRACE with 405, and all others, CONNECT among them, with 501
// (RFC 9110 §9.3, §15.5.6, §15.6.2).
func (h *Handler) Serve(w *http1.Response, r *http1.Request) {
	switch r.Method() {
	case "GET", "HEAD":
		h.get(w, r)
	case "OPTIONS":
		w.Set("Allow", allowed)
		w.SetStatus(204)
	case "POST", "PUT", "DELETE", "PATCH", "TRACE":
		w.Set("Allow", allowed)
		w.Text(405, "405 Method Not Allowed\n")
	default:
		w.Text(501, "501 Not Implemented\n")
	}
}

// get answers with the file that the path names.
func (h *Handler) get(w *http1.Response, r *http1.Request) {
	p, ok := parsePath(r.Path())
	switch {
	case !ok:
		if !h.fallbackOf(w, r) {
			h.sorry(w, r, 404)
		}
		return
	case isReserved(p.name, h.reserved):
		h.sorry(w, r, 404)
		return
	}
	var err error
	for range sendAttempts {
		err = h.attempt(w, r, p.file(), "")
		if !errors.Is(err, errChanged) || w.Committed() {
			break
		}
	}
	switch {
	case err == nil:
	case toDirectory(w, r, p, err):
	case errors.Is(err, errDirectory) && !p.slash:
		w.Set("Location", p.location(r.Query()))
		w.Text(301, "301 Moved Permanently\n")
	case h.browse(w, r, p, err), h.fallback(w, r, p, err):
	default:
		h.fail(w, r, p.file(), err)
	}
}

// attempt answers with one state of the file. An error before the response is committed
// leaves nothing set in it. cacheControl stands in place of what the rules say, unless empty.
func (h *Handler) attempt(w *http1.Response, r *http1.Request, name, cacheControl string) error {
	f, err := h.disk.open(name)
	if err != nil {
		return err
	}
	defer f.Close()

	now := h.now()
	rep, err := h.represent(w, r, name, f, now)
	if err != nil {
		return err
	}
	defer rep.close(f)
	if cacheControl != "" {
		rep.about = rep.about.cachedBy(cacheControl)
	}
	want := askedBy(r)
	want.varies = rep.vary
	if rep.live {
		want.ranges.sent = false
	}
	status, spans := want.answer(rep.tags, rep.file.size, now)
	switch status {
	case 304:
		rep.set(w)
		w.SetStatus(304)
		return nil
	case 412:
		w.Text(412, "412 Precondition Failed\n")
		return nil
	case 416:
		w.Set("Content-Range", unsatisfied(rep.file.size))
		w.Text(416, "416 Range Not Satisfiable\n")
		return nil
	}
	return send(w, r, newPage(status, spans, rep))
}

// fail answers for a file that could not be opened or read, and cuts a response whose
// head has gone.
func (h *Handler) fail(w *http1.Response, r *http1.Request, name string, err error) {
	status := statusOf(err)
	switch {
	case errors.Is(err, errOutside):
		h.notes.link(name)
	case errors.Is(err, errGone), errors.Is(err, errBusy): // the file is well
	case status >= 500:
		h.notes.trouble(name, err)
	}
	if w.Committed() {
		panic(http1.ErrAbort)
	}
	if status == 503 {
		w.Set("Retry-After", retryAfterSeconds)
	}
	h.sorry(w, r, status)
}
