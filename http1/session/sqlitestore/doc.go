// Package sqlitestore keeps sessions and members in one SQLite file, which several processes
// of a machine share: a server, its successor at an upgrade, the command line.
//
// The file and its -wal and -shm are 0600, in write-ahead mode: readers never wait for
// writers. Apply returns once its changes are on the disk. Take, and changes that are all
// quiet, return before: they outlive the process, and the last of them not the machine.
//
// Who writes waits for other writers, of other processes too, as long as its context lasts and
// at most five seconds. A disk that is full or hangs fails what writes; reads go on. The file
// system must be a local one: a network's knows no memory that processes share.
package sqlitestore
