// Package redisstore keeps sessions and members in a Redis (6.0 or newer) that replicas share.
//
// A record is a hash that Redis removes at its end, a counter a string with a time to live;
// an index of the records' keys and a feed of their changes stand beside them. What changes
// more than one of these is a script, which Redis runs at once and alone. All times are Redis's.
//
// Redis acknowledges from memory: how much of that outlives a crash of its own is its
// operator's choice (appendonly, save), and a failover may forget the last changes. The feed
// tells that as Lost: whoever remembers records asks for them again. Redis must evict nothing.
//
// A Redis that is down, or hangs, costs a call no more than its context, and no storm: at
// most sixteen connections at a time, of which at most ten a second are new.
package redisstore
