package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// membersSite has a page for everybody and one for members.
func membersSite(t testing.TB) string {
	return site(t, map[string]string{
		"index.html":         `<!doctype html><meta name="viewport" content="width=device-width"><title>quay</title><h1>The quay</h1><a href="/members/">members</a>`,
		"members/index.html": `<!doctype html><meta name="viewport" content="width=device-width"><title>cabin</title><h1>The cabin</h1><p>For members alone. <a id="account" href="/-/account">Your account</a>`,
	})
}

// openTable is [accounts] for that site, where everybody may sign up.
const openTable = "[accounts]\nprotect = [\"/members/**\"]\nsign-up = \"open\"\nname = \"The quay\"\nhome = \"/members/\"\n"

// launchMembers starts a server of members, with more keys in their table.
func launchMembers(t testing.TB, root, table string, flags ...string) *server {
	t.Helper()
	file := writeTable(t, table)
	return launch(t, root, append([]string{"--config", file}, flags...)...)
}

func writeTable(t testing.TB, table string) string {
	t.Helper()
	return site(t, map[string]string{"holdfast.toml": table}) + "/holdfast.toml"
}

// again starts a server in the place of one that has gone: its address, its state, its file.
func (s *server) again(root, table string, flags ...string) *server {
	s.t.Helper()
	next := spawn(s.t, root, append([]string{"--config", writeTable(s.t, table), "--https", s.https, "--state", s.state}, flags...)...)
	next.state = s.state
	return next.listen()
}

// postForm posts names and values in turn, with the cookie.
func postForm(c *http.Client, to, cookie string, pairs ...string) (*http.Response, error) {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	request, err := http.NewRequest(http.MethodPost, to, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		request.Header.Set("Cookie", cookie)
	}
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	request.Header.Set("X-Forwarded-Proto", "https")
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response, err
}

// signsIn signs a member in or up and returns the cookie.
func signsIn(t testing.TB, c *http.Client, to, name, password string) (cookie string) {
	t.Helper()
	response, err := postForm(c, to, "", "name", name, "password", password)
	if err != nil {
		t.Fatal(err)
	}
	cookie, _, _ = strings.Cut(response.Header.Get("Set-Cookie"), ";")
	if response.StatusCode != http.StatusSeeOther || !strings.HasPrefix(cookie, "__Host-session=") {
		t.Fatalf("%s: status %d, cookie %q", to, response.StatusCode, cookie)
	}
	return cookie
}
