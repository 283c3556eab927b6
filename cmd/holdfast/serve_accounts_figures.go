package main

import "github.com/holdfast-server/holdfast/http1/observe"

// figures are what the members' sessions count. No name of a member is in one.
func (m *members) figures() []observe.Figure {
	if m.sessions == nil {
		return nil
	}
	return append(m.attempts(), []observe.Figure{
		{Name: "holdfast_sessions_validated_total", Help: "Members' cookies that were looked at, by who knew: the memory, the store, or nobody, for the store did not answer.", Counter: true, Labels: []string{"by"}, Read: func(t tell) {
			f := m.sessions.Figures()
			t(float64(f.FromMemory), "memory")
			t(float64(f.FromStore), "store")
			t(float64(f.Refused), "nobody")
		}},
		{Name: "holdfast_sessions_begun_total", Help: "Members' sessions that began, rotations included.", Counter: true,
			Read: func(t tell) { t(float64(m.sessions.Figures().Begun)) }},
		{Name: "holdfast_sessions_ended_total", Help: "Sign-outs; one everywhere counts once.", Counter: true,
			Read: func(t tell) { t(float64(m.sessions.Figures().Ended)) }},
		{Name: "holdfast_sessions_store_errors_total", Help: "Calls of the members' store that failed, those that were not made while it is away included.", Counter: true,
			Read: func(t tell) { t(float64(m.sessions.Figures().StoreErrors)) }},
		{Name: "holdfast_sessions_remembered", Help: "Members' sessions in memory.",
			Read: func(t tell) { t(float64(m.sessions.Figures().Remembered)) }},
	}...)
}

// attempts are what came of the attempts to sign in.
func (m *members) attempts() []observe.Figure {
	return []observe.Figure{
		{Name: "holdfast_members_attempts_total", Help: "Attempts to sign in or up, by what came of them.", Counter: true, Labels: []string{"outcome"}, Read: func(t tell) {
			f := m.accounts.Figures()
			t(float64(f.SignedIn), "signed_in")
			t(float64(f.SignedUp), "signed_up")
			t(float64(f.Wrong), "wrong")
			t(float64(f.Limited), "limited")
			t(float64(f.Busy), "busy")
		}},
		{Name: "holdfast_members_over_quota_total", Help: "Requests that were refused for a member's quota.", Counter: true,
			Read: func(t tell) { t(float64(m.accounts.Figures().OverQuota)) }},
		{Name: "holdfast_members_passwords_hashing", Help: "Passwords that are hashed, or wait for it.",
			Read: func(t tell) { t(float64(m.accounts.Figures().HashingNow)) }},
	}
}
