package main

const (
	// connectionsLimit is the most that --max-connections takes.
	connectionsLimit = 1_000_000
	// defaultConnectionsLimit keeps a container's limit of a billion files from being
	// taken for a machine that could hold as many connections.
	defaultConnectionsLimit = 100_000
	// fallbackConnections is for a system that does not tell its limit.
	fallbackConnections = 512
	// setAside is for listeners, logs, certificates, DNS and epoll.
	setAside = 64
)

// defaultConnections derives the connection limit from the limit of open files: of what
// is left after 64, three quarters may be connections and a quarter is for the files
// that they are being sent. Beyond it, an accept would fail with EMFILE, or, worse, a
// file's open, and a client in the middle of a page would get a 500.
func defaultConnections(descriptors uint64) int {
	if descriptors == 0 {
		return fallbackConnections
	}
	free := descriptors - reservedDescriptors(descriptors)
	return int(min(max(free-free/4, 1), defaultConnectionsLimit))
}

// reservedDescriptors is 64, or half of what little there is.
func reservedDescriptors(descriptors uint64) uint64 { return min(setAside, descriptors/2) }
