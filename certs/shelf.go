package certs

// Shelf is a Source for those who make certificates in a package of their own: it holds
// what they put there and tells whoever asked. The zero value is empty and ready.
type Shelf struct{ shelf }

// Put serves list from now on, most important first; the caller must not change it
// afterwards. Whoever asked with OnChange has been told when Put returns.
func (s *Shelf) Put(list []*Certificate) { s.put(list) }
