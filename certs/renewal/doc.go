// Package renewal gets and keeps certificates from a public CA: it decides when a
// certificate is ordered, by whom of several replicas, and what is served meanwhile.
package renewal
