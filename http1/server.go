package http1

import (
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// Limits bound what one request may cost. A Server takes a zero field for its default, and
// a negative one for nothing at all.
type Limits = wire.Limits

// DefaultLimits are the limits of a Server that sets none.
func DefaultLimits() Limits { return wire.DefaultLimits() }

// A Server speaks HTTP/1.1 on the connections that a conn.Server accepts: it is a
// conn.Handler. Its fields are set before the first connection and not changed after.
type Server struct {
	Handler Handler
	// Limits of each request; a zero field means that of DefaultLimits.
	Limits Limits
	// Log gets what is wrong with us, such as a handler's panic, and at debug level each
	// refusal with its code. Nil discards.
	Log *slog.Logger
	// Observe is called once for each request that began, when it has ended, by the
	// goroutine that served it; it must not block. Nil for nobody.
	Observe func(*Record)
	// CancelOnFIN takes a client's FIN for its departure, and ends the request's context.
	// Some clients half-close and read on; most that send a FIN are gone.
	CancelOnFIN bool

	once   sync.Once
	limits Limits
	log    *slog.Logger
	books  books
	dates  dates
	poison bool // tests only: overwrite a request's memory once it is over

	refusals refusals
	keepings keepings
}

func (s *Server) setUp() {
	s.once.Do(func() {
		s.limits, s.log, s.refusals = s.Limits.OrElse(DefaultLimits()), s.Log, newRefusals()
		if s.log == nil {
			s.log = slog.New(slog.DiscardHandler)
		}
	})
}

// ServeConn serves requests on c until one of both sides wants no more, or until c goes to
// rest: the next call goes on with it.
func (s *Server) ServeConn(c *conn.Conn) error {
	s.setUp()
	v := new(visit)
	v.server, v.conn = s, c
	v.peer.Remote, v.peer.Local, v.peer.TLS, v.peer.Unnamed = c.Remote(), c.Local(), c.TLS(), c.Unnamed()
	v.watcher.visit, v.keep = v, s.keepings.of(c.IdleTimeout())
	c.TellBy(v.tell)
	defer func() {
		if v.pending { // a handler ended its goroutine, or we panicked
			v.close(v.ending(Aborted))
		}
	}()
	err := v.serve()
	v.Return()
	return err
}

// serve is the loop: a head, an exchange, and again.
func (v *visit) serve() error {
	for {
		n, reason, err := v.readHead()
		if err != nil {
			return v.brokeOff(err)
		}
		if reason == nil {
			reason = v.w.head.Parse(v.w.unread()[:n], &v.server.limits)
		}
		if reason != nil {
			return v.refuse(reason)
		}
		keep, err := v.exchange(n)
		if err != nil {
			return err
		}
		if !keep {
			return v.flush()
		}
	}
}

// readHead reads until a whole head stands at the start of what is unread, and returns
// its length; or why it is refused; or, with nothing to answer, what ended the wait.
func (v *visit) readHead() (n int, reason *Reason, err error) {
	if v.w == nil || len(v.w.unread()) == 0 {
		if err := v.park(); err != nil {
			return 0, nil, err
		}
	} else {
		v.from = v.conn.Traffic()
		v.conn.BeginHead()
	}
	v.open()
	w := v.w
	w.scan.Reset()
	w.head.Method, w.head.Target, w.head.Authority = nil, nil, nil
	w.exchange.SecretQuery = false
	for {
		n, reason = w.scan.Scan(w.unread(), &v.server.limits)
		if reason != nil || n > 0 {
			w.reserve(n)
			return n, reason, nil
		}
		if err := v.flush(); err != nil {
			return 0, nil, err
		}
		if err := v.fill(); err != nil {
			return v.headBroke(err)
		}
	}
}

// headBroke judges an error in the middle of a head: some deserve an answer.
func (v *visit) headBroke(err error) (int, *Reason, error) {
	switch {
	case onlyEmptyLines(v.w.unread()):
		return 0, nil, errNothingAsked // old clients send one behind their content
	case errors.Is(err, conn.ErrHeadTimeout):
		return 0, wire.HeadTimeout, nil
	case errors.Is(err, io.EOF):
		return 0, wire.IncompleteHead, nil
	}
	return 0, nil, err
}

// errNothingAsked ends a connection on which only empty lines came.
var errNothingAsked = errors.New("http1: nothing asked")

func onlyEmptyLines(b []byte) bool {
	for _, c := range b {
		if c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// park waits for the first bytes of a request, holding no buffer meanwhile.
func (v *visit) park() error {
	if err := v.flush(); err != nil {
		return err
	}
	if w := v.w; w != nil {
		w.next, w.filled = 0, 0
	}
	v.from = v.conn.Traffic()
	n, err := v.conn.Await(v)
	switch {
	case err == conn.ErrResting:
		return err
	case err != nil:
		return errParked{err}
	}
	v.w.filled = n
	return nil
}

// errParked is an error of a connection on which no request was pending.
type errParked struct{ error }

// brokeOff ends the connection for want of a head. It returns nil when nothing was lost.
func (v *visit) brokeOff(err error) error {
	var parked errParked
	switch {
	case errors.As(err, &parked):
		return nil
	case errors.Is(err, errNothingAsked):
		v.pending = false
		v.server.books.unbegin()
		v.tellEnd("nothing_asked")
		return nil
	case v.pending:
		if end := v.ending(Aborted); v.close(end) {
			v.observe(&Record{Err: err, Ending: end})
		}
	}
	return err
}

// exchange serves the request whose head, of n bytes, was parsed. keep tells whether
// another one may follow on the connection.
func (v *visit) exchange(n int) (keep bool, err error) {
	w := v.w
	w.consume(n)
	w.pinned = w.next
	x := &w.exchange
	v.describe(x)
	b := v.content()
	if b != nil {
		x.Body = b
	}
	w.sink = sink{visit: v, body: b}
	v.watcher.begin(b == nil)
	res := Answer(v.server.Handler, x)
	if s := w.sink.stream; s != nil {
		_ = s.Close()
	}
	left := v.watcher.end()
	v.account(&res)
	if err := v.failed(&res); err != nil || left != nil {
		return false, errors.Join(err, left)
	}
	keep = !res.Cut && !w.sink.closes && v.finishContent(b)
	v.poisoned()
	w.pinned = 0
	return keep, nil
}

// describe fills the exchange from the parsed head.
func (v *visit) describe(x *exchange.Exchange) {
	h := &v.w.head
	*x = exchange.Exchange{
		Head: exchange.Head{
			Method: h.Method, Target: h.Target, Path: h.Path, Query: h.Query, Authority: h.Authority,
			Fields: h.Fields, Length: h.ContentLength, Minor: h.Minor, Secure: v.peer.TLS != nil, Upgrade: h.Upgrade,
		},
		Body: exchange.NoBody, Sink: &v.w.sink, Peer: &v.peer, ID: v.id(),
	}
	if h.Framing == wire.Chunks {
		x.Head.Length = exchange.Unknown
	}
}

// failed logs what went wrong with an exchange, and returns the error that ends the
// connection when it was the connection that broke.
func (v *visit) failed(res *Result) error {
	if res.Err == nil || errors.Is(res.Err, ErrAbort) {
		return nil
	}
	if _, refused := errors.AsType[*Reason](res.Err); refused {
		return nil
	}
	log := v.server.log.With("request", formatID(v.id()), "method", string(v.w.head.Method), "path", string(v.w.head.Path))
	if p, ours := errors.AsType[*PanicError](res.Err); ours {
		log.Error("handler panicked", "panic", p.Value, "stack", string(p.Stack))
		return nil
	}
	if errors.Is(res.Err, ErrShortContent) || errors.Is(res.Err, ErrContentLength) || !v.w.sink.broken {
		log.Warn("response broken", "cut", res.Cut, "error", res.Err)
		return nil
	}
	return res.Err
}

// refuse answers a message that the parser turned down. Nothing after it is read as a
// request: where it ends is not known any more.
func (v *visit) refuse(r *Reason) error {
	w := v.w
	method := w.head.Method
	if method == nil {
		method = wire.MethodOf(w.unread())
	}
	text := refusalText(r)
	w.sink = sink{visit: v}
	a := exchange.Answer{Status: r.Status, Length: int64(len(text)), Bodied: string(method) != "HEAD", Close: true, Lines: refusalLines}
	_ = w.sink.Begin(&a)
	if a.Bodied {
		_, _ = w.sink.Write([]byte(text))
	}
	w.head.Method = method
	v.server.refused(r, v.id(), &v.peer)
	if v.close(Refused) {
		v.observe(&Record{Status: r.Status, Bytes: int64(len(text)), Reason: r, Ending: Refused})
	}
	return v.flush()
}

var refusalLines = []exchange.Line{
	{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
	{Name: "X-Content-Type-Options", Value: "nosniff"},
}
