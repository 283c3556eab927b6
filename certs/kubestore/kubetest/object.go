package kubetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// secretLimitBytes is what the values of a Secret may have in all.
const secretLimitBytes = 1 << 20

var (
	secretKey  = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	noteName   = regexp.MustCompile(`^([a-z0-9.-]{1,253}/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$`)
)

// result is a status with an object.
type result struct {
	status int
	object map[string]any
}

// refuse is a Status object, as every failure of the API is.
func refuse(status int, reason, message string) *result {
	return &result{status, map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": status,
	}}
}

func answer(w http.ResponseWriter, r *result) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(r.object) // the client may have gone
}

func metadata(object map[string]any) map[string]any {
	m, _ := object["metadata"].(map[string]any)
	return m
}

func nameIn(object map[string]any) string {
	name, _ := metadata(object)["name"].(string)
	return name
}

// validate is what an API server says of an object's own content.
func validate(resource string, object map[string]any) *result {
	invalid := func(format string, args ...any) *result {
		return refuse(http.StatusUnprocessableEntity, "Invalid", fmt.Sprintf(format, args...))
	}
	if !objectName.MatchString(nameIn(object)) {
		return invalid("metadata.name: %q", nameIn(object))
	}
	notes, _ := metadata(object)["annotations"].(map[string]any)
	for key, value := range notes {
		if _, text := value.(string); !text || !noteName.MatchString(key) {
			return invalid("metadata.annotations: %q", key)
		}
	}
	if resource == "leases" {
		return validateLease(object, invalid)
	}
	data, _ := object["data"].(map[string]any)
	total := 0
	for key, value := range data {
		text, _ := value.(string)
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return refuse(http.StatusBadRequest, "BadRequest", "illegal base64 data")
		}
		if !secretKey.MatchString(key) || key == "." || key[0] == '.' && len(key) > 1 && key[1] == '.' {
			return invalid("data[%s]: a valid config key must consist of alphanumeric characters, '-', '_' or '.'", key)
		}
		total += len(raw)
	}
	if total > secretLimitBytes {
		return invalid("data: Too long: may not be more than %d bytes", secretLimitBytes)
	}
	return nil
}

func validateLease(object map[string]any, invalid func(format string, args ...any) *result) *result {
	if object["kind"] != "Lease" || object["apiVersion"] != "coordination.k8s.io/v1" {
		return refuse(http.StatusBadRequest, "BadRequest", "the object is no Lease")
	}
	spec, _ := object["spec"].(map[string]any)
	if n, ok := spec["leaseDurationSeconds"].(float64); ok && n <= 0 {
		return invalid("spec.leaseDurationSeconds: must be greater than 0")
	}
	if n, ok := spec["leaseTransitions"].(float64); ok && (n < 0 || n > 1<<31-1) {
		return invalid("spec.leaseTransitions: must be greater than or equal to 0")
	}
	for _, field := range []string{"acquireTime", "renewTime"} {
		text, ok := spec[field].(string)
		if !ok {
			continue
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", text); err != nil {
			return refuse(http.StatusBadRequest, "BadRequest", "spec."+field+" is no MicroTime")
		}
	}
	return nil
}
