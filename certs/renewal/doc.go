// Package renewal gets and keeps certificates from a public CA: it decides when a
// certificate is ordered, by whom of several replicas, and what is served meanwhile.
//
// A Source is what the server sees: the certificates of its hosts, one each. Source.Run
// runs one keeper for each host, a goroutine that owns all that is known of the host and
// takes turns: it looks at the store, gives it what it has not taken, asks the CA for
// advice, warns, and orders. A handshake never gets here: it reads what was published.
//
// # When
//
// When the CA advises (ARI, RFC 9773), at a random moment in its window. Otherwise after
// two thirds of the certificate's life, or half of one shorter than ten days, and up to a
// twentieth of its life earlier. The random number is drawn from the certificate itself,
// so that all replicas come to the same moment, and a restart does too.
//
// # Who
//
// Whoever gets the lease "order/HOST". Having it, a replica looks at the store once more,
// since another may have renewed; the others look every 1 to 2 s until they find the new
// certificate, or the lease free because its holder has failed or died. A holder that
// loses the lease stops ordering. All that is written is written under the lease.
//
// # What stops an order
//
//   - A rest after a failure: a minute, doubling to an hour, or as long as the CA asked
//     for, but a day at most. It is kept in "ledger/HOST", for restarts and replicas.
//   - The budget: orders are counted in "budget/HOST" and "budget/account_KEY" before they
//     are placed, and end below the CA's limits, even if each kills the process.
//   - A store that takes nothing, since it could not count: until halfway between the time
//     to renew and the end of the certificate, or for 5 minutes where there is none.
//   - A clock that finds what was issued just now expired.
//
// # Several CAs
//
// What is kept of a host is kept for each CA apart. Where there is nothing of this CA yet,
// another's certificate is served until this one has issued.
//
// # What is served
//
// What was served stays served, expired or not, until a certificate comes that ends no
// earlier and with which a handshake has succeeded; an earlier end is taken only when the
// CA's advice or an operator asked for the order. A new certificate is proven, then stored,
// then served; a store that fails delays the second and not the third.
package renewal
