// Package session remembers who a client is between requests.
//
// A session is known by 32 random bytes in a __Host- cookie; the Store keeps their SHA-256 and
// no more. It is written when it changes, so that no end of a process costs a member the
// session or brings one back. Manager validates from memory what the Store has not told of a
// change; store.go is what several processes share, sqlitestore and redisstore keep it.
package session
