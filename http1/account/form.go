package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-server/holdfast/http1"
)

// Bounds of what is posted here.
const (
	formMostBytes  = 16 << 10
	formMostFields = 16
)

// Why a form cannot be read.
var (
	errFormType = errors.New("account: content of another type than a form's")
	errForm     = errors.New("account: a form that cannot be read")
)

// A form is what was posted: each field once.
type form map[string]string

// readForm reads a request's content, a form (WHATWG URL §5.1) or an object of strings as
// JSON. No content at all is an empty form, whatever its type. Beside errFormType and errForm
// the error may have that of reading the body in it: after a *http1.Reason the server itself
// answers.
func readForm(r *http1.Request) (form, error) {
	r.LimitBody(formMostBytes)
	content, err := io.ReadAll(r.Body())
	if err != nil {
		return nil, brokenForm(err)
	}
	if len(content) == 0 {
		return form{}, nil
	}
	kind, _, _ := strings.Cut(r.Field("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/x-www-form-urlencoded":
		return parseForm(string(content))
	case "application/json":
		return parseObject(content)
	}
	return nil, errFormType
}

// brokenForm is of content that broke off: not our fault, nor the store's.
func brokenForm(err error) error { return fmt.Errorf("%w: %w", errForm, err) }

// parseForm reads "name=ann&password=…". A field that is there twice would be one thing to us
// and another to whoever looked before us, such as a proxy that counts guesses: it is refused.
func parseForm(content string) (form, error) {
	if len(content) > formMostBytes || strings.Count(content, "&") >= formMostFields {
		return nil, errForm
	}
	values, err := url.ParseQuery(content)
	if err != nil {
		return nil, errForm // url's quotes what was posted
	}
	f := make(form, len(values))
	for name, all := range values {
		if len(all) != 1 || !utf8.ValidString(name) || !utf8.ValidString(all[0]) {
			return nil, errForm
		}
		f[name] = all[0]
	}
	return f, nil
}

// parseObject reads {"name": "ann", "password": "…"} by the same rules.
func parseObject(content []byte) (form, error) {
	if len(content) > formMostBytes || !utf8.Valid(content) {
		return nil, errForm
	}
	d := json.NewDecoder(bytes.NewReader(content))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errForm
	}
	f := make(form)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errForm
		}
		value, err := d.Token()
		text, isText := value.(string)
		key := name.(string) // before a colon stands nothing else
		if _, twice := f[key]; err != nil || !isText || twice || len(f) == formMostFields {
			return nil, errForm
		}
		f[key] = text
	}
	if _, err := d.Token(); err != nil {
		return nil, errForm
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errForm
	}
	return f, nil
}
