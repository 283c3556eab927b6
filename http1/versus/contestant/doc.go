// Package contestant has the servers of the comparison that are written in Go. Each
// answers every request with the same status, fields and content, and comes as its own
// project gives it: where one has timeouts by default and another has none, so it stays.
// That favours net/http, fasthttp and the raw loop, which then watch no clock.
package contestant
