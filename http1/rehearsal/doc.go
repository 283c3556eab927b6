// Package rehearsal is what a rehearsed server answers beside its own site: requests that
// take as long as a test wants, with content that the asker knows to the last byte, so
// that one which was cut, or mended with bytes of another, shows.
//
// All of it is below [Prefix]. It costs whoever mounts it time and memory at a
// stranger's request, so it is for a server on a loopback port with a load of its own and
// never for a public one.
//
//	PUT  Prefix + "echo"                    the request's content, [EchoLimitBytes] at most
//	GET  Prefix + "slow?bytes=N&over=D"     N bytes of [Content], spread over D
//	GET  Prefix + "stream?events=N&over=D"  N events of [Events] (text/event-stream), spread over D
package rehearsal
