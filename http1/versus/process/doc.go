// Package process starts the programs that a comparison measures, each on a core of its
// own, and reads from /proc what they cost. It needs Linux; pinning needs taskset, of
// util-linux.
package process
