package media

import "strings"

// rangesLimit is how many media ranges of a field count. A browser sends eight; each more
// would cost time that the client decides about.
const rangesLimit = 32

// Quality is how gladly a client takes a type such as "text/html", from 0, which is not at
// all, to 1000. accept is the field's value, its lines joined by commas, and an empty one
// stands for no field: everything is welcome (RFC 9110 §12.5.1). The most specific range
// counts. Parameters other than q are not looked at: a range with some is taken for one
// without. A range that is malformed is passed over.
func Quality(accept, mediaType string) int {
	if strings.Trim(accept, " \t,") == "" {
		return 1000
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	best, quality := 0, 0
	for range rangesLimit {
		one, rest, more := strings.Cut(accept, ",")
		name, parameters, _ := strings.Cut(one, ";")
		name = strings.ToLower(strings.Trim(name, " \t"))
		rank := 0
		switch name {
		case mediaType:
			rank = 3
		case kind + "/*":
			rank = 2
		case "*/*":
			rank = 1
		}
		if q, ok := weight(parameters); ok && rank > best {
			best, quality = rank, q
		}
		if accept = rest; !more {
			break
		}
	}
	return quality
}

// NamesHTML tells whether a client takes HTML, and says so by name: one that takes anything does not.
func NamesHTML(accept string) bool { return named(accept, "text/html") > 0 }

// PrefersJSON tells a program from a person: its Accept names a JSON type, and names it at
// least as gladly as it would take HTML. A client that takes anything has not asked for JSON.
func PrefersJSON(accept string) bool {
	if !strings.Contains(strings.ToLower(accept), "json") {
		return false
	}
	best := max(Quality(accept, "application/json"), named(accept, "application/problem+json"))
	return best > 0 && best >= Quality(accept, "text/html")
}

// named is the quality of a type that the field has word for word, 0 otherwise.
func named(accept, mediaType string) int {
	if !strings.Contains(strings.ToLower(accept), mediaType) {
		return 0
	}
	return Quality(accept, mediaType)
}

// weight is the q among a range's parameters in thousandths (RFC 9110 §12.4.2).
func weight(parameters string) (thousandths int, ok bool) {
	for parameters != "" {
		var one string
		one, parameters, _ = strings.Cut(parameters, ";")
		name, value, _ := strings.Cut(strings.Trim(one, " \t"), "=")
		if strings.EqualFold(name, "q") {
			return qvalue(value)
		}
	}
	return 1000, true
}

// qvalue is "0" or "1" with at most three decimals, and no more than 1.
func qvalue(s string) (thousandths int, ok bool) {
	if len(s) == 0 || len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	thousandths = int(s[0]-'0') * 1000
	for i, unit := 2, 100; i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		thousandths += int(s[i]-'0') * unit
	}
	return thousandths, thousandths <= 1000
}
