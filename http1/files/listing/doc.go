// Package listing makes the page that shows what is in a directory, for people as HTML and
// for programs as JSON. It is pure: names, sizes and times go in, bytes come out.
//
// A name on a disk is any bytes but a slash and NUL, and whoever can put a file there has
// chosen them. In a link every byte that is not plainly a path's is percent-escaped, behind
// a "./", so that none can begin a scheme or name a host. In a text the markup's characters
// are escaped, bytes that are no UTF-8 are shown as U+FFFD, control bytes by their pictures,
// and the characters that turn the direction of writing as U+FFFD: "exe.gnp" cannot pass for
// "png.exe". Each name stands in an element of its own that isolates its direction.
//
// The page has no script. Its style is the only one that its Content-Security-Policy lets
// in, by hash, so markup that did get through could neither run nor load anything.
package listing
