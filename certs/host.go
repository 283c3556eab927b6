package certs

import "fmt"

// HostName returns name in the form in which a public CA signs it and a store keeps it:
// lower case, A-labels (RFC 5890 §2.3.2.1), no trailing dot. An address, a wildcard and
// what is no host name are errors.
func HostName(name string) (string, error) {
	ascii, err := asciiName(name)
	switch {
	case err != nil:
		return "", err
	case baseName(ascii) != ascii:
		return "", fmt.Errorf("%q is a wildcard, which needs a certificate from files", name)
	case numeric(ascii):
		return "", fmt.Errorf("%q is an address, not a host name", name)
	}
	return ascii, nil
}
