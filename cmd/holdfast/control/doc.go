// Package control is how other commands speak to a server that runs: over a unix socket,
// one JSON request a line, one JSON answer a line.
//
// The socket is the owner's alone. Its file has the mode 0600, and whoever connects is asked
// for by SO_PEERCRED: the server's own user and root are heard, anybody else is sent away. The
// other way round a [Client] speaks to a server of its own user or root's alone, and root to
// everybody's.
//
// What a server can be asked is a table of [Verbs]. A request that has Wait set, such as that
// of holdfast stop --wait, gets its answer when the server has stopped, and then the end of the
// connection when the process is gone: the kernel closes it, so that it is true whoever is the
// process's parent, and in whatever namespace.
//
//	{"protocol":1,"verb":"status"}
//	{"protocol":1,"pid":4711,"version":"v1.2.3","result":{…}}
//	{"protocol":1,"verb":"certs renew","args":{"name":"example.org"}}
//	{"protocol":1,"pid":4711,"version":"v1.2.3","faults":["…"]}
package control
