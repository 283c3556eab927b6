package main

import (
	"net"
	"slices"
)

// inherit notes what was passed to the process, and tells whether systemd passed sockets.
func (s *settings) inherit(r *reader, passed *inheritance) (given bool) {
	if passed == nil {
		return false
	}
	s.Inherited = passed
	r.faults = append(r.faults, passed.faults...)
	r.faults = append(r.faults, passed.strangers()...)
	return passed.givesAny()
}

// adopt puts the address of the socket that systemd passed for a listener in the place of the
// setting. Where it passed others alone, the listener is off unless the settings name an
// address for it. A predecessor's sockets decide nothing: they are used where the address is
// the same.
func (s *settings) adopt(r *reader, name string, address *string) {
	socket := s.Inherited.given(name)
	switch v := r.get(name); {
	case socket != nil:
		is := addressText(socket.Addr())
		if v.from != "" && !clash(*address, is) {
			r.faults = append(r.faults, fault{
				What: name + " " + quote(v.texts[0]) + " is not where the inherited socket listens", Where: v.from,
				Why: "systemd passes one on " + plain(is), Mend: "leave the setting out, or change ListenStream= in the .socket unit", Usage: true,
			})
		}
		*address = is
	case s.Inherited.givesAny() && v.from == "":
		*address = ""
	}
}

// givesAny tells whether systemd passed sockets.
func (i *inheritance) givesAny() bool {
	return i != nil && slices.ContainsFunc(i.sockets, (*inheritedSocket).given)
}

// given is systemd's socket for a listener, nil without one.
func (i *inheritance) given(name string) net.Listener {
	if i == nil {
		return nil
	}
	for _, k := range i.sockets {
		if k.given() && k.name == name {
			return k.listener
		}
	}
	return nil
}

// strangers are the faults of systemd's sockets that no listener can be given.
func (i *inheritance) strangers() (faults []fault) {
	seen := make(map[string]bool)
	for _, k := range i.sockets {
		f := fault{What: "systemd passes a socket called " + quote(k.name) + " on " + plain(addressText(k.listener.Addr())), Usage: true}
		switch {
		case !k.given():
			continue
		case !slices.Contains(listenerNames, k.name):
			f.Why, f.Mend = "no listener has this name", "write FileDescriptorName=https, http or admin in its .socket unit"
		case seen[k.name]:
			f.Why, f.Mend = "there is another of this name", "one socket for each listener: ListenStream= once, without an address for both families"
		default:
			seen[k.name] = true
			continue
		}
		faults = append(faults, f)
	}
	return faults
}
