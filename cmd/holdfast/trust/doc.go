// Package trust puts a CA's certificate where the programs of a machine look for those they
// trust, and takes it out again: the system's store, and the NSS databases of browsers.
//
// It plans before it acts, and a plan is commands: what is shown is what is run, but that the
// certificate's file stands for a private copy of what was read from it. What it puts
// somewhere has the certificate's fingerprint in its name, and it takes out only what has
// both that name and that fingerprint.
package trust
