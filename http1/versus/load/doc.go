// Package load asks servers for more than they can answer: by wrk where that is
// installed, else by a generator of its own. It also holds idle connections.
package load
