// Package files answers requests with the regular files below one directory.
//
// # What a path means
//
// The percent-encoded path is cut at its slashes first and decoded a segment at a time
// afterwards, so an encoded slash is never a separator. A segment that decodes to ".",
// "..", something with a slash, a backslash or a NUL, or to nothing ("//") is 404: a
// path has one spelling, and nothing here ever redirects to a cleaned one, so that
// "//evil.example/.." cannot become a Location. A segment that begins with a dot is 404
// too, but for ".well-known" as the first (RFC 8615). These rules look at the URL and
// never at where a link leads: a Kubernetes volume, whose files are links through
// "..data", works.
//
// All opening goes through [os.Root]. A relative link is followed as long as it stays
// inside; one that leads out, or that is absolute (even to a place inside), is 404 and
// one line in the log. FIFOs, sockets and devices are 404. Every directory on the way has
// to be readable, not merely searchable: os.Root opens each.
//
// A directory is its index.html, or 404, or with [Options.Browse] a listing: package listing has
// how it looks. It shows what can be asked for by the rules above and nothing else, reads at
// most 10,000 names, of at most four directories at a time, and says so where there are more.
// Accept: application/json gets it as JSON. It is made anew for each request (no-cache). Without its trailing slash
// it is a 301 to "./name/" with the query kept: relative, so that it is right below any
// prefix and can never name another host. 301 rather than 308 because only GET and HEAD
// come this far, for which they mean the same, and there are clients that know only the
// older. A file asked for with a trailing slash is 404.
//
// # What is sent
//
// The length, the ETag and the bytes come from one descriptor. The ETag is made of the size
// and the modification time in nanoseconds, equal on every replica that unpacked the same
// files; it says nothing about the inode for that reason. It is weak while the file is
// younger than its filesystem's clock can tell two writes apart (50 ms, or 2 s where times are
// whole seconds), since a rewrite of the same size could then hide. A time not after 1980-01-02,
// or at a full quarter of an hour to the nanosecond, is taken for the constant of a reproducible build, which two
// deployments share: such a file has a tag by content, none beyond 64 MiB, and no Last-Modified.
// A constant of one's own (SOURCE_DATE_EPOCH) cannot be told from a time: for those there is
// [ETagByContent]. Last-Modified is left out while it would lie in
// the future (RFC 9110 §8.8.2.1).
//
// A file that changes while it is sent never makes a wrong 200. The first 32 KiB are
// read, and the file looked at again, before the head goes out: a change there starts
// over, ten times at most, and then is 503. The last 32 KiB go out only if the file is
// still what it was, by its size, its time and, on Linux, its inode's time of change: otherwise
// the response ends short of its length and the server cuts the connection. That it grew is a
// change too. To be removed, replaced, or given another mode or owner is none; to be renamed away is,
// since the inode does not tell it from a rewrite with the time restored. A file that changed in the
// last minute, such as a log, is read twice where up to 16 MiB of it are sent: once before the
// head for a hash, and once for sending. It may grow meanwhile, and is cut only if the hashes differ.
// What stays unseen is a rewrite that leaves size and times as they were.
//
// Cache-Control is what the rules say, the first one that is for the file. Without a rule
// it is not set: how long a browser may reuse a file without asking is the site's to say,
// and until it does caches go by Last-Modified (RFC 9111 §4.2.2).
//
// Texts are declared to be UTF-8, and content types come from a table of this package,
// never from the machine's.
//
// # A root that moves
//
// [New] serves below the directory that was opened, wherever it is moved to. [Follow] serves below a
// path, which is how releases are switched: see [Directory].
//
// # In which coding
//
// A precompressed sibling (app.js.br, .zst, .gz) is another form of its file: with its type
// and its rules, but with its own length, validators and ranges, which are those of the
// encoded bytes. It has to be at least as new as the file. What is encoded on the fly has no
// ranges: a request for one gets the file as it is. Its tag is weak and ends in the coding's
// name. Up to 128 KiB the encoding is made in memory and has a length; what is larger is
// encoded while it is sent, and cut if the file changes. HEAD has the fields of GET. Whoever
// refuses the file as it is ("identity;q=0") gets what can be had, else 406. Error pages come in
// the same codings, and listings in those made on the fly; who takes neither gets them as they are.
//
// # In memory
//
// A [Cache] keeps small files, and what was encoded of them, for as long as the disk agrees
// when asked once a second. A file is taken in when its time is old enough to tell a later
// change, and read as one state. On Linux the inode's time of change is compared too, so
// that a rewrite with size and time restored is seen.
//
// # Conditions and ranges
//
// Preconditions are evaluated in the order of RFC 9110 §13.2.2, If-Match and If-Range
// strongly, If-None-Match weakly. A malformed list of entity tags matches nothing; a malformed
// date is ignored. Ranges are for GET alone. At most 16 may be asked for, beyond which
// the field is ignored; those that overlap or lie within 80 bytes become one, so that no
// byte is ever sent twice. A range of an empty file cannot be satisfied, but its suffix is
// all of it.
//
// # A single-page application
//
// With [Options.SPA] an address that names no file, and whose last part has no dot, is answered
// with that page and status 200 when a person goes there: Sec-Fetch-Mode is navigate, or there
// is none and Accept names text/html and does not ask for JSON. What a script fetches, a file
// that is missing, and what is below .well-known/, stays 404. The page goes out with its validators and
// with no-cache, whatever the rules say of its file.
//
// # Errors
//
// 404.html in the root is the content of every 404 there is, 403.html of a 403; 500.html or
// 503.html, else 50x.html, of those. The status stays what it is. A client whose Accept names JSON at
// least as gladly as HTML gets a problem object instead (RFC 9457): a program cannot read the
// page, and its author would look for the fault in the program. Without a page it is a line of
// text. A page for an error has no validators and none of the rules' fields. Without the right to read a file the answer is 403; with no descriptors left 503 and
// Retry-After; with a disk that fails 500 and a line in the log, one in ten seconds however
// many there are.
package files
