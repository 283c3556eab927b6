package renewal

import "time"

const (
	// firstCooldown doubles with each failure up to longestCooldown.
	firstCooldown   = time.Minute
	longestCooldown = time.Hour
	// longestRetryAfter bounds what a CA can ask for by its limits, longestAway what anybody
	// can who answers in its place: neither an operator nor force goes against it.
	longestRetryAfter = 24 * time.Hour
	longestAway       = time.Hour
)

// The kinds of hold.
const (
	holdCooldown   = "cooldown"
	holdRetryAfter = "retry-after" // the CA asked for it
	holdBudget     = "budget"
	holdClock      = "clock"
	holdShorter    = "shorter"
	holdEarly      = "early" // what was issued begins later
)

// hold is until when a host places no order, and why.
type hold struct {
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Kind  string    `json:"kind,omitempty"`
}

func (h hold) active(now time.Time) bool { return now.Before(h.Until) }

// settle returns h as it stands after the clock was set back behind its beginning: it
// begins now, and is as long as before. Otherwise a clock that was a year ahead for a
// minute would stop all orders for a year.
func (h hold) settle(now time.Time) hold {
	if !now.Before(h.Since) {
		return h
	}
	return hold{Since: now, Until: now.Add(h.Until.Sub(h.Since)), Kind: h.Kind}
}

// bound returns h cut to the longest hold that we would ever write: what a store holds
// may be damaged.
func (h hold) bound() hold {
	h.Until = earlier(h.Until, h.Since.Add(longestRetryAfter))
	return h
}

// cooldown is how long a host rests after so many failures in a row. random is in
// [0, 1): up to a quarter is added, so that hosts which failed together do not return
// together. A lifetime that is shorter than our steps shortens them: a certificate of 30
// seconds cannot wait a minute. Zero is an unknown lifetime.
func cooldown(failures int, life time.Duration, random float64) time.Duration {
	first, longest := firstCooldown, longestCooldown
	if life > 0 {
		first = max(min(first, life/20), time.Second)
		longest = max(min(longest, life/10), time.Second)
	}
	rest := longest
	if steps := max(failures-1, 0); steps < 16 {
		rest = min(first<<steps, longest)
	}
	return rest + time.Duration(random*float64(rest/4))
}

// restAfter is the hold that a failure begins.
func restAfter(now time.Time, failures int, life time.Duration, retryAfter time.Time, random float64) hold {
	h := hold{Since: now, Until: now.Add(cooldown(failures, life, random)), Kind: holdCooldown}
	if retryAfter.After(h.Until) {
		h.Until, h.Kind = earlier(retryAfter, now.Add(longestRetryAfter)), holdRetryAfter
	}
	return h
}
