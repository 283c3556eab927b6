package files

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// lookEvery is how long a directory's path is believed to lead where it did.
const lookEvery = time.Second

// A Directory serves the files below a path, wherever that leads: a link that is turned to the next
// release by a rename is followed, and a directory that was removed and made anew is found. The
// path is looked at by whoever asks more than a second after the last look, and no request is
// answered from two places: one that has begun ends below the root that it began with, which is
// closed then. While nothing is there, or nothing that may be read, the answer is 503, and it ends
// by itself; any other error of the look leaves what was served. A look that hangs holds one
// request and no other.
type Directory struct {
	path  string
	opts  Options
	notes *notes
	now   func() time.Time

	current atomic.Pointer[generation] // nil while the path leads nowhere
	looked  atomic.Int64               // in Unix nanoseconds; 0 for a look that is due
	looking sync.Mutex                 // held for a look, and by Close
	closed  bool                       // guarded by looking
}

// A generation is what one root serves.
type generation struct {
	root    *os.Root
	info    fs.FileInfo
	handler *Handler
	users   atomic.Int64 // requests, and one for being current; at 0 the root is closed
}

// Follow is a handler for what the path leads to that root was opened by. It takes over root. Its
// owner calls Close in the end.
func Follow(root *os.Root, opts Options) *Directory { return follow(root, opts, time.Now) }

func follow(root *os.Root, opts Options, now func() time.Time) *Directory {
	d := &Directory{path: root.Name(), opts: opts, notes: newNotes(opts.Log, now), now: now}
	if g, err := d.generation(root); err == nil { // else the first request looks
		d.current.Store(g)
		d.looked.Store(now().UnixNano())
	}
	return d
}

// generation makes a root servable. It closes the root where it fails.
func (d *Directory) generation(root *os.Root) (*generation, error) {
	info, err := root.Stat(".")
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	g := &generation{root: root, info: info, handler: New(root, d.opts)}
	g.users.Store(1)
	return g, nil
}

// Serve answers as a [Handler] of the root does that the path leads to.
func (d *Directory) Serve(w *http1.Response, r *http1.Request) {
	d.lookIfDue()
	g := d.enter()
	if g == nil {
		w.Set("Retry-After", retryAfterSeconds)
		plainly(w, r, 503)
		return
	}
	defer g.leave()
	g.handler.Serve(w, r)
}

// enter is the current root with its user counted, nil while there is none.
func (d *Directory) enter() *generation {
	for {
		g := d.current.Load()
		if g == nil {
			return nil
		}
		if n := g.users.Load(); n > 0 && g.users.CompareAndSwap(n, n+1) {
			return g
		}
	}
}

// leave closes the root behind its last user, and frees the memory that a cache spends on it.
func (g *generation) leave() {
	if g.users.Add(-1) > 0 {
		return
	}
	if k, ok := g.handler.disk.(*keeper); ok {
		k.cache.forgetAll(k)
	}
	_ = g.root.Close()
}

// Path is where the files are looked for.
func (d *Directory) Path() string { return d.path }

// Present tells whether there is something to serve, by a look that is at most a second old.
func (d *Directory) Present() bool {
	d.lookIfDue()
	return d.current.Load() != nil
}

// Expire has the next request look at the path.
func (d *Directory) Expire() { d.looked.Store(0) }

// Close ends the serving: what has begun may finish, and all else is 503.
func (d *Directory) Close() {
	d.looking.Lock()
	defer d.looking.Unlock()
	d.closed = true
	d.change(nil)
}

// lookIfDue looks at the path, unless somebody else does or has just done so.
func (d *Directory) lookIfDue() {
	now := d.now().UnixNano()
	if age := now - d.looked.Load(); 0 <= age && age < int64(lookEvery) || !d.looking.TryLock() {
		return
	}
	defer d.looking.Unlock()
	if !d.closed {
		d.looked.Store(now) // before the look: what it finds was there then or later
		d.look()
	}
}

// look finds out where the path leads. The caller holds d.looking. An old root is open still, so
// its inode's number cannot have become another's.
func (d *Directory) look() {
	g := d.current.Load()
	info, err := os.Stat(d.path)
	switch {
	case err != nil:
	case !info.IsDir():
		err = syscall.ENOTDIR
	case g != nil && os.SameFile(info, g.info):
		return
	default:
		err = d.open()
	}
	switch nowhere := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR); {
	case g != nil && nowhere:
		d.change(nil)
		d.notes.log.Error("nothing is served: the directory is gone; every request is 503 until it is back", "root", d.path, "error", err)
	case err != nil && !nowhere:
		d.notes.trouble(d.path, err)
	}
}

// open makes what the path leads to the current root.
func (d *Directory) open() error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	next, err := d.generation(root)
	if err == nil {
		d.change(next)
		d.notes.log.Info("the path leads to another directory, which is served now", "root", d.path)
	}
	return err
}

// change lets another root be the current one, nil for none.
func (d *Directory) change(next *generation) {
	if old := d.current.Swap(next); old != nil {
		old.leave()
	}
}
