// Holdfast is an HTTPS server that keeps every request it has accepted.
//
// This package is the command line and the one place where everything is wired
// together: one file per subcommand, and serve.go for the server itself. A setting
// comes from a flag, a HOLDFAST_* variable, the file that --config names or its
// default, in this order (layers.go); it is checked in one pass that reports every
// fault at once (settings.go). Flags, their defaults and their help stand in one place
// (flags.go), from which parsing, the environment's names, the file's keys and the
// help text all follow.
package main
