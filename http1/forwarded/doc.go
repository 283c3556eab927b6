// Package forwarded finds the client behind trusted proxies: its address and its scheme,
// from Forwarded (RFC 7239) or from X-Forwarded-For and X-Forwarded-Proto.
//
// A proxy appends: what it says of the other end of its own connection stands to the right
// of all that came with the request. So both fields are read from the right, lines of one
// field as one list. As long as the one who wrote an entry is trusted, beginning with the
// connection's other end, the entry is believed; the first address that is not a trusted
// proxy's is the client, and all to the left of it is what that client chose to say. Where
// every address is trusted the leftmost is the client.
//
// The walk also ends, at the last address that it knows, where an entry is malformed,
// missing, "unknown" or obfuscated (RFC 7239 §6.2, §6.3), after 32 entries, and after
// 4 KiB. Empty entries, which RFC 9110 §5.6.1 lets a recipient pass over, end it too: a
// proxy that did not know its client may have written one, and to the left of it stands
// what that client said.
//
// How an entry is delimited does not depend on what stands to the left of it, be it an
// unbalanced quote: nothing that a client sends changes how a proxy's word is read.
//
// The scheme is the one of the entry at which the walk ends. X-Forwarded-Proto is a list
// of its own; its entries are matched with those of X-Forwarded-For from the right, and
// where it has too few of them the rightmost counts: most proxies write a single one. A
// proxy has to write or to delete that field in each request, for nothing in it tells a
// proxy's entry from the client's.
package forwarded
