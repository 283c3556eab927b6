// Package storetest holds a session.Store to what its documentation promises.
//
// Every test opens a store of its own, mostly with two handles, as two processes have: what
// holds only within one handle is no promise. Nothing is timed; what ends by itself is waited for.
package storetest
