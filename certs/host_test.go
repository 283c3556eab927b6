package certs

import "testing"

func TestHostName(t *testing.T) {
	for given, want := range map[string]string{
		"Example.ORG.":   "example.org",
		"bücher.example": "xn--bcher-kva.example",
		"localhost":      "localhost",
	} {
		t.Run(given+" is "+want, func(t *testing.T) {
			if got, err := HostName(given); err != nil || got != want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	for bad, word := range map[string]string{
		"*.example.org": "wildcard",
		"192.0.2.1":     "address",
		"::1":           "host name",
		"a b":           "host name",
		"":              "host name",
		"example.org:1": "host name",
	} {
		t.Run("refuses "+bad, func(t *testing.T) {
			got, err := HostName(bad)
			if err == nil {
				t.Fatalf("accepted as %q", got)
			}
			oneLine(t, err, word)
		})
	}
}
