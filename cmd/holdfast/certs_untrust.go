package main

import (
	"context"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/cmd/holdfast/trust"
)

const (
	everyFingerprint = "all"
	// fingerprintDigits are enough to mean one certificate, and what its name in a store has.
	fingerprintDigits = 16
)

// foldFingerprint is one as programs print it, with colons or without.
func foldFingerprint(text string) string {
	return strings.ToLower(strings.ReplaceAll(text, ":", ""))
}

func checkFingerprint(text string) *fault {
	digits := foldFingerprint(text)
	if text == "" || text == everyFingerprint || len(digits) >= fingerprintDigits && strings.Trim(digits, "0123456789abcdef") == "" {
		return nil
	}
	return &fault{
		What: "fingerprint " + quote(text) + " is neither " + everyFingerprint + " nor hexadecimal digits, 16 or more", Where: "--fingerprint", Usage: true,
		Mend: "holdfast certs untrust --fingerprint all --dry-run lists those there are",
	}
}

// planByFingerprint plans to take out those that were put into the stores, whatever is in the
// state directory by now.
func (t *trustChange) planByFingerprint(scope trust.Scope) {
	ctx := context.Background()
	for _, c := range t.machine.Placed(ctx, scope) {
		if t.print != everyFingerprint && !strings.HasPrefix(c.Fingerprint(), foldFingerprint(t.print)) {
			continue
		}
		p := t.machine.Untrust(ctx, c, scope)
		for _, s := range p.Steps {
			if len(s.Commands) > 0 {
				s.Store += ", which has " + told(c)
				t.plan.Steps = append(t.plan.Steps, s)
			}
		}
		t.plan.Notes = append(t.plan.Notes, p.Notes...)
	}
	if len(t.plan.Steps) == 0 && len(t.plan.Notes) == 0 {
		t.plan.Notes = []string{"no such CA is in a store under a name of ours"}
	}
}

// noteOthers tells of CAs that are trusted besides: one that was replaced since, most likely,
// whose key may be the reason why it was. They may be another server's too, so they stay.
func (t *trustChange) noteOthers(scope trust.Scope) {
	others := slices.DeleteFunc(t.machine.Placed(context.Background(), scope), func(c trust.Certificate) bool {
		return c.Fingerprint() == t.ca.Fingerprint()
	})
	for _, c := range others {
		one := trustChange{only: t.only, print: c.Fingerprint()}
		t.plan.Notes = append(t.plan.Notes, "A CA that was replaced, or another server's, stays trusted: "+told(c)+"; to take it out: "+one.line("", false, t.only))
	}
}

// told is a certificate in a line.
func told(c trust.Certificate) string {
	return c.Subject.CommonName + ", SHA-256 " + c.Fingerprint()
}

// mendMissing says what helps where the state directory has no CA.
func (t *trustChange) mendMissing() string {
	if t.in {
		return "make one with holdfast certs ca, or name the server's directory with --state"
	}
	return "name the server's directory with --state, or see what is trusted with --fingerprint all --dry-run"
}
