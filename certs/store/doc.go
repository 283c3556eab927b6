// Package store keeps what certificates need over restarts and between replicas: small
// values under names, and leases that let one replica at a time do a piece of work.
//
// Names are paths of segments of [a-z0-9._-], joined by "/": "cert/example.org",
// "account/3f2a…", "challenge/…", "ledger/example.org". A value is at most MaxValueBytes
// long and is replaced whole: a reader gets the old one or the new one.
//
// Memory ends with the process, Dir with the disk; stores that replicas share are in
// packages of their own (redisstore, kubestore). Layered puts one before the other, so
// that a server goes on while what lies below is slow, dead, full or damaged. Rules says
// what a sound value is. All of them pass the suite in storetest.
package store
