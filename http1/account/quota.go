package account

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/session"
)

const (
	// quotaKnownFor is how long a member's own quota is remembered: one that is set holds a
	// second later, and the members' records are not read for each request.
	quotaKnownFor = time.Second
	// quotasMost is how many are remembered. Beyond these all are forgotten.
	quotasMost = 10_000
)

// quotas remembers which quota members have, and who they are.
type quotas struct {
	mu sync.Mutex
	of map[string]knownQuota
}

type knownQuota struct {
	quota     Quota
	id, shown string // of the account, and its name as it is shown
	until     time.Time
}

func (q *quotas) get(subject string, now time.Time) (knownQuota, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k, ok := q.of[subject]
	return k, ok && now.Before(k.until) && !now.Add(quotaKnownFor).Before(k.until)
}

func (q *quotas) set(subject string, k knownQuota) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of == nil || len(q.of) >= quotasMost {
		q.of = make(map[string]knownQuota)
	}
	q.of[subject] = k
}

// quotaOf is the quota of a member.
func (a *Accounts) quotaOf(ctx context.Context, subject string) (knownQuota, error) {
	now := a.config.Now()
	if k, known := a.quotas.get(subject, now); known {
		return k, nil
	}
	k := knownQuota{quota: a.config.Quota, shown: subject, until: now.Add(quotaKnownFor)}
	s, err := a.members.read(ctx, subject)
	switch {
	case errors.Is(err, ErrNoMember): // removed just now, or a session of another making
	case err != nil:
		return knownQuota{}, err
	default:
		k.id, k.shown = s.ID, s.name.Shown
		if s.Quota != nil {
			k.quota = *s.Quota
		}
	}
	a.quotas.set(subject, k)
	return k, nil
}

// quotaKey is where a member's requests are counted: the next of that name begins anew, and so
// does who gets another window.
func quotaKey(subject, id string, q Quota) string {
	return "quota/" + subject + "/" + id + "/" + q.Window.String()
}

func (k knownQuota) key(subject string) string { return quotaKey(subject, k.id, k.quota) }

// count takes one request from the member's quota and tells whether there was one; otherwise
// the request is answered: 429, or 503 while the store cannot count. The store has what is left
// of its time since began.
func (a *Accounts) count(w *http1.Response, r *http1.Request, subject string, began time.Time) bool {
	if k, known := a.quotas.get(subject, a.config.Now()); known && k.quota == (Quota{}) {
		return true // as most are: without a question, and without a clock for it
	}
	ctx, cancel := context.WithDeadline(r.Context(), began.Add(a.config.Sessions.StoreTimeout()))
	defer cancel()
	known, err := a.quotaOf(ctx, subject)
	if err != nil {
		a.refuse(w, r, err)
		return false
	}
	quota := known.quota
	if quota == (Quota{}) {
		return true
	}
	c, err := a.members.store.Take(ctx, known.key(subject), 1, quota.N, quota.Window)
	if err != nil {
		a.refuse(w, r, err)
		return false
	}
	tellRateLimit(w, quota, c)
	if !c.Taken {
		a.figures.overQuota.Add(1)
		a.refuse(w, r, &tooMany{wait: c.Resets, text: "Your quota is used up."})
	}
	return c.Taken
}

// tellRateLimit sets the fields of draft-ietf-httpapi-ratelimit-headers-10 as defaults, so that
// they are on whatever the handler answers.
func tellRateLimit(w *http1.Response, q Quota, c session.Count) {
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	w.SetDefault("RateLimit-Policy", `"members";q=`+n(q.N)+`;w=`+n(wholeSeconds(q.Window)))
	w.SetDefault("RateLimit", `"members";r=`+n(max(0, q.N-c.Used))+`;t=`+n(wholeSeconds(c.Resets)))
}

// wholeSeconds is d rounded up: who waits that long does not come too early.
func wholeSeconds(d time.Duration) int64 { return int64(max(0, d+time.Second-1) / time.Second) }

// quotaLine is what the member's page shows, nil without a quota.
func (a *Accounts) quotaLine(ctx context.Context, subject string) (*QuotaLine, error) {
	known, err := a.quotaOf(ctx, subject)
	quota := known.quota
	if err != nil || quota == (Quota{}) {
		return nil, err
	}
	c, err := a.members.store.Take(ctx, known.key(subject), 0, quota.N, quota.Window)
	if err != nil {
		return nil, err
	}
	line := &QuotaLine{Limit: quota.N, Used: c.Used, Left: max(0, quota.N-c.Used),
		WindowSeconds: wholeSeconds(quota.Window), ResetsSeconds: wholeSeconds(c.Resets)}
	line.Resets = "with the next request"
	if c.Used > 0 {
		line.Resets = "in " + humanDuration(c.Resets)
	}
	return line, nil
}

// humanDuration is a duration for people, rounded up.
func humanDuration(d time.Duration) string {
	n, unit := wholeSeconds(d), "second"
	switch {
	case n > 2*86400:
		n, unit = (n+86399)/86400, "day"
	case n > 2*3600:
		n, unit = (n+3599)/3600, "hour"
	case n > 120:
		n, unit = (n+59)/60, "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.FormatInt(n, 10) + " " + unit
}
