// Package certs is where certificates come from.
//
// A Source holds certificates with their keys and tells when they change. Files reads
// PEM pairs and reloads them when their content changes; Local signs a leaf of its own
// with a CA that lives in the State directory. A Selector stands in front of one or
// more sources and answers each handshake from one immutable table behind an atomic
// pointer: a handshake takes no lock, reads no disk and waits for nobody.
//
// What holds for every source:
//
//   - What was served stays served. A reload or a renewal that fails keeps the
//     certificate in use, an expired one included: a warning in a browser says more
//     than a connection that does not come about.
//   - A certificate and its key are swapped together or not at all.
//   - No error and no log line holds bytes of a private key.
//   - Goroutines run only inside Run, and have ended when it returns.
//
// Lifetimes are handled as shares, never as days: a six-day certificate and a
// ten-year one follow the same rule.
package certs
