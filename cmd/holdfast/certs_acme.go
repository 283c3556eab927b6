package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/renewal"
)

// acmeRenewer is for certificates that a public CA issues.
type acmeRenewer struct{ source *renewal.Source }

func (a acmeRenewer) Status() []renewalStatus {
	served := make(map[string]*certs.Certificate)
	for _, c := range a.source.Certificates() {
		served[c.Serial] = c
	}
	var list []renewalStatus
	for _, st := range a.source.Status() {
		list = append(list, renewalStatus{
			Hosts: []string{st.Host}, Served: served[st.Serial], Source: "ACME",
			Next: nextOrder(st), Why: reasonOfNext(st), LastError: st.LastError, LastErrorAt: st.LastErrorAt,
		})
	}
	return list
}

// nextOrder is when the next one is placed, as far as that is known.
func nextOrder(st renewal.Status) time.Time {
	if st.RestsUntil.After(st.Next) {
		return st.RestsUntil
	}
	return st.Next
}

// reasonOfNext says why then.
func reasonOfNext(st renewal.Status) string {
	switch {
	case st.Ordering:
		return "it is being ordered now"
	case st.WaitsFor != "":
		return "another replica orders it: " + st.WaitsFor
	case !st.RestsUntil.IsZero() && st.RestsUntil.After(st.Next):
		return st.Rests
	}
	switch st.Why {
	case renewal.Missing:
		return "there is none yet"
	case renewal.Moved:
		return "the one in use is another CA's"
	case renewal.Advised:
		return "the CA advises so"
	}
	return "enough of its life has passed then"
}

func (a acmeRenewer) Explain(_ context.Context, host string) ([]string, error) {
	if !a.keeps(host) {
		return nil, errNotMine
	}
	e, err := a.source.Explain(host)
	if err != nil {
		return nil, err
	}
	said := e.Sentences
	for _, event := range e.Events {
		said = append(said, event.String())
	}
	return said, nil
}

// Renew waits a little for the order, so that most askers hear how it went.
func (a acmeRenewer) Renew(ctx context.Context, host string, force bool) (string, error) {
	if !a.keeps(host) {
		return "", errNotMine
	}
	ctx, cancel := context.WithTimeout(ctx, renewPatience)
	defer cancel()
	err := a.source.Renew(ctx, host, force)
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return "It is being ordered, or as soon as what is under way for it has ended; holdfast certs explain " + host + " tells how that goes.", nil
	case err != nil:
		return "", err
	}
	for _, st := range a.Status() {
		if st.covers(host) && st.Served != nil {
			return fmt.Sprintf("Certificate %s is served now; it expires at %s.", st.Served.Serial, st.Served.NotAfter.UTC().Format(time.RFC3339)), nil
		}
	}
	return "It was renewed.", nil
}

// renewPatience leaves whoever asks over the control socket time to hear the answer.
const renewPatience = 4 * time.Second

func (a acmeRenewer) keeps(host string) bool {
	for _, st := range a.source.Status() {
		if strings.EqualFold(st.Host, strings.TrimSuffix(host, ".")) {
			return true
		}
	}
	return false
}
