package wire

import (
	"slices"
	"strings"
)

// A Reason is why a request is refused: a stable code for metrics, logs and
// documentation, the status that answers it, the clause it broke and one sentence of
// why. Reasons are compared by pointer and never changed.
type Reason struct {
	Code    string // such as "bad-chunk-size"
	Status  int    // such as 400
	Section string // such as "RFC 9112 §7.1"
	Why     string
}

// Error is the code, the section and the sentence. It holds no byte of the request.
func (r *Reason) Error() string { return r.Code + " (" + r.Section + "): " + r.Why }

// declared collects the Reasons below while the package initialises.
var declared []*Reason

func reason(code string, status int, section, why string) *Reason {
	r := &Reason{Code: code, Status: status, Section: section, Why: why}
	declared = append(declared, r)
	return r
}

// Reasons returns every Reason there is, sorted by code, in a slice of the caller's own.
func Reasons() []*Reason {
	all := slices.Clone(declared)
	slices.SortFunc(all, func(a, b *Reason) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// What Scan refuses, most of it before the head is whole.
var (
	BareLF = reason("bare-lf", 400, "RFC 9112 §2.2",
		"A line ended in LF without CR; a parser that takes it as a line end sees other fields than one that does not.")
	BareCR = reason("bare-cr", 400, "RFC 9112 §2.2",
		"A CR was not followed by LF; some parsers end a line there and others do not.")
	LeadingLines = reason("leading-lines", 400, "RFC 9112 §2.2",
		"More than one empty line came before the request line.")
	TLSOnPlain = reason("tls-on-plain", 400, "RFC 9110 §4.2.2",
		"A TLS handshake came to a port that speaks plain HTTP; the URL should say http, or name the TLS port.")
	MethodTooLong = reason("method-too-long", 400, "RFC 9112 §3",
		"The method is longer than any method there is.")
	RequestLineTooLong = reason("request-line-too-long", 414, "RFC 9112 §3",
		"The request line, most of all its target, is longer than this server reads.")
	HeadTooLarge = reason("head-too-large", 431, "RFC 6585 §5",
		"The request line and fields together are larger than this server reads.")
	TooManyFields = reason("too-many-fields", 431, "RFC 6585 §5",
		"There are more field lines than this server reads.")
)

// What Parse refuses in the request line.
var (
	BadMethod = reason("bad-method", 400, "RFC 9110 §9.1",
		"The method is not a token.")
	BadRequestLine = reason("bad-request-line", 400, "RFC 9112 §3",
		"The request line is not a method, a target and a version with one space between each.")
	NoVersion = reason("no-version", 400, "RFC 9112 §3",
		"The request line names no protocol version; HTTP/0.9 is not spoken here.")
	BadVersion = reason("bad-version", 400, "RFC 9112 §2.3",
		"The protocol version is not HTTP/, a digit, a dot and a digit.")
	UnsupportedVersion = reason("unsupported-version", 505, "RFC 9110 §15.6.6",
		"The major version is not 1.")
	IncompleteHead = reason("incomplete-head", 400, "RFC 9112 §2.1",
		"The head ended before its empty line.")
)

// What Parse refuses in the target and the host.
var (
	BadTarget = reason("bad-target", 400, "RFC 9112 §3.2",
		"The target has none of the four forms, or one that does not go with its method.")
	BadTargetByte = reason("bad-target-byte", 400, "RFC 3986 §2",
		"The target holds a byte that must be percent-encoded: a control byte, one above 0x7E, or one of # < > \" \\.")
	BadEscape = reason("bad-escape", 400, "RFC 3986 §2.1",
		"A percent sign in the target is not followed by two hexadecimal digits.")
	BadScheme = reason("bad-scheme", 400, "RFC 9110 §4.2",
		"The target's scheme is neither http nor https.")
	Userinfo = reason("userinfo", 400, "RFC 9110 §4.2.4",
		"The target's authority holds a user name or password, which misleads about its host.")
	BadAuthority = reason("bad-authority", 400, "RFC 3986 §3.2",
		"The target's authority is not a host with an optional port.")
	MissingHost = reason("missing-host", 400, "RFC 9112 §3.2",
		"An HTTP/1.1 request must have a Host field.")
	DuplicateHost = reason("duplicate-host", 400, "RFC 9112 §3.2",
		"There is more than one Host field; two servers may each believe another one.")
	BadHost = reason("bad-host", 400, "RFC 9112 §3.2",
		"The Host field is not one host with an optional port.")
)

// What Parse refuses in the fields.
var (
	LeadingSpace = reason("leading-space", 400, "RFC 9112 §2.2",
		"White space stands between the request line and the first field.")
	ObsFold = reason("obs-fold", 400, "RFC 9112 §5.2",
		"A field line begins with white space; folded lines are obsolete and hide fields.")
	SpaceBeforeColon = reason("space-before-colon", 400, "RFC 9112 §5.1",
		"White space stands between a field name and its colon; this has been used to smuggle requests.")
	MissingColon = reason("missing-colon", 400, "RFC 9112 §5",
		"A field line has no colon.")
	BadFieldName = reason("bad-field-name", 400, "RFC 9110 §5.1",
		"A field name is empty or not a token.")
	BadFieldValue = reason("bad-field-value", 400, "RFC 9110 §5.5",
		"A field value holds a control byte.")
	UnknownExpectation = reason("unknown-expectation", 417, "RFC 9110 §10.1.1",
		"The Expect field asks for something other than 100-continue.")
)

// What Parse refuses in the framing.
var (
	LengthAndCoding = reason("length-and-coding", 400, "RFC 9112 §6.3",
		"Content-Length and Transfer-Encoding came together, the classic of request smuggling.")
	DuplicateLength = reason("duplicate-length", 400, "RFC 9112 §6.3",
		"There is more than one Content-Length field.")
	BadLength = reason("bad-length", 400, "RFC 9112 §6.2",
		"The Content-Length is not a plain decimal number.")
	LengthOverflow = reason("length-overflow", 400, "RFC 9110 §8.6",
		"The Content-Length does not fit into 63 bits.")
	DuplicateCoding = reason("duplicate-coding", 400, "RFC 9112 §6.1",
		"There is more than one Transfer-Encoding field.")
	BadCoding = reason("bad-coding", 400, "RFC 9112 §6.1",
		"The Transfer-Encoding is not a single coding without parameters.")
	CodingIn10 = reason("coding-in-1.0", 400, "RFC 9112 §6.1",
		"An HTTP/1.0 request has a Transfer-Encoding, which that version does not know.")
	UnknownCoding = reason("unknown-coding", 501, "RFC 9112 §6.1",
		"The transfer coding is not chunked, the only one this server knows.")
	BodyTooLarge = reason("body-too-large", 413, "RFC 9110 §15.5.14",
		"The content is larger than this server takes.")
)

// What Chunked and Trailers refuse.
var (
	BadChunkSize = reason("bad-chunk-size", 400, "RFC 9112 §7.1",
		"A chunk's size is not hexadecimal digits alone.")
	ChunkSizeOverflow = reason("chunk-size-overflow", 400, "RFC 9112 §7.1",
		"A chunk's size has more than 16 digits or does not fit into 63 bits.")
	BadChunkExtension = reason("bad-chunk-extension", 400, "RFC 9112 §7.1.1",
		"A chunk extension is not a name with an optional token or quoted string.")
	ChunkLineTooLong = reason("chunk-line-too-long", 400, "RFC 9112 §7.1.1",
		"A chunk's extensions are longer than this server reads.")
	BadChunkEnd = reason("bad-chunk-end", 400, "RFC 9112 §7.1",
		"A chunk's content is not followed by CRLF.")
	ChunkOverhead = reason("chunk-overhead", 400, "RFC 9112 §7.1.1",
		"The chunk lines outweigh the content that they frame.")
	TrailersTooLarge = reason("trailers-too-large", 431, "RFC 6585 §5",
		"The trailer section is larger than this server reads.")
	ForbiddenTrailer = reason("forbidden-trailer", 400, "RFC 9110 §6.5.1",
		"A trailer has the name of a field that counts only in the head: framing, routing, credentials, conditions or the form of the content.")
)

// What only the caller, who has the clock and the connection, can see.
var (
	HeadTimeout = reason("head-timeout", 408, "RFC 9110 §15.5.9",
		"The head was not whole in the time allowed for it.")
	BodyTimeout = reason("body-timeout", 408, "RFC 9110 §15.5.9",
		"The content stopped coming, or came more slowly than this server waits for.")
	IncompleteBody = reason("incomplete-body", 400, "RFC 9112 §8",
		"The connection ended before the content did.")
	PlainOnTLS = reason("plain-on-tls", 400, "RFC 9110 §4.2.2",
		"Plain HTTP came to a port that speaks TLS; the URL should say https.")
)
