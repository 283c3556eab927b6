package account

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// isSafe tells whether a method asks and changes nothing (RFC 9110 §9.2.1).
func isSafe(method string) bool {
	return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE"
}

// crossOrigin tells whether a browser sent the request on behalf of another origin, by what it
// says and no page can forge: Sec-Fetch-Site where there is one (W3C Fetch Metadata §2.4), else
// Origin (RFC 6454 §7), which has to be the scheme and authority that the request is for. A
// request with neither is from no browser of this decade, and has no browser's cookies to
// misuse. Another host of the same site is another origin: cookies with SameSite=Lax do not
// tell the two apart.
func crossOrigin(r *http1.Request, trusted []string) bool {
	site, origin := r.Field("Sec-Fetch-Site"), r.Field("Origin")
	switch {
	case origin != "" && slices.Contains(trusted, origin):
		return false
	case site == "same-origin" || site == "none":
		return false
	case site != "":
		return true
	case origin == "":
		return false
	}
	return !sameOrigin(origin, r.Scheme(), r.Authority())
}

// checkOrigin tells why a text is not what browsers send as an Origin over HTTPS (RFC 6454 §6.2):
// one with a path, a capital or the scheme's own port would never be met, and "null" is anybody's.
func checkOrigin(text string) error {
	u, err := url.Parse(text)
	if err == nil && text == "https://"+u.Host && u.Hostname() != "" && strings.Trim(u.Host, "abcdefghijklmnopqrstuvwxyz0123456789-._:[]") == "" {
		port := strings.TrimPrefix(u.Host[strings.LastIndexByte(u.Host, ']')+1:], u.Hostname())
		n, err := strconv.ParseUint(strings.TrimPrefix(port, ":"), 10, 16)
		if port == "" || err == nil && n > 0 && n != 443 && port == ":"+strconv.FormatUint(n, 10) {
			return nil
		}
	}
	return fmt.Errorf("account: the trusted origin %q is not https://host or https://host:port, in lower case and without port 443", text)
}

// sameOrigin tells whether an Origin field's value is that of a scheme and an authority. Hosts
// compare without regard to case, and the scheme's own port may be left out.
func sameOrigin(origin, scheme, authority string) bool {
	s, host, ok := strings.Cut(origin, "://")
	port := ":80"
	if scheme == "https" {
		port = ":443"
	}
	return ok && authority != "" && s == scheme &&
		strings.EqualFold(strings.TrimSuffix(host, port), strings.TrimSuffix(authority, port))
}
