package files

import (
	"path"
	"unicode/utf8"
)

// attachmentOf is the Content-Disposition of a file that browsers save by its own name. One that is
// no plain ASCII is said twice, the second time in UTF-8 (RFC 6266 §4.3, RFC 8187 §3.2): the
// first is for clients that know no better. A name that is no UTF-8 has the first alone.
func attachmentOf(name string) string {
	name = path.Base(name)
	plain, simple := make([]byte, 0, len(name)), true
	for _, c := range name {
		if c < ' ' || c >= 0x7F || c == '"' || c == '\\' || c == '%' { // what quoting, or a careless client, would change
			c, simple = '_', false
		}
		plain = append(plain, byte(c))
	}
	field := `attachment; filename="` + string(plain) + `"`
	if simple || !utf8.ValidString(name) {
		return field
	}
	return string(appendEscaped([]byte(field+"; filename*=UTF-8''"), name, "!#$&+-.^_`|~"))
}
