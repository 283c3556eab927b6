package certs

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// derOf returns the bytes of the first block.
func derOf(pemData []byte) []byte {
	block, _ := pem.Decode(pemData)
	return block.Bytes
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParsePairFaults(t *testing.T) {
	site := order{names: []string{"a.example"}}
	cert, key := site.make(t)
	otherCert, otherKey := site.make(t)
	expired, expiredKey := order{names: []string{"a.example"}, to: born.AddDate(0, 0, -1)}.make(t)
	nameless, namelessKey := order{}.make(t)
	both, bothKey := order{to: born.AddDate(0, 0, -1)}.make(t)
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	exchangeKey, err := x509.MarshalPKCS8PrivateKey(exchange)
	if err != nil {
		t.Fatal(err)
	}
	locked := []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")

	for name, row := range map[string]struct {
		cert, key []byte
		want      [][]string // one error each, with these parts
	}{
		"key of another pair":             {cert, otherKey, [][]string{{"a.key", "does not match", "a.pem"}}},
		"files swapped":                   {key, cert, [][]string{{"swapped", "--cert", "--key"}}},
		"key given twice":                 {key, key, [][]string{{"a.pem", "private key and no certificate"}}},
		"certificate given twice":         {cert, cert, [][]string{{"a.key", "certificate and no private key"}}},
		"certificate in DER":              {derOf(cert), key, [][]string{{"a.pem", "DER", "openssl x509"}}},
		"key in DER":                      {cert, derOf(key), [][]string{{"a.key", "DER", "openssl pkey"}}},
		"both in DER are two faults":      {derOf(cert), derOf(key), [][]string{{"a.pem", "DER"}, {"a.key", "DER"}}},
		"empty certificate":               {nil, key, [][]string{{"a.pem", "no PEM certificate"}}},
		"empty key":                       {cert, nil, [][]string{{"a.key", "no PEM private key"}}},
		"noise":                           {[]byte("\x16\x03\x01"), key, [][]string{{"a.pem", "no PEM certificate"}}},
		"certificate half-written":        {cert[:len(cert)/2], key, [][]string{{"a.pem", "cut short"}}},
		"key half-written":                {cert, key[:len(key)/2], [][]string{{"a.key", "cut short"}}},
		"second of a chain half-written":  {slices.Concat(cert, otherCert[:90]), key, [][]string{{"a.pem", "cut short"}}},
		"certificate that is none inside": {encode("CERTIFICATE", []byte("junk")), key, [][]string{{"a.pem", "number 1"}}},
		"chain in the wrong order":        {slices.Concat(otherCert, cert), key, [][]string{{"a.pem", "number 2", "first"}}},
		"key behind a passphrase":         {cert, encode("ENCRYPTED PRIVATE KEY", []byte("x")), [][]string{{"a.key", "passphrase", "openssl pkey"}}},
		"key behind an old passphrase":    {cert, locked, [][]string{{"a.key", "passphrase"}}},
		"key that is none inside":         {cert, encode("PRIVATE KEY", []byte("junk")), [][]string{{"a.key", "not a key"}}},
		"key that cannot sign":            {cert, encode("PRIVATE KEY", exchangeKey), [][]string{{"a.key", "not a key", "ECDSA"}}},
		"expired":                         {expired, expiredKey, [][]string{{"a.pem", "expired at 2026-02-28T12:00:00Z", "renew", "clock"}}},
		"no name":                         {nameless, namelessKey, [][]string{{"a.pem", "subjectAltName"}}},
		"expired and no name":             {both, bothKey, [][]string{{"expired"}, {"subjectAltName"}}},
		"expired and not its key":         {expired, key, [][]string{{"does not match"}, {"expired"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsePair(Pair{"a.pem", "a.key"}, pairContent{cert: row.cert, key: row.key}, born)
			if err == nil {
				t.Fatal("accepted")
			}
			faults := split(err)
			if len(faults) != len(row.want) {
				t.Fatalf("got %d faults: %q", len(faults), faults)
			}
			for i, parts := range row.want {
				oneLine(t, faults[i], parts...)
			}
		})
	}
}

func TestParsePairAccepts(t *testing.T) {
	site := order{names: []string{"a.example"}}
	ecKey, rsaKey := newKey(t, false), newKey(t, true)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	ecCert, ecPKCS8 := order{names: site.names, key: ecKey}.make(t)
	rsaCert, _ := order{names: site.names, key: rsaKey}.make(t)
	edCert, edPKCS8 := order{names: site.names, key: edKey}.make(t)
	intermediate, _ := site.make(t)
	byAddress, byAddressKey := order{ips: []string{"192.0.2.1"}}.make(t)
	early, earlyKey := order{names: site.names, from: born.Add(1)}.make(t)

	for name, row := range map[string]struct {
		cert, key []byte
		chain     int
	}{
		"a PKCS #8 key":                {ecCert, ecPKCS8, 1},
		"a SEC 1 key":                  {ecCert, encode("EC PRIVATE KEY", sec1), 1},
		"SEC 1 behind its parameters":  {ecCert, slices.Concat(encode("EC PARAMETERS", []byte{6, 1, 0}), encode("EC PRIVATE KEY", sec1)), 1},
		"a PKCS #1 key":                {rsaCert, encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey.(*rsa.PrivateKey))), 1},
		"an Ed25519 key":               {edCert, edPKCS8, 1},
		"a chain":                      {slices.Concat(ecCert, intermediate), ecPKCS8, 2},
		"key and certificate together": {slices.Concat(ecPKCS8, ecCert), slices.Concat(ecPKCS8, ecCert), 1},
		"text around the blocks":       {slices.Concat([]byte("subject=a\n"), ecCert, []byte("\nend")), ecPKCS8, 1},
		"CRLF line ends":               {bytes.ReplaceAll(ecCert, []byte("\n"), []byte("\r\n")), ecPKCS8, 1},
		"a certificate for an address": {byAddress, byAddressKey, 1},
		"one that is not valid yet":    {early, earlyKey, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := parsePair(Pair{"a.pem", "a.key"}, pairContent{cert: row.cert, key: row.key}, born)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.chain.Certificate) != row.chain || c.chain.Leaf == nil || c.Source != "file a.pem" {
				t.Errorf("chain of %d, source %q", len(c.chain.Certificate), c.Source)
			}
		})
	}
}

func TestPairWarnings(t *testing.T) {
	p := Pair{"a.pem", "a.key"}
	for name, row := range map[string]struct {
		order order
		mode  fs.FileMode
		want  []string
	}{
		"a sound pair has none":                {order{names: []string{"a.example"}}, 0o600, nil},
		"a group may read the key":             {order{names: []string{"a.example"}}, 0o640, nil},
		"everybody must not":                   {order{names: []string{"a.example"}}, 0o644, []string{"mode 0644"}},
		"not valid yet":                        {order{names: []string{"a.example"}, from: born.AddDate(0, 0, 1)}, 0o600, []string{"not valid before 2026-03-02"}},
		"not for servers, and all may read it": {order{names: []string{"a.example"}, clientUse: true}, 0o604, []string{"chmod 600", "serverAuth"}},
	} {
		t.Run(name, func(t *testing.T) {
			certPEM, keyPEM := row.order.make(t)
			content := pairContent{cert: certPEM, key: keyPEM, keyMode: row.mode}
			c, err := parsePair(p, content, born)
			if err != nil {
				t.Fatal(err)
			}
			got := content.warnings(p, c, born)
			if len(got) != len(row.want) {
				t.Fatalf("got %q", got)
			}
			for i, part := range row.want {
				if !strings.Contains(got[i], part) || strings.Contains(got[i], "\n") {
					t.Errorf("got %q, want %q in it", got[i], part)
				}
			}
		})
	}
}

func TestReadPair(t *testing.T) {
	dir := t.TempDir()
	good := writePair(t, dir, "a.example")
	large := filepath.Join(dir, "large")
	writeFile(t, large, make([]byte, maxFileBytes+1))
	missing := filepath.Join(dir, "missing")
	for name, row := range map[string]struct {
		pair Pair
		want [][]string
	}{
		"missing certificate":       {Pair{missing, good.KeyFile}, [][]string{{"certificate file", missing, "does not exist"}}},
		"missing key":               {Pair{good.CertFile, missing}, [][]string{{"key file", missing, "does not exist"}}},
		"both missing":              {Pair{missing, missing}, [][]string{{"certificate file"}, {"key file"}}},
		"no key named":              {Pair{good.CertFile, ""}, [][]string{{good.CertFile, "--key"}}},
		"a directory":               {Pair{dir, good.KeyFile}, [][]string{{dir, "not a regular file"}}},
		"a file of over 1 MiB":      {Pair{large, good.KeyFile}, [][]string{{large, "1048576 bytes"}}},
		"a file where a folder was": {Pair{filepath.Join(large, "x"), good.KeyFile}, [][]string{{"not a directory"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readPair(row.pair)
			if err == nil {
				t.Fatal("read")
			}
			faults := split(err)
			if len(faults) != len(row.want) {
				t.Fatalf("got %q", faults)
			}
			for i, parts := range row.want {
				oneLine(t, faults[i], parts...)
			}
		})
	}
	t.Run("a file that may not be read", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may read anything: run as another user")
		}
		if err := os.Chmod(good.KeyFile, 0); err != nil {
			t.Fatal(err)
		}
		_, err := readPair(good)
		oneLine(t, err, good.KeyFile, "may not be read")
	})
}

// FuzzParsePair holds what every content must keep to: no panic, a served pair matches,
// an error is a line of text and has nothing of the key in it.
func FuzzParsePair(f *testing.F) {
	cert, key := order{names: []string{"a.example"}}.make(f)
	other, otherKey := order{names: []string{"b.example"}}.make(f)
	f.Add(cert, key)
	f.Add(key, cert)
	f.Add(cert, otherKey)
	f.Add(slices.Concat(other, cert), key)
	f.Add(cert[:100], key[:100])
	f.Add(derOf(cert), derOf(key))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, certData, keyData []byte) {
		c, err := parsePair(Pair{"a.pem", "a.key"}, pairContent{cert: certData, key: keyData}, born)
		if err == nil {
			if !matches(c.chain) {
				t.Error("the key is another's")
			}
			return
		}
		for _, fault := range split(err) {
			if strings.ContainsAny(fault.Error(), "\n\r\x00") || len(fault.Error()) > 1000 {
				t.Errorf("not a line: %q", fault)
			}
			for line := range bytes.Lines(keyData) {
				if len(line) > 30 && strings.Contains(fault.Error(), strings.TrimSpace(string(line))) {
					t.Errorf("the key is in %q", fault)
				}
			}
		}
	})
}
