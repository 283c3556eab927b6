package main

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/holdfast-server/holdfast/conn"
)

// off is the word for a listener or a limit that there shall not be.
const off = "off"

// parseAddress checks what a listener may listen on and returns it as conn.Listen takes
// it, "" for off. Whether a host name resolves is found out by listening.
func parseAddress(text string) (string, *flaw) {
	if text == off {
		return "", nil
	}
	if path, ok := strings.CutPrefix(text, conn.UnixPrefix); ok {
		if f := socketSlip(path); f != nil {
			return "", f
		}
		return text, nil
	}
	if f := addressSlip(text); f != nil {
		return "", f
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", &flaw{What: "is no address", Mend: "write host:port, such as 127.0.0.1:8443, :8443 or [::1]:8443, or unix:PATH"}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || port != strconv.FormatUint(n, 10) {
		return "", &flaw{What: "has no port from 0 to 65535", Mend: "write one after the colon, such as :8443"}
	}
	if host == "" {
		return text, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && plainZone(addr.Zone()) {
		return text, nil
	}
	name, f := parseHostName(host)
	if f != nil {
		return "", f
	}
	return net.JoinHostPort(name, port), nil
}

// plainZone tells whether an IPv6 zone looks like an interface's name or number: netip
// takes any byte in it.
func plainZone(zone string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	return !strings.ContainsFunc(zone, odd)
}

// addressSlip recognises what people write instead of an address.
func addressSlip(text string) *flaw {
	switch {
	case text == "":
		return emptyFlaw()
	case strings.Contains(text, "://"):
		return &flaw{What: "is a URL", Mend: "write only its host and port, such as localhost:8443"}
	case isNumber(text):
		return &flaw{What: "is only a port", Mend: "write :" + text + " for every address, or 127.0.0.1:" + text}
	case strings.EqualFold(text, "none"), text == "false", text == "no":
		return &flaw{What: "is no address", Mend: "write off to listen on none"}
	case strings.ContainsRune(text, '/') && !strings.ContainsRune(text, ':'):
		return &flaw{What: "is no address", Mend: "write host:port, or " + conn.UnixPrefix + text + " for a unix socket"}
	}
	return nil
}

// socketSlip tells what is wrong with a unix socket's path.
func socketSlip(path string) *flaw {
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }
	switch {
	case path == "":
		return &flaw{What: "names no path", Mend: "write one after the colon, such as " + conn.UnixPrefix + "/run/holdfast/https.sock"}
	case strings.HasPrefix(path, "@"):
		return &flaw{What: "is an abstract socket", Why: "every user of the machine can connect to one", Mend: "write a path (./@ if it begins so)"}
	case len(path) > conn.UnixPathBytes:
		return &flaw{
			What: "has a path of " + strconv.Itoa(len(path)) + " bytes", Why: "a socket's address holds " + strconv.Itoa(conn.UnixPathBytes),
			Mend: "choose a shorter one, such as below /run",
		}
	case strings.HasSuffix(path, "/"):
		return &flaw{What: "names a directory", Mend: "add the socket's name"}
	case strings.ContainsFunc(path, odd):
		return &flaw{What: "has a control byte in its path", Mend: "use characters that can be printed"}
	}
	return nil
}

// parseHostName returns a host name with its A-labels (RFC 5890) in lower case.
func parseHostName(text string) (string, *flaw) {
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(text, "."))
	// idna takes bad UTF-8 for U+FFFD and makes a label of that, and lets empty labels be.
	if err != nil || !utf8.ValidString(text) || len(name) > 253 || slices.Contains(strings.Split(name, "."), "") {
		return "", &flaw{What: "has no valid host name", Mend: "use letters, digits and hyphens, or an IP address (IPv6 in brackets)"}
	}
	return name, nil
}

// parseLocalName returns a name for the local certificate: a host name, one with a
// first label of "*", or an IP address.
func parseLocalName(text string) (string, *flaw) {
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.Zone() != "" {
			return "", &flaw{What: "has a zone", Why: "a certificate cannot hold one", Mend: "leave out " + plain("%"+addr.Zone())}
		}
		return addr.Unmap().String(), nil
	}
	base, wild := strings.CutPrefix(text, "*.")
	if strings.ContainsAny(text, ":/") {
		return "", &flaw{What: "is no host name", Why: "a certificate knows neither scheme nor port nor path", Mend: "write the name alone"}
	}
	name, f := parseHostName(base)
	if f != nil {
		return "", &flaw{What: "is no host name", Mend: f.Mend}
	}
	if wild {
		return "*." + name, nil
	}
	return name, nil
}

// clash tells whether two listeners' addresses are the same fixed port of the same
// host, where a wildcard is every host, or the same unix socket. The name of one's lock is
// taken too.
func clash(a, b string) bool {
	pathA, unixA := strings.CutPrefix(a, conn.UnixPrefix)
	pathB, unixB := strings.CutPrefix(b, conn.UnixPrefix)
	if unixA || unixB {
		return unixA && unixB && samePath(pathA, pathB)
	}
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return wildcard(hostA) || wildcard(hostB) || strings.EqualFold(hostA, hostB)
}

// samePath tells whether two unix sockets, or one and the other's lock, are one file, as
// far as their names say.
func samePath(a, b string) bool {
	a, b = absolute(a), absolute(b)
	return a == b || a+".lock" == b || a == b+".lock"
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path) // there is no working directory
}

// addressText is a listener's address as it is written on the command line.
func addressText(addr net.Addr) string {
	if addr.Network() == "unix" {
		return conn.UnixPrefix + addr.String()
	}
	return addr.String()
}

func wildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}
