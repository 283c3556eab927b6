// Package lifecycle runs a server from its start to its last connection: phases, signals,
// and the drain, as function pairs for a run.Group (github.com/oklog/run).
//
// A run group interrupts all its actors, one after another, as soon as the first returns.
// So interrupts here close nothing and never block:
//
//   - [Serving] wraps an accept loop. Its interrupt only lets the actor return whose
//     listener is already closed; closing it is the drain's work.
//   - [Stop] is the signal actor. A signal, or its interrupt with the error of an actor
//     that died, starts the drain in its execute, which alone announces, closes
//     listeners, waits, cuts, reports and releases what outlives the drain, and only then
//     returns.
//
// The phases of a stop:
//
//	running -> lame duck -> closing -> draining -> (forcing) -> flushed
package lifecycle
