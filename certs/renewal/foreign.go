package renewal

import (
	"context"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/certs"
)

// entry is the name under which a kind of value is kept for the host and the CA. No host
// name has an underscore, so that no entry is another host's.
func (k *keeper) entry(kind string) string {
	if ca := k.source.config.CA; ca != "" {
		return kind + "/" + k.host + "_" + ca
	}
	return kind + "/" + k.host
}

// borrow serves what another CA has issued for the host until ours has: whoever changes
// the CA has a certificate meanwhile. It is never written, and the order for it is due now.
//
// Each CA's certificate has a name of its own in the store, and so two replicas that have
// different CAs while a change is rolled out do not renew each other's certificates in turn.
func (k *keeper) borrow(ctx context.Context) {
	if k.served != nil || k.borrowed {
		return
	}
	call, cancel := context.WithTimeout(ctx, k.source.config.Limits.StoreCall)
	names, err := k.source.config.Store.List(call, "cert/"+k.host)
	cancel()
	if err != nil {
		return // and the next look asks again
	}
	k.borrowed = true
	var best *certs.Certificate
	var bundle []byte
	for _, name := range slices.DeleteFunc(names, k.notForeign) {
		value, err := k.get(ctx, name)
		if err != nil {
			continue
		}
		found, err := k.soundOf(ctx, "another CA, from the store", value)
		if err == nil && k.now().Before(found.NotAfter) && (best == nil || found.NotAfter.After(best.NotAfter)) {
			best, bundle = found, value
		}
	}
	if best == nil {
		return
	}
	k.serve(best, bundle, k.now())
	k.foreign = true
	k.tell(Event{Kind: EventTaken, Serial: best.Serial, NotAfter: best.NotAfter, Words: "it is another CA's, and served until this one has issued"})
	k.log().Info("serving another CA's certificate until this one has issued", "serial", best.Serial, "not_after", best.NotAfter, "issuer", best.Issuer)
}

// notForeign tells whether name is not that of another CA's certificate for the host.
func (k *keeper) notForeign(name string) bool {
	own := "cert/" + k.host
	return name == k.entry("cert") || name != own && !strings.HasPrefix(name, own+"_")
}
