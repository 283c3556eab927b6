package account

import (
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/session"
)

// policy lets a page have its stylesheet, images of the site and forms for the site, and nothing
// else: no script, no frame, no other site. It has to hold for a page that a site replaces too.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// An action answers for a page by one method.
type action func(a *Accounts, v *visit)

// actions are the pages: which methods they have, and whether only a member may.
var actions = map[string]struct {
	get, post action
	members   bool
}{
	"":                    {get: (*Accounts).goHome},
	"sign-in":             {get: (*Accounts).signInPage, post: (*Accounts).signIn},
	"sign-up":             {get: (*Accounts).signUpPage, post: (*Accounts).signUp},
	"sign-out":            {get: (*Accounts).signOutPage, post: (*Accounts).signOut},
	"sign-out-everywhere": {post: (*Accounts).signOutEverywhere, members: true},
	"end-session":         {post: (*Accounts).endSession, members: true},
	"password":            {get: (*Accounts).passwordPage, post: (*Accounts).changePassword, members: true},
	"account":             {get: (*Accounts).accountPage, members: true},
}

// A visit is a request for a page.
type visit struct {
	w       *http1.Response
	r       *http1.Request
	current *session.Current
	session *session.Session // nil when nobody is signed in
	form    form             // what was posted
}

// subject is who is signed in, "" for nobody.
func (v *visit) subject() string {
	if v.session == nil {
		return ""
	}
	return v.session.Subject()
}

// page answers for the page of that name.
func (a *Accounts) page(w *http1.Response, r *http1.Request, name string) {
	if name == "sign-up" {
		r.ConcealQuery() // an invite's code, which stays good until somebody uses it
	}
	act, ok := actions[name]
	isGet := r.Method() == "GET" || r.Method() == "HEAD"
	switch {
	case !ok && strings.HasPrefix(name, "style.") && strings.HasSuffix(name, ".css"):
		a.style(w, r, name)
	case !ok:
		a.refuse(w, r, errNoPage)
	case isGet && act.get != nil:
		a.visit(w, r, act.get, act.members)
	case r.Method() == "POST" && act.post != nil:
		a.visit(w, r, act.post, act.members)
	default:
		notAllowed(w, act.get != nil, act.post != nil)
	}
}

// notAllowed answers that the page has other methods (RFC 9110 §15.5.6).
func notAllowed(w *http1.Response, get, post bool) {
	var allow []string
	if get {
		allow = append(allow, "GET", "HEAD")
	}
	if post {
		allow = append(allow, "POST")
	}
	w.Set("Allow", strings.Join(allow, ", "))
	w.Text(405, "405 Method Not Allowed\n")
}

// visit lets act answer, once the request is one that it may see.
func (a *Accounts) visit(w *http1.Response, r *http1.Request, act action, members bool) {
	v := &visit{w: w, r: r, current: session.From(r)}
	if err := a.enter(v); err != nil {
		a.refuse(w, r, err)
		return
	}
	if members && v.subject() == "" {
		a.unauthenticated(w, r)
		return
	}
	act(a, v)
}

// enter finds out who it is and reads what was posted.
func (a *Accounts) enter(v *visit) (err error) {
	post := v.r.Method() == "POST"
	switch {
	case v.r.Scheme() != "https":
		return errInsecure // a page over plain HTTP may be anybody's, and so is what is typed into it
	case post && crossOrigin(v.r, a.config.TrustedOrigins):
		return errCrossOrigin
	case post:
		if v.form, err = readForm(v.r); err != nil {
			return err
		}
	}
	v.session, err = v.current.Session()
	return err
}

// careful sets what all answers here have in common: nobody keeps them, and no other site
// learns what is in their address.
func (a *Accounts) careful(w *http1.Response) {
	w.Set("Cache-Control", "no-store")
	w.Set("Vary", "Accept, Cookie")
	w.Set("Content-Security-Policy", policy)
	w.Set("Referrer-Policy", "same-origin") // with "no-referrer" browsers post with "Origin: null"
	w.Set("X-Content-Type-Options", "nosniff")
	w.Set("X-Frame-Options", "DENY")
}

// show answers with a page.
func (a *Accounts) show(w *http1.Response, r *http1.Request, status int, name string, p *Page) {
	p.Site, p.Prefix, p.SignUp = a.config.Site, a.config.Prefix, a.config.SignUp
	if who, err := session.From(r).Session(); p.Member == "" && err == nil && who != nil {
		p.Member = a.shown(r, status, who.Subject())
	}
	b, err := a.look.Load().render(name, p)
	if err != nil { // a page of the site's own, with what its examples did not show
		a.config.Log.Error("accounts: a page cannot be shown", "page", name, "request", r.ID(), "error", err)
		w.Text(500, "500 Internal Server Error\n")
		a.careful(w)
		return
	}
	w.SetStatus(status)
	w.Set("Content-Type", "text/html; charset=utf-8")
	a.careful(w)
	w.SetLength(int64(len(b)))
	_, _ = w.Write(b)
}

// shown is a member's name as the member wrote it, or its key on a page that tells of a store
// which does not answer.
func (a *Accounts) shown(r *http1.Request, status int, subject string) string {
	if subject == "" || status == 503 {
		return subject
	}
	known, err := a.quotaOf(r.Context(), subject)
	if err != nil {
		return subject
	}
	return known.shown
}

// seeOther sends the client on, by GET (RFC 9110 §15.4.4).
func (a *Accounts) seeOther(w *http1.Response, location string) {
	w.Set("Location", location)
	w.Text(303, "303 See Other\n")
	a.careful(w)
}

// done answers what was done: to a person by the page at location, to a program by v.
func (a *Accounts) done(v *visit, location string, object any) {
	if wantsJSON(v.r) {
		a.json(v.w, 200, "application/json", object)
		return
	}
	a.seeOther(v.w, location)
}

// style serves the stylesheet. A page from another process may name another content's hash,
// while a site is changed: that gets this content, and keeps it for no longer than the page.
func (a *Accounts) style(w *http1.Response, r *http1.Request, name string) {
	if r.Method() != "GET" && r.Method() != "HEAD" {
		notAllowed(w, true, false)
		return
	}
	l := a.look.Load()
	w.Set("Content-Type", "text/css; charset=utf-8")
	w.Set("X-Content-Type-Options", "nosniff")
	w.Set("Cache-Control", "no-store")
	if name == l.styleName {
		w.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.SetLength(int64(len(l.style)))
	_, _ = w.Write(l.style)
}
