// Package kubetest is a double of the Kubernetes API for tests: Secrets and Leases, read,
// created and updated, as the documentation has it and not as our store would like it.
//
// An update with a resourceVersion that is not the newest is refused with 409, one of an
// object that is gone with 404, a creation of one that is there with 409; every write makes
// a new resourceVersion. A request without the right token is 401, without the right 403.
// What is not valid is 422: keys of a Secret, its size, times and durations of a Lease.
package kubetest

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// requestLimitBytes is what an API server takes.
const requestLimitBytes = 3 << 20

// API is a double at work. Its methods may be called at any time.
type API struct {
	// URL, TokenFile and CAFile are how a pod reaches it.
	URL, TokenFile, CAFile string

	server *httptest.Server

	mu        sync.Mutex
	namespace string
	token     string
	rotations int
	version   int
	objects   map[string]map[string]any // by RESOURCE/NAME
	forbidden map[string]bool           // VERB RESOURCE
	failures  []int                     // statuses that the next requests get
	delay     time.Duration
	requests  map[string]int // VERB RESOURCE
	meddle    func()         // called before the next update
}

// Start serves one namespace, and writes a service account's files to dir.
func Start(dir, namespace string) (*API, error) {
	a := &API{
		TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt"), namespace: namespace,
		objects: make(map[string]map[string]any), forbidden: make(map[string]bool), requests: make(map[string]int),
	}
	a.server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	a.URL = a.server.URL
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw})
	if err := errors.Join(os.WriteFile(a.CAFile, ca, 0o600), a.Rotate()); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Close ends it and waits for requests under way.
func (a *API) Close() { a.server.Close() }

// Rotate makes a new token, in the file, and refuses the old one.
func (a *API) Rotate() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rotations++
	a.token = fmt.Sprintf("token-%d", a.rotations)
	return os.WriteFile(a.TokenFile, []byte(a.token+"\n"), 0o600)
}

// Forbid refuses a verb on a resource with 403: "update", "secrets".
func (a *API) Forbid(verb, resource string) { a.permit(verb, resource, false) }

// Allow takes that back.
func (a *API) Allow(verb, resource string) { a.permit(verb, resource, true) }

func (a *API) permit(verb, resource string, allowed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forbidden[verb+" "+resource] = !allowed
}

// Fail answers the next requests with these statuses.
func (a *API) Fail(statuses ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures = append(a.failures, statuses...)
}

// Delay answers every request that much later.
func (a *API) Delay(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delay = d
}

// BeforeUpdate has f called once, before the next update is looked at, as another client
// does that comes between.
func (a *API) BeforeUpdate(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.meddle = f
}

// Requests returns how many there were of a verb on a resource.
func (a *API) Requests(verb, resource string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests[verb+" "+resource]
}

// Object returns an object as JSON, "" if there is none.
func (a *API) Object(resource, name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	object, ok := a.objects[resource+"/"+name]
	if !ok {
		return ""
	}
	text, _ := json.Marshal(object) // it came from JSON
	return string(text)
}

// Names returns the names of all objects of a resource, sorted.
func (a *API) Names(resource string) (names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key := range a.objects {
		if name, ok := strings.CutPrefix(key, resource+"/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Apply creates or replaces an object from JSON, as kubectl does.
func (a *API) Apply(resource, text string) error {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep(resource, nameIn(object), object)
	return nil
}

// Delete removes an object.
func (a *API) Delete(resource, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.objects, resource+"/"+name)
}

var verbs = map[string]string{http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodDelete: "delete", http.MethodPatch: "patch"}

func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestLimitBytes))
	if err != nil {
		answer(w, refuse(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "limit is 3145728"))
		return
	}
	resource, name, ok := a.parse(r.URL.Path)
	verb := verbs[r.Method]
	if verb == "get" && name == "" {
		verb = "list"
	}
	a.mu.Lock()
	a.requests[verb+" "+resource]++
	delay, meddle := a.delay, a.meddle
	if verb == "update" {
		a.meddle = nil
	}
	a.mu.Unlock()
	if !wait(r, delay) {
		// The client's close_notify comes before its FIN: an empty 200 could still reach it.
		panic(http.ErrAbortHandler)
	}
	if meddle != nil && verb == "update" {
		meddle()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if refusal := a.admit(r, verb, resource, ok); refusal != nil {
		answer(w, refusal)
		return
	}
	answer(w, a.do(verb, resource, name, body))
}

// wait tells whether the client was still there at its end.
func wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// parse splits the path of an object or a collection.
func (a *API) parse(path string) (resource, name string, ok bool) {
	for prefix, r := range map[string]string{
		"/api/v1/namespaces/" + a.namespace + "/secrets":                     "secrets",
		"/apis/coordination.k8s.io/v1/namespaces/" + a.namespace + "/leases": "leases",
	} {
		if rest, found := strings.CutPrefix(path, prefix); found && (rest == "" || rest[0] == '/') {
			return r, strings.TrimPrefix(rest, "/"), true
		}
	}
	return "", "", false
}

// admit is what an API server asks before it looks at an object.
func (a *API) admit(r *http.Request, verb, resource string, known bool) *result {
	if len(a.failures) > 0 {
		status := a.failures[0]
		a.failures = a.failures[1:]
		return refuse(status, "InternalError", "the double was told to fail")
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+a.token:
		return refuse(http.StatusUnauthorized, "Unauthorized", "Unauthorized")
	case !known:
		return refuse(http.StatusNotFound, "NotFound", "namespaces not found")
	case a.forbidden[verb+" "+resource]:
		return refuse(http.StatusForbidden, "Forbidden", fmt.Sprintf("%s is forbidden: User cannot %s resource %q", resource, verb, resource))
	case (verb == "create" || verb == "update") && r.Header.Get("Content-Type") != "application/json":
		return refuse(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "the body is not application/json")
	}
	return nil
}

// do is called with the lock.
func (a *API) do(verb, resource, name string, body []byte) *result {
	is, exists := a.objects[resource+"/"+name]
	switch verb {
	case "get":
		if !exists {
			return refuse(http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", resource, name))
		}
		return &result{http.StatusOK, is}
	case "create", "update":
	default:
		return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "the double cannot "+verb)
	}
	var object map[string]any
	if json.Unmarshal(body, &object) != nil {
		return refuse(http.StatusBadRequest, "BadRequest", "the body is no JSON object")
	}
	if refusal := validate(resource, object); refusal != nil {
		return refusal
	}
	if verb == "create" {
		name = nameIn(object)
		if _, exists := a.objects[resource+"/"+name]; exists {
			return refuse(http.StatusConflict, "AlreadyExists", fmt.Sprintf("%s %q already exists", resource, name))
		}
		return &result{http.StatusCreated, a.keep(resource, name, object)}
	}
	version, _ := metadata(object)["resourceVersion"].(string)
	switch {
	case nameIn(object) != name:
		return refuse(http.StatusBadRequest, "BadRequest", "the name of the object does not match the name on the URL")
	case !exists:
		return refuse(http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", resource, name))
	case version != "" && version != metadata(is)["resourceVersion"]:
		return refuse(http.StatusConflict, "Conflict", "the object has been modified; please apply your changes to the latest version and try again")
	}
	return &result{http.StatusOK, a.keep(resource, name, object)}
}

// keep stores an object under a new version.
func (a *API) keep(resource, name string, object map[string]any) map[string]any {
	a.version++
	meta := maps.Clone(metadata(object))
	if meta == nil {
		meta = make(map[string]any)
	}
	meta["resourceVersion"] = strconv.Itoa(a.version)
	meta["namespace"] = a.namespace
	object["metadata"] = meta
	a.objects[resource+"/"+name] = object
	return object
}
