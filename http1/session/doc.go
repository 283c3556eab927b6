// Package session remembers who a client is between requests.
//
//	sessions, err := session.New(session.Config{Store: store})
//	go sessions.Run(ctx) // an actor
//	server.Handler = sessions.Attach(site)
//
//	// in a handler
//	s, err := session.From(r).Session()
//	if err != nil {
//		sessions.Refuse(w, r, err)
//		return
//	}
//
// # What is kept where
//
// A session is known by 32 random bytes in a __Host- cookie; the Store keeps their SHA-256 and
// no more, and so does the memory of a Manager. It is written when it changes: Begin, End, EndAll
// and what sets values return once the Store has it, so that no end of a process costs a
// member the session or brings one back. Only last-seen times wait, a minute at most, or an
// eighth of the idle time, and are written many at a time; one that is lost shortens the idle time
// by as much.
//
// store.go is what several processes share. Of its keys these are the sessions': "session/" and
// the hash in hex; "sessions/", the subject, "/" and that hash, for the member's page; "subject/"
// and the subject, which holds an epoch: a session is valid while it is the one that it began
// under, so that a new one ends them all in one change.
//
// # What is believed
//
// Sessions are remembered with what the Store told of them, and that counts while the last
// question for changes that was answered began less than 750 ms ago. Else the Store is asked, for
// 100 ms at most. So a sign-out holds at once on the process that answered it and within a
// second on every other, also on one whose Store hangs: there it is *Unavailable, and the member
// is neither signed in nor out. A Store that failed is asked by one request at a time, five times
// a second, and the others are answered at once.
//
// Over plain HTTP no session is begun or believed, unless a trusted proxy said that the client
// asked by https (http1.Request.SetScheme).
//
// # What caches may keep
//
// A response of a handler that asked for the session has "Cache-Control: no-store" and "Vary:
// Cookie", each unless the handler sets that field. A handler that sets Cache-Control itself must
// say private or no-store, if what it answers is one member's: a shared cache takes "public" or
// "max-age" at its word. Beside a Vary of its own it should name Cookie too.
package session
