package vhost

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/route"
)

// Rules stand in front of a site's handler. A request that no rule takes goes to it as it is;
// one of several rules takes a request by the precedence of http1/route. A rule takes what its
// pattern says and no more: "/docs/" does not take "/docs", of which the site may have a file, or
// which it may redirect itself. Rules may not be added while they serve.
type Rules struct {
	Site http1.Handler

	mux       route.Mux
	redirects []redirection
	count     int // of all rules
}

// A redirection is a redirect with its target.
type redirection struct {
	Rule
	to target
}

// A Rule leads from a pattern to somewhere else.
type Rule struct {
	From string // a pattern of http1/route without a host
	To   string // a path, or for a redirect a URL too, with the pattern's wildcards
	// Status is of a redirect: 301, 302, 303, 307 or 308. 0 is a rewrite: the site answers for
	// the path To, in place of the request's, and the query stays.
	Status int
	// Name and Place are those of route.Route.
	Name, Place string
}

// Statuses are those of a redirect.
var Statuses = []int{301, 302, 303, 307, 308}

// ErrTo and ErrStatus are what is wrong with a rule where it is not its pattern.
var (
	ErrTo     = errors.New("the target is wrong")
	ErrStatus = errors.New("the status is none of a redirect")
)

// Add adds a rule. The error says which part is wrong: it is [ErrTo] or [ErrStatus], or it is
// about From, which may conflict with that of another rule.
func (s *Rules) Add(r Rule) error {
	names, err := route.Wildcards(r.From)
	if err != nil {
		return err
	}
	if i := strings.LastIndexAny(r.From[:strings.IndexByte(r.From, '/')], " \t"); r.From[i+1] != '/' {
		return errors.New("it names a host, and the rule is the site's already")
	}
	if err := checkFrom(r.From); err != nil {
		return err
	}
	to, err := parseTarget(r.To, names)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrTo, err)
	case r.Status == 0 && !to.isPath():
		return fmt.Errorf("%w: a rewrite leads to a path of the same site, without a query", ErrTo)
	case r.Status != 0 && !slices.Contains(Statuses, r.Status):
		return ErrStatus
	}
	err = s.mux.Register(route.Route{Pattern: r.From, Handler: s.handler(r.Status, to), Name: r.Name, Place: r.Place})
	if err != nil {
		return err
	}
	if s.count++; r.Status != 0 {
		s.redirects = append(s.redirects, redirection{r, to})
	}
	return nil
}

// checkFrom refuses what would be a pattern and never match: a path has no query and no fragment,
// and the parser lets no escape through that is none.
func checkFrom(pattern string) error {
	if strings.ContainsAny(pattern, "?#") {
		return errors.New("a pattern is for the path alone, which ends before ? and #")
	}
	if _, err := url.PathUnescape(pattern); err != nil {
		return errors.New("a percent sign begins two hexadecimal digits: %25 is one by itself")
	}
	return nil
}

// handler does what a rule says.
func (s *Rules) handler(status int, to target) http1.Handler {
	if status == 0 {
		return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			asked, path := r.Path(), to.path(r.EscapedPathValue)
			r.SetPath(path)
			r.SetDirectory(s.directory(r, asked, path, to))
			s.Site.Serve(w, r)
		})
	}
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) { redirect(w, status, to.url(r)) })
}

// directory is where a client that asked for one path finds the directory that another one names,
// which a rule put in its place: behind its own path with a slash, where the same rule leads there,
// else behind the directory's, where no rule takes that elsewhere. It is empty for neither, and
// where the client's path has the slash.
func (s *Rules) directory(r *http1.Request, asked, path string, to target) string {
	if strings.HasSuffix(asked, "/") {
		return ""
	}
	slashed := strings.TrimSuffix(path, "/") + "/"
	f := s.mux.LookupAsIs(r.Method(), "", asked+"/")
	if f.Route != nil && f.Route.Name == r.Route() && to.path(f.EscapedPathValue) == slashed {
		return asked + "/"
	}
	if s.mux.LookupAsIs(r.Method(), "", slashed).Route != nil {
		return ""
	}
	return slashed
}

// Serve is http1.Handler.
func (s *Rules) Serve(w *http1.Response, r *http1.Request) {
	if s.count > 0 {
		if rule := s.mux.Find(r); rule != nil {
			rule.Serve(w, r)
			return
		}
	}
	s.Site.Serve(w, r)
}

// redirect answers with a redirect, and for whoever reads it with a line.
func redirect(w *http1.Response, status int, location string) {
	w.Set("Location", location)
	w.Text(status, reasons[status]+"\n")
}

var reasons = map[int]string{
	301: "301 Moved Permanently", 302: "302 Found", 303: "303 See Other", 307: "307 Temporary Redirect", 308: "308 Permanent Redirect",
}
