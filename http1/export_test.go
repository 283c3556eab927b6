package http1

// Poison makes s overwrite a request's memory once it is over, so that a view which its
// handler kept shows.
func (s *Server) Poison() { s.poison = true }
