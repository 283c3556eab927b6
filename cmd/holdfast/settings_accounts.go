package main

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/session"
)

// accountSettings are those of [accounts] in the file.
type accountSettings struct {
	From        string // file:line
	Protect     []string
	ProtectFrom string
	SignUp      string
	Store       memberStore
	Quota       account.Quota // the zero one is none

	IdleTimeout, Lifetime time.Duration

	Prefix, Home, Name string
	TrustedOrigins     []string
	CookieName         string
}

// accountKeys are those of the table, and what they are where they are left out.
var accountKeys = map[string]string{"protect": "", "sign-up": account.SignUpClosed, "store": "sqlite", "quota": off,
	"idle-timeout": session.DefaultIdleTimeout.String(), "lifetime": session.DefaultLifetime.String(),
	"prefix": account.DefaultPrefix, "home": "", "name": "", "trusted-origins": "", "cookie-name": session.DefaultCookieName}

// accountStoreVariable stands for store: a password in a Redis URL is then in no file.
const accountStoreVariable = "accounts-store"

// lifetimeLimit is the longest that a browser keeps a cookie (draft-ietf-httpbis-rfc6265bis §5.5).
const lifetimeLimit = 400 * 24 * time.Hour

// accounts reads [accounts]; nil without it. The store is below stateDir, or stateWhy says why
// there is none.
func (r *reader) accounts(env environment, stateDir, stateWhy string) *accountSettings {
	tables := r.values["accounts"].tables
	if len(tables) == 0 {
		return nil
	}
	t := tables[0]
	in := r.within(t.dashed(r), "accounts", accountKeys)
	a := &accountSettings{From: t.from, SignUp: in.choice("sign-up", account.SignUpOpen, account.SignUpInvite, account.SignUpClosed)}
	a.Protect, a.ProtectFrom = in.protect(t.from)
	a.Store = in.memberStore(env, stateDir, stateWhy, t.from)
	a.Quota = in.quota("quota")
	a.IdleTimeout = in.duration("idle-timeout", time.Second, lifetimeLimit)
	a.Lifetime = in.duration("lifetime", time.Second, lifetimeLimit)
	a.Prefix = in.prefix()
	a.Home = in.home(a.Prefix)
	a.Name, _, _ = in.single("name")
	a.TrustedOrigins = in.origins()
	a.CookieName = in.cookieName()
	r.faults = append(r.faults, in.faults...)
	return a
}

// dashed has the table's keys with dashes, as the file's others are; sign_up is sign-up.
func (t table) dashed(r *reader) table {
	values := make(map[string]value)
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		v, name := t.values[key], strings.ReplaceAll(key, "_", "-")
		if _, known := accountKeys[name]; !known {
			name = key
		}
		if other, twice := values[name]; twice {
			r.faults = append(r.faults, fault{What: name + " is there twice", Where: from(other, v), Usage: true,
				Why: name + " and " + quote(key) + " are one", Mend: "leave one of them out"})
		}
		values[name] = v
	}
	t.values = values
	return t
}

func (r *reader) protect(where string) (globs []string, from string) {
	if !r.written("protect") {
		r.faults = append(r.faults, fault{What: "[accounts] without protect", Where: where, Usage: true,
			Why: "nothing says what is for members alone", Mend: `add protect = ["/members/**"]`})
		return nil, where
	}
	texts, from := r.list("protect")
	if v := r.get("protect"); len(texts) == 0 && v.kind == listKind {
		r.refuse("protect", "", from, emptyFlaw())
	}
	for _, text := range texts {
		if err := account.CheckGlob(text); err != nil {
			r.refuse("protect", text, from, &flaw{What: "is no glob for paths", Why: why(err),
				Mend: `write it from the root on, as "/members/**" or "/reports/*.pdf"`})
			continue
		}
		globs = append(globs, text)
	}
	return globs, from
}

// why is an error of the packages that the table is for, without their names.
func why(err error) string {
	text := plain(err.Error())
	for _, name := range []string{"account: ", "protect: ", "session: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}

// memberStore reads store, which the variable goes before. No fault has its text, in which a
// password may be. What is for elsewhere is not looked into: its files are not here.
func (r *reader) memberStore(env environment, stateDir, stateWhy, where string) (store memberStore) {
	v := r.get("store")
	if text := env.get(variable(accountStoreVariable)); text != "" {
		v = value{texts: []string{text}, from: variable(accountStoreVariable)}
	}
	f := &flaw{What: "is no text", Mend: memberStoreMend}
	if v.kind == textKind && !r.elsewhere {
		store, f = parseMemberStore(v.texts[0], stateDir, stateWhy)
	}
	if f != nil && (v.kind != textKind || !r.elsewhere) {
		r.faults = append(r.faults, fault{What: "store of [accounts] " + f.What, Where: cmp.Or(v.from, where), Why: f.Why, Mend: f.Mend, Usage: true})
	}
	return store
}

// quota reads N/DURATION, or off.
func (r *reader) quota(name string) account.Quota {
	text, from, ok := r.single(name)
	if !ok {
		return account.Quota{}
	}
	q, f := parseQuota(text)
	if f != nil {
		r.refuse(name, text, from, f)
	}
	return q
}

// parseQuota reads how many requests a member has in which time: 1000/1h.
func parseQuota(text string) (account.Quota, *flaw) {
	const mend = "write requests and time, as 1000/1h, or off"
	if text == off {
		return account.Quota{}, nil
	}
	number, window, found := strings.Cut(text, "/")
	n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(number), "_", ""), 10, 64)
	if !found || err != nil || n < 1 {
		return account.Quota{}, &flaw{What: "is no quota", Mend: mend}
	}
	d, f := parseDuration(strings.TrimSpace(window))
	if f != nil {
		return account.Quota{}, &flaw{What: "has a time that " + f.What, Why: f.Why, Mend: mend}
	}
	q := account.Quota{N: n, Window: d}
	if err := q.Check(); err != nil {
		return account.Quota{}, &flaw{What: "is out of range", Why: why(err), Mend: mend}
	}
	return q, nil
}

func (r *reader) prefix() string {
	text, from, ok := r.single("prefix")
	if !ok {
		return account.DefaultPrefix
	}
	if err := account.CheckPrefix(text); err != nil {
		r.refuse("prefix", text, from, &flaw{What: "cannot be before the pages' paths", Mend: `write it with a slash at both ends, as "/-/"`})
		return account.DefaultPrefix
	}
	return text
}

func (r *reader) home(prefix string) string {
	text, from, ok := r.single("home")
	if !ok || from == "" {
		return ""
	}
	if err := account.CheckHome(text, prefix); err != nil {
		r.refuse("home", text, from, &flaw{What: "is no page to go to after a sign-in", Mend: `write a path of the site, as "/members/"`})
	}
	return text
}

// origins reads those that may post as the site itself does: SCHEME://HOST[:PORT], as browsers
// write it.
func (r *reader) origins() (origins []string) {
	if !r.written("trusted-origins") {
		return nil
	}
	texts, from := r.list("trusted-origins")
	for _, text := range texts {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Host == "" || "https://"+strings.ToLower(u.Host) != text {
			r.refuse("trusted-origins", text, from, &flaw{What: "is no origin", Why: "browsers compare it to the letter", Mend: `write it as "https://app.example.org", without a path`})
			continue
		}
		origins = append(origins, text)
	}
	return origins
}

func (r *reader) cookieName() string {
	text, from, ok := r.single("cookie-name")
	if !ok {
		return ""
	}
	if err := session.CheckCookieName(text); err != nil {
		r.refuse("cookie-name", text, from, &flaw{What: "cannot name a cookie", Mend: "write letters, digits, - and _; __Host- comes before it by itself"})
	}
	return text
}
