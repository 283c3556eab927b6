package certs

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

func TestParseBundle(t *testing.T) {
	one, other := order{names: []string{"a.example", "b.example"}}.served(t), order{names: []string{"c.example"}}.served(t)
	chain := func(c *Certificate) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf().Raw}))
	}
	key := func(c *Certificate) string {
		der, err := x509.MarshalPKCS8PrivateKey(c.TLS().PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	for _, bundle := range []string{key(one) + chain(one), chain(one) + key(one)} {
		got, err := ParseBundle("test", []byte(bundle))
		if err != nil {
			t.Fatal(err)
		}
		if got.Source != "test" || !slices.Equal(got.Names, one.Names) || got.Serial != one.Serial {
			t.Errorf("parsed %+v, want the certificate for %v", got, one.Names)
		}
	}
	for name, bundle := range map[string]string{
		"nothing at all is refused":                       "",
		"a key without a certificate is refused":          key(one),
		"a certificate without a key is refused":          chain(one),
		"another certificate's key is refused":            key(other) + chain(one),
		"a bundle that was cut short is refused":          (key(one) + chain(one))[:len(key(one))+100],
		"a certificate that is no certificate is refused": key(one) + "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseBundle("test", []byte(bundle))
			if err == nil || got != nil {
				t.Fatalf("got %v, %v; want an error", got, err)
			}
			if strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("the error repeats the bundle: %v", err)
			}
		})
	}
}

func TestShelf(t *testing.T) {
	var s Shelf
	told := 0
	s.OnChange(func() { told++ })
	if got := s.Certificates(); len(got) != 0 {
		t.Fatalf("an empty shelf serves %v", got)
	}
	c := order{names: []string{"a.example"}}.served(t)
	s.Put([]*Certificate{c})
	if got := s.Certificates(); told != 1 || len(got) != 1 || got[0] != c {
		t.Errorf("after Put: %v, told %d times; want the certificate, told once", got, told)
	}
}
