package wire

import "strconv"

// AppendStatusLine appends the status line of an HTTP/1.1 response (RFC 9112 §4), with an
// empty reason phrase for a status that the registry does not name. It panics on a
// status that is not three digits, for that would break the message.
func AppendStatusLine(dst []byte, status int) []byte {
	if status == 200 {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	if status < 100 || status > 999 {
		panic("wire: status " + strconv.Itoa(status) + " has not three digits")
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, StatusText(status)...)
	return append(dst, '\r', '\n')
}

// AppendField appends a field line (RFC 9112 §5). It checks nothing: a name or value that
// others had a hand in goes through ValidFieldName and ValidFieldValue first.
func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}

// AppendChunkSize appends the line that begins a chunk of n bytes (RFC 9112 §7.1). With n 0
// that is the last chunk: a writer must not do so for an empty write. It panics on a
// negative n.
func AppendChunkSize(dst []byte, n int64) []byte {
	if n < 0 {
		panic("wire: negative chunk size")
	}
	return append(strconv.AppendInt(dst, n, 16), '\r', '\n')
}

// ValidFieldName tells whether name is a token (RFC 9110 §5.1).
func ValidFieldName(name string) bool {
	for i := range len(name) {
		if class[name[i]]&tokenByte == 0 {
			return false
		}
	}
	return name != ""
}

// ValidFieldValue tells whether value can be sent as a field value (RFC 9110 §5.5): it
// holds no CR, LF or NUL, with which one field becomes two or a response is split, and no
// other control byte but TAB. Bytes above 0x7F pass.
func ValidFieldValue(value string) bool {
	for i := range len(value) {
		if class[value[i]]&textByte == 0 {
			return false
		}
	}
	return true
}
