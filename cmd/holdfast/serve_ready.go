package main

import (
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1/admin"
)

// certificatesVerdict tells /readyz of domains without a certificate of the CA's, or with one that
// has expired. An unready server gets no traffic, so the CA's challenge would never arrive: it is
// no more than a warning, unless somebody said that it does arrive.
func (p *publicCA) certificatesVerdict(needed bool) admin.Verdict {
	var missing, expired []string
	for _, f := range p.source.Figures().Hosts {
		switch {
		case !f.Present:
			missing = append(missing, f.Host)
		case f.Expiry <= 0:
			expired = append(expired, f.Host)
		}
	}
	switch words := strings.Join(missing, ", "); {
	case len(missing) > 0 && needed:
		return admin.Failure("there is no certificate for " + words + " yet")
	case len(missing) > 0:
		return admin.Warning("there is no certificate for " + words + " yet: see holdfast certs explain")
	case len(expired) > 0: // to send clients elsewhere helps nobody where all replicas have the same
		return admin.Warning("the certificate has expired for " + strings.Join(expired, ", ") + ": see holdfast certs explain")
	}
	return p.storeVerdict()
}

// storeWarning is for how long a layer of the store fails before somebody should look.
const storeWarning = 10 * time.Second

func (p *publicCA) storeVerdict() admin.Verdict {
	for _, layer := range p.store.Status().Layers {
		if since := layer.FailingSince; !since.IsZero() && time.Since(since) > storeWarning {
			return admin.Warning("the " + layer.Layer + " store of certificates fails: " + plain(layer.LastError))
		}
	}
	return admin.OK()
}
