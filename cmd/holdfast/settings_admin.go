package main

// A wantedListener is an address to listen on, by the name of its flag.
type wantedListener struct{ name, addr string }

// listeners are all that are asked for; an address is "" for none.
func (s *settings) listeners() []wantedListener {
	return []wantedListener{{"https", s.HTTPS}, {"http", s.HTTP}, {"admin", s.Admin}}
}

// readAdmin reads what answers those who run the server. It never shares a port with the
// public: what it tells is for nobody else.
func (s *settings) readAdmin(r *reader) {
	before := len(r.faults)
	s.Admin = r.address("admin")
	s.adopt(r, "admin", &s.Admin)
	s.AdminPprof = r.toggle("admin-pprof")
	admin := r.get("admin")
	for _, l := range s.listeners() {
		if l.name != "admin" && clash(l.addr, s.Admin) {
			r.faults = append(r.faults, fault{
				What: l.name + " and admin are both on " + plain(l.addr), Where: from(r.get(l.name), admin),
				Why: "the admin listener is not for the public", Mend: "give --admin another, such as 127.0.0.1:9090", Usage: true,
			})
		}
	}
	if s.AdminPprof && s.Admin == "" && len(r.faults) == before {
		r.faults = append(r.faults, fault{
			What: "admin-pprof is on, and there is no admin listener", Where: from(r.get("admin-pprof"), admin),
			Why: "profiles are shown there alone", Mend: "add --admin 127.0.0.1:9090", Usage: true,
		})
	}
}
