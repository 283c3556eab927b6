package account

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/media"
	"github.com/holdfast-server/holdfast/http1/session"
)

// Why a request is refused, beside what the form's reader, the hasher and the members say.
var (
	errSignIn      = errors.New("account: nobody is signed in")
	errCrossOrigin = errors.New("account: a post from another origin")
	errInsecure    = errors.New("account: a password over plain HTTP")
	errWrong       = errors.New("account: name or password are wrong")
	errClosed      = errors.New("account: sign-up is closed")
	errNoPage      = errors.New("account: there is no such page")
)

// tooMany is of somebody who has to wait.
type tooMany struct {
	wait time.Duration
	text string
}

func (e *tooMany) Error() string { return "account: " + e.text }

// A refusal is how an error is told.
type refusal struct {
	err    error
	status int
	title  string
	text   string // for people
}

// refusals are the errors that clients may know of.
var refusals = []refusal{
	{errSignIn, 401, "Sign-in required", "Sign in to go on."},
	{errWrong, 401, "Wrong name or password", "This name and this password do not belong together."},
	{errCrossOrigin, 403, "Refused", "This was sent from another site, or by a browser that hides from which. Open the page here and try again."},
	{errInsecure, 403, "HTTPS required", "This page wants a connection that nobody can listen to: open it with https:// in front."},
	{errClosed, 403, "Sign-up is closed", "New accounts are made by the people who run this site."},
	{ErrInvite, 403, "Invite refused", "This invite is unknown, used up or over."},
	{ErrNoMember, 401, "Sign-in required", "Sign in to go on."},
	{ErrTaken, 409, "Name taken", "Somebody has this name already."},
	{errNoPage, 404, "Not Found", "There is no such page."},
	{errForm, 400, "Bad Request", "The form cannot be read."},
	{errFormType, 415, "Unsupported Media Type", "This takes a form or JSON."},
	{ErrBusy, 503, "Busy", "Many people sign in at this moment. Try again in a few seconds."},
	{ErrContended, 503, "Busy", "Somebody else changes this account at the moment. Try again."},
	{session.ErrInsecure, 403, "HTTPS required", "This page wants a connection that nobody can listen to: open it with https:// in front."},
}

// refusalOf is how err is told, with the form's field that it is about. What nobody expected
// is a 503 with nothing of its text: it is the store's, in all likelihood.
func refusalOf(err error) (r refusal, field string) {
	if invalid, ok := errors.AsType[*Invalid](err); ok {
		return refusal{err, 422, "Not accepted", invalid.Text}, invalid.Field
	}
	if many, ok := errors.AsType[*tooMany](err); ok {
		return refusal{err, 429, "Too Many Requests", many.text + " Try again in " + humanDuration(many.wait) + "."}, ""
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r, fieldOf(r.err)
		}
	}
	return refusal{err, 503, "Service Unavailable", "This cannot be done at the moment. Try again in a few seconds."}, ""
}

func fieldOf(err error) string {
	switch err {
	case ErrTaken:
		return "name"
	case errWrong:
		return "password" // whichever of the two it was
	case ErrInvite:
		return "invite"
	}
	return ""
}

// busySeconds is when a full queue of hashes has been worked off: who comes back within the same
// second finds it as it was.
const busySeconds = int64(queueWait / time.Second)

// retryAfter is when to try again, 0 for never.
func retryAfter(err error, status int) int64 {
	if many, ok := errors.AsType[*tooMany](err); ok {
		return max(1, wholeSeconds(many.wait))
	}
	if away, ok := errors.AsType[*session.Unavailable](err); ok {
		return max(1, wholeSeconds(away.RetryAfter))
	}
	if errors.Is(err, ErrBusy) {
		return busySeconds
	}
	if status == 503 {
		return 1
	}
	return 0
}

// refuse answers with an error: a page, or a problem object (RFC 9457) for who asks for JSON.
func (a *Accounts) refuse(w *http1.Response, r *http1.Request, err error) {
	a.refuseOn(w, r, err, "message.html", &Page{})
}

// refuseOn is refuse on a page with a form, which shows what is wrong with what was typed.
func (a *Accounts) refuseOn(w *http1.Response, r *http1.Request, err error, page string, p *Page) {
	if _, ours := errors.AsType[*http1.Reason](err); ours {
		return // of the content: the server answers
	}
	f, field := refusalOf(err)
	if n := retryAfter(err, f.status); n > 0 {
		w.Set("Retry-After", strconv.FormatInt(n, 10))
	}
	if f.status == 401 {
		w.Set("WWW-Authenticate", a.challenge())
	}
	if _, known := errors.AsType[*session.Unavailable](err); f.status == 503 && !known && !errors.Is(err, ErrBusy) && r.Context().Err() == nil {
		a.config.Log.Error("accounts: refused", "request", r.ID(), "error", err)
	}
	if wantsJSON(r) {
		a.json(w, f.status, "application/problem+json", problem{f.status, f.title, f.text, field})
		return
	}
	p.Problem, p.Text = &Invalid{field, f.text}, f.text
	if page == "message.html" {
		p.Title, p.Problem = f.title, nil
	}
	a.show(w, r, f.status, page, p)
}

// challenge is the value of WWW-Authenticate, without which there is no 401 (RFC 9110 §11.6.1).
// No registered scheme has a form and a cookie; this one has the name and the parameter of
// draft-broyer-http-cookie-auth, and browsers show the page to a scheme that they do not know.
func (a *Accounts) challenge() string {
	return `Cookie realm="members", form-action="` + a.config.Prefix + `sign-in"`
}

// problem is RFC 9457's object.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"` // of the form
}

// wantsJSON tells a program from a person: by what it accepts, or, where that is anything, by
// what it sent.
func wantsJSON(r *http1.Request) bool {
	accept := r.Field("Accept")
	if media.PrefersJSON(accept) {
		return true
	}
	kind, _, _ := strings.Cut(r.Field("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json") && !strings.Contains(strings.ToLower(accept), "text/html")
}

// json answers with an object.
func (a *Accounts) json(w *http1.Response, status int, kind string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of types of our own, which can be encoded
	}
	w.Text(status, string(b)+"\n")
	w.Set("Content-Type", kind)
	a.careful(w)
}
