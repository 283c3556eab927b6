package account

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

func TestForm(t *testing.T) {
	for _, c := range []struct {
		name, kind, content string
		want                form
		err                 error
	}{
		{"a form", formType, "name=ann&password=a+b%26c", form{"name": "ann", "password": "a b&c"}, nil},
		{"with a parameter of its type", formType + "; charset=UTF-8", "name=ann", form{"name": "ann"}, nil},
		{"a type in another case", "Application/X-WWW-Form-Urlencoded", "name=ann", form{"name": "ann"}, nil},
		{"nothing, of no type", "", "", form{}, nil},
		{"nothing, of another type", "multipart/form-data", "", form{}, nil},
		{"a field without a value", formType, "name", form{"name": ""}, nil},
		{"an object", jsonType, `{"name": "ann", "password": "a\u0062"}`, form{"name": "ann", "password": "ab"}, nil},
		{"an empty object", jsonType, `{}`, form{}, nil},
		{"a form in parts", "multipart/form-data; boundary=x", "--x", nil, errFormType},
		{"text, which any page can post without being asked", "text/plain", "name=ann", nil, errFormType},
		{"no type", "", "name=ann", nil, errFormType},
		{"a field twice", formType, "name=ann&name=bob", nil, errForm},
		{"a field twice by an escape", formType, "name=ann&n%61me=bob", nil, errForm},
		{"a broken escape", formType, "name=%zz", nil, errForm},
		{"a semicolon, which some take for an ampersand", formType, "name=ann;password=b", nil, errForm},
		{"no UTF-8", formType, "name=%ff", nil, errForm},
		{"seventeen fields", formType, strings.Repeat("&", 16), nil, errForm},
		{"an object with a field twice", jsonType, `{"name":"ann","name":"bob"}`, nil, errForm},
		{"an object within", jsonType, `{"name":{"a":"b"}}`, nil, errForm},
		{"a list", jsonType, `["name"]`, nil, errForm},
		{"a number", jsonType, `{"name":1}`, nil, errForm},
		{"null", jsonType, `{"name":null}`, nil, errForm},
		{"an object and more", jsonType, `{"name":"ann"} {}`, nil, errForm},
		{"half an object", jsonType, `{"name":"ann"`, nil, errForm},
		{"half a field", jsonType, `{"name"`, nil, errForm},
		{"no object", jsonType, `ann`, nil, errForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got form
			var err error
			http1test.Do(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) { got, err = readForm(r) }),
				http1test.Request{Method: "POST", Fields: []string{"Content-Type", c.kind}, Content: c.content})
			if !errors.Is(err, c.err) || err == nil && !maps.Equal(got, c.want) || err != nil && got != nil {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	for _, chunked := range []bool{false, true} {
		t.Run("more than 16 KiB is 413 and is not kept", func(t *testing.T) {
			res := http1test.Do(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) {
				if f, err := readForm(r); f != nil || err == nil {
					t.Errorf("%d fields, %v", len(f), err)
				}
			}), http1test.Request{Method: "POST", Chunked: chunked, Fields: []string{"Content-Type", formType}, Content: "a=" + strings.Repeat("x", formMostBytes)})
			if res.Status != 413 {
				t.Errorf("status %d", res.Status)
			}
		})
	}
}

// A connection that ends within a post is its client's doing.
func TestFormBreaksOff(t *testing.T) {
	s := newSite(t, nil, nil)
	http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		stop := errors.New("connection reset by peer")
		s.refuse(w, r, brokenForm(stop))
		if !errors.Is(brokenForm(stop), errForm) || !errors.Is(brokenForm(stop), stop) {
			t.Error(brokenForm(stop))
		}
	}), http1test.Request{Method: "POST", Secure: true})
	if s.log.Len() != 0 {
		t.Errorf("%s", s.log)
	}
}

func FuzzForm(f *testing.F) {
	f.Add("name=ann&password=x%20y")
	f.Add("a=b&a=c")
	f.Add("a;b=c")
	f.Add(`{"name":"ann","x":"\ud800"}`)
	f.Add(`{"a":"b","a":"c"}`)
	f.Fuzz(func(t *testing.T, content string) {
		if got, err := parseForm(content); err == nil {
			values := url.Values{}
			for name, value := range got {
				values.Set(name, value)
			}
			again, err := parseForm(values.Encode())
			if err != nil || !maps.Equal(got, again) {
				t.Errorf("%q is %v, which is %v (%v)", content, got, again, err)
			}
			if len(got) > formMostFields {
				t.Errorf("%d fields", len(got))
			}
		} else if err != errForm || got != nil {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := parseObject([]byte(content)); err == nil {
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			again, err := parseObject(text)
			if err != nil || !maps.Equal(got, again) {
				t.Errorf("%q is %v, which is %v (%v)", content, got, again, err)
			}
		} else if err != errForm || got != nil {
			t.Errorf("%v, %v", got, err)
		}
	})
}
