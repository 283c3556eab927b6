package kubestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
)

const (
	secretsPath = "/api/v1/namespaces/%s/secrets"
	leasesPath  = "/apis/coordination.k8s.io/v1/namespaces/%s/leases"

	// answerLimitBytes is above the largest object that the API keeps: 1 MiB of data in
	// base64, and what is known of who wrote it.
	answerLimitBytes = 4 << 20
	// saidLimitBytes bounds what an error repeats of the API's words.
	saidLimitBytes = 300
)

var (
	// errConflict is another's write that came between our reading and our writing.
	errConflict = errors.New("another was faster")
	errTooLarge = errors.New("the Secret is too large")
)

// call sends one request about a resource and decodes the answer into out, if there is
// one. name is "" for a creation.
func (s *Store) call(ctx context.Context, verb, resource, name string, body, out any) error {
	method := map[string]string{"get": http.MethodGet, "create": http.MethodPost, "update": http.MethodPut}[verb]
	path := map[string]string{"secrets": secretsPath, "leases": leasesPath}[resource]
	url := s.account.URL + fmt.Sprintf(path, s.namespace)
	if name != "" {
		url += "/" + name
	}
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	response, err := s.account.authorized(ctx, func(ctx context.Context) (*http.Request, error) {
		request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
		if err == nil && body != nil {
			request.Header.Set("Content-Type", "application/json")
		}
		return request, err
	})
	if err != nil {
		return fmt.Errorf("%s: %s %s: %w", s, verb, resource, err)
	}
	defer func() { _ = response.Body.Close() }() // read as far as it matters
	return s.answer(response, verb, resource, name, out)
}

// answer reads what the API said.
func (s *Store) answer(response *http.Response, verb, resource, name string, out any) error {
	content, err := io.ReadAll(io.LimitReader(response.Body, answerLimitBytes+1))
	if err == nil && len(content) > answerLimitBytes {
		err = fmt.Errorf("an answer of over %d bytes", answerLimitBytes)
	}
	if err != nil {
		return fmt.Errorf("%s: %s %s: %w", s, verb, resource, err)
	}
	if response.StatusCode/100 != 2 {
		return s.refusal(response.StatusCode, content, verb, resource, name)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		// The decoder's words may repeat a piece of the Secret.
		return fmt.Errorf("%s: %s %s: the answer is not the JSON of one", s, verb, resource)
	}
	return nil
}

// refusal is what a status means here. The API's own words are a Status object; they do
// not repeat what a Secret holds.
func (s *Store) refusal(status int, content []byte, verb, resource, name string) error {
	var said struct {
		Message string `json:"message"`
		Reason  string `json:"reason"`
	}
	_ = json.Unmarshal(content, &said) // a proxy in between says what it likes
	object := strings.TrimSuffix(resource+" "+name, " ")
	switch {
	case status == http.StatusNotFound && verb == "create":
		return fmt.Errorf("%s: there is no namespace %s: create it, or name the pod's own", s, s.namespace)
	case status == http.StatusNotFound:
		return fmt.Errorf("%s: %s: %w", s, object, fs.ErrNotExist)
	case status == http.StatusConflict:
		return fmt.Errorf("%s: %s: %w", s, object, errConflict)
	case status == http.StatusForbidden && verb == "create" && resource == "secrets":
		// A Role cannot allow to create one name only, so a good one does not allow it.
		return fmt.Errorf("%s: there is no Secret %s, and the service account may not create it (403): make an empty one with: kubectl create secret generic %s --namespace %s", s, s.name, s.name, s.namespace)
	case status == http.StatusForbidden:
		return fmt.Errorf("%s: the service account may not %s %s: add the verb %q for the resource %q to its Role (403)", s, verb, object, verb, resource)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s: the API refused the service account's token, also after reading it anew (401)", s)
	case status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity && strings.Contains(said.Message, "Too long"):
		return fmt.Errorf("%s: %w (%d): %s", s, errTooLarge, status, lessOfIt)
	}
	message := said.Message
	if len(message) > saidLimitBytes {
		message = message[:saidLimitBytes] + "…"
	}
	return fmt.Errorf("%s: %s %s: the API answered %d %q", s, verb, object, status, message)
}
