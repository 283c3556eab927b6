package vhost_test

import (
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1/vhost"
)

func TestCircling(t *testing.T) {
	redirect := func(from, to string) vhost.Rule { return vhost.Rule{From: from, To: to, Status: 308} }
	seeOther := func(from, to string) vhost.Rule { return vhost.Rule{From: from, To: to, Status: 303} }
	for _, c := range []struct {
		clause string
		rules  []vhost.Rule
		want   string
	}{
		{"a target that the rule takes", []vhost.Rule{redirect("/a/{r...}", "/a/b/{r}")}, "/a/{r...}"},
		{"a target beside it", []vhost.Rule{redirect("/a/{r...}", "/b/{r}")}, ""},
		{"a target that another rule takes", []vhost.Rule{redirect("/{x}", "/b"), {From: "/b", To: "/c/"}}, ""},
		{"a target that lacks the pattern's slash is the site's", []vhost.Rule{redirect("/docs/{$}", "/docs")}, ""},
		{"two that lead to each other are one circle", []vhost.Rule{redirect("/p1", "/p2"), redirect("/p2", "/p1")}, "/p1"},
		{"who leads into a circle is not on it", []vhost.Rule{redirect("/p0", "/p1"), redirect("/p1", "/p2"), redirect("/p2", "/p1")}, "/p1"},
		{"three", []vhost.Rule{redirect("/a/{x}", "/b/{x}"), redirect("/b/{x}", "/c/{x}?q"), redirect("/c/{x}", "/a/{x}")}, "/a/{x}"},
		{"a method of its own", []vhost.Rule{redirect("POST /self", "/self")}, "POST /self"},
		{"a method that a 303 changes", []vhost.Rule{seeOther("POST /self", "/self")}, ""},
		{"no method, and one that leads out for GET alone", []vhost.Rule{redirect("/a", "/b"), redirect("/b", "/a"), redirect("GET /b", "/c")}, "/a"},
		{"the same with 303", []vhost.Rule{seeOther("/a", "/b"), seeOther("/b", "/a"), redirect("GET /b", "/c")}, ""},
		{"a URL of the same site", []vhost.Rule{redirect("/abs/{r...}", "https://a.test/abs/{r}")}, "/abs/{r...}"},
		{"its root", []vhost.Rule{redirect("/{$}", "https://a.test")}, "/{$}"},
		{"a target elsewhere", []vhost.Rule{redirect("/{r...}", "https://b.test/{r}")}, ""},
		{"a value that becomes shorter leads out in the end", []vhost.Rule{redirect("/a/{x}/{r...}", "/a/{r}")}, ""},
		{"a rewrite happens once", []vhost.Rule{{From: "/{r...}", To: "/index.html"}}, ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			rules := new(vhost.Rules)
			for _, r := range c.rules {
				if err := rules.Add(r); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, r := range rules.Circling(func(scheme, authority string) bool { return scheme == "https" && authority == "a.test" }) {
				got = append(got, r.From)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
