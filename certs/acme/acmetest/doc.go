// Package acmetest runs a real ACME server for tests: Pebble, with challtestsrv for its
// DNS, both as processes that end with the test.
//
// Between the test and Pebble stand two kinds of doors, which are here in the process:
// a Gate in front of the CA, which can break it in the ways that CAs break, and a Door
// for each challenge, which leads the CA's validation to whatever server is under test.
// So nothing needs to know a port before it listens.
package acmetest
