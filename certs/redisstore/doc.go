// Package redisstore keeps certificates in a Redis that replicas share.
//
// A value is a string under PREFIX + name. A lease is a string of its own that Redis
// removes when its time to live is over, beside a hash that counts its holders: every
// holder's fence is greater than those before, and a write under a lease is done by a script that
// looks at the hash in the same step. When Redis lost its memory, a lease that nobody else took since goes on.
//
// Redis replicates without waiting: a failover may forget the last writes, leases
// included, and two holders may be at work for a while then. A write of the one who lost is refused.
//
// Every call ends within two seconds, and nothing is tried twice: whoever calls decides
// when. There are at most 8 connections, made when they are needed.
package redisstore
