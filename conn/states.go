package conn

// States counts connections by where they stand, indexed by [State].
type States [Closed + 1]int64

// States is how many connections are in each state now; those in Closed still linger.
// Nothing is counted for it while connections are served: each is asked when somebody
// wants to know, under its own lock.
func (s *Server) States() (n States) {
	for _, c := range s.tracker.all() {
		n[c.State()]++
	}
	return n
}
