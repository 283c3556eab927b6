package nethttp

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/holdfast-server/holdfast/http1"
)

// Options are what a program may have set on its http.Server that a handler can see. The
// zero value is that of an http.Server.
type Options struct {
	// BaseContext gives its values to the context of every request. Its end is not a
	// request's: that is the drain's to bring. Nil for none.
	BaseContext context.Context
	// Server is found in the request's context under http.ServerContextKey. It serves
	// nothing; but that one is there tells handlers, httputil.ReverseProxy among them,
	// that a panic with http.ErrAbortHandler is caught and cuts the response. Nil for one
	// with the handler and nothing else set.
	Server *http.Server
	// Log gets what is wrong with the handler's use of its writer; nil means slog.Default.
	Log *slog.Logger
}

// Handler runs h on http1, with no options. A handler that wants the request's context to
// end when the client sends a FIN, as net/http has it, wants http1.Server.CancelOnFIN.
func Handler(h http.Handler) http1.Handler { return Options{}.Handler(h) }

// Handler runs h on http1. The http.Request and the http.ResponseWriter that h gets are
// its own; used after it returned, both give errors and touch no other exchange.
func (o Options) Handler(h http.Handler) http1.Handler {
	if o.Server == nil {
		o.Server = &http.Server{Handler: h}
	}
	if o.BaseContext == nil {
		o.BaseContext = context.Background()
	}
	return &adaptor{Options: o, handler: h}
}

type adaptor struct {
	Options
	handler http.Handler
}

// Serve shows the exchange to the handler.
func (a *adaptor) Serve(res *http1.Response, r *http1.Request) {
	req, body, err := a.request(r)
	if err != nil { // a target that http1 takes and net/url does not
		res.CloseAfter()
		res.Text(http.StatusBadRequest, "400 Bad Request\n")
		return
	}
	w := &writer{res: res, request: req, log: a.Log, header: http.Header{}, length: -1}
	if w.log == nil {
		w.log = slog.Default()
	}
	defer translateAbort()
	defer removeForm(req)
	defer w.retire()
	if body != nil {
		defer body.retire()
	}
	a.handler.ServeHTTP(w, req)
	w.finish()
}

// removeForm removes the files in which a form's large parts were kept, as net/http does.
func removeForm(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}

// translateAbort turns the panic with which a net/http handler cuts its response into
// http1's. Any other goes on, with the stack it came from.
func translateAbort() {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		panic(http1.ErrAbort)
	default:
		panic(v)
	}
}
