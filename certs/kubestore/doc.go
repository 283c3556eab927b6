// Package kubestore keeps certificates in a Secret of Kubernetes that replicas share, over
// the API's plain REST with the pod's service account.
//
// All values are keys of one Secret, which may have 1 MiB. Each write reads the Secret,
// changes it and puts it back with the resourceVersion that was read; the API refuses it with 409 when
// another was faster, and it is done over. A lease is an object of coordination.k8s.io/v1, called after the Secret and a hash
// of the lease's name. Whoever takes one notes its fence in an annotation of the Secret, so that a
// write of an earlier holder is refused in the same update that would do it.
//
// Reads share one reading of the Secret in half a second, also for what is missing. Challenges
// are read anew, and so is everything after a write and an Acquire.
//
// When a lease runs out is judged by how long its object was seen unchanged by our own
// clock, since the clocks of nodes differ: whoever comes new waits for the whole time to live, which
// Kubernetes counts in seconds.
//
// The service account needs get and update on the Secret, create on secrets if it is to be
// made, and get, create and update on leases. The token is read again each minute and when it is
// refused, the CA with it.
package kubestore
