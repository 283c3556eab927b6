//go:build race

package main

// raceDetector says that these tests run under the race detector: so does their server.
const raceDetector = true
