// Package admin answers those who run a server: probes, a scrape of its metrics, profiles.
//
//	/livez        the process can serve; 200 also while it drains
//	/readyz       clients should be sent here; 503 from the first moment of a stop on
//	/startupz     the start is over; 200 from then on
//	/metrics      for Prometheus, where there are any
//	/debug/pprof/ profiles, where they were asked for
//
// A probe is answered in JSON, with the reasons of a 503 and with warnings, which change
// nothing about the status; with ?verbose each check is listed. Nothing here is for the
// public: it belongs on a listener of its own, which outlives the drain.
package admin
