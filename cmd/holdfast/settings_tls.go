package main

import "github.com/holdfast-server/holdfast/tlsconf"

// clusterSecretFile is the file that was named, if any.
func (r *reader) clusterSecretFile() string {
	text, from, ok := r.single("cluster-secret-file")
	if ok && from != "" && text == "" {
		r.refuse("cluster-secret-file", text, from, emptyFlaw())
	}
	return text
}

// readClients reads what clients have to show. Whoever asks for that must get it, so what
// would ask nobody is a fault.
func (s *settings) readClients(r *reader) {
	before := len(r.faults)
	var from string
	s.ClientCAs, from = r.list("client-ca")
	if r.choice("client-auth", "require", "request") == "request" {
		s.ClientAuth = tlsconf.RequestCertificate
	}
	if len(r.faults) > before {
		return
	}
	asked := r.get("client-auth")
	switch {
	case len(s.ClientCAs) == 0 && asked.from != "":
		r.faults = append(r.faults, fault{
			What: "client-auth " + asked.texts[0] + " without a client-ca", Where: asked.from, Usage: true,
			Why: "no client is asked for a certificate", Mend: "name the CA's file with --client-ca, or leave out client-auth",
		})
	case len(s.ClientCAs) > 0 && s.HTTPS == "" && (r.get("https").texts[0] == off || s.Inherited.givesAny()):
		r.faults = append(r.faults, fault{
			What: "client-ca without an https listener", Where: from, Usage: true,
			Why: "clients show certificates over TLS alone", Mend: "give --https an address, or leave out client-ca",
		})
	}
}
