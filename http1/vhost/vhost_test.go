package vhost_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/vhost"
)

// says answers with its text and the path that it sees.
func says(text string) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) { w.Text(200, text+" "+r.Path()) })
}

func TestHosts(t *testing.T) {
	hosts := new(vhost.Hosts)
	for _, host := range []string{"A.test", "*.a.test", "www.a.test", "192.0.2.1", "2001:db8::1"} {
		if err := hosts.Add(host, says(host)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ clause, authority, want string }{
		{"an exact name", "a.test", "A.test /"},
		{"with a port", "a.test:8443", "A.test /"},
		{"in capitals (RFC 3986 §3.2.2)", "A.TEST", "A.test /"},
		{"with the root's dot", "a.test.", "A.test /"},
		{"an exact name before a wildcard", "www.a.test", "www.a.test /"},
		{"one more label", "x.a.test", "*.a.test /"},
		{"two more are none of ours", "y.x.a.test", ""},
		{"an IPv4 address", "192.0.2.1:80", "192.0.2.1 /"},
		{"an IPv6 address", "[2001:db8::1]", "2001:db8::1 /"},
		{"an IPv6 address with a port", "[2001:DB8::1]:443", "2001:db8::1 /"},
		{"another form of one (RFC 5952)", "[2001:DB8:0:0::1]", "2001:db8::1 /"},
		{"an empty label is none", ".a.test", ""},
		{"the wildcard is no name", "*.a.test", ""},
		{"another name (RFC 9110 §15.5.20)", "b.test", ""},
		{"a name that ends as ours", "evil-a.test", ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r := http1test.Do(hosts, http1test.Request{Authority: c.authority})
			if c.want == "" && (r.Status != 421 || r.Route != vhost.Misdirected) || c.want != "" && string(r.Content) != c.want {
				t.Errorf("%s: %d %q, want %q", c.authority, r.Status, r.Content, c.want)
			}
			guarded := http1test.Do(hosts.Only(says("next")), http1test.Request{Authority: c.authority})
			if (guarded.Status == 421) != (c.want == "") {
				t.Errorf("Only: %d", guarded.Status)
			}
		})
	}
	t.Run("a host twice is an error", func(t *testing.T) {
		for _, host := range []string{"a.TEST", "*.A.test", "2001:db8:0::1"} {
			if hosts.Add(host, says("")) == nil {
				t.Errorf("%s was taken twice", host)
			}
		}
	})
	t.Run("any takes what is left", func(t *testing.T) {
		hosts := new(vhost.Hosts)
		if err := errors.Join(hosts.Add("a.test", says("a")), hosts.Add(vhost.Any, says("any"))); err != nil || hosts.Add(vhost.Any, says("")) == nil {
			t.Fatal(err)
		}
		if r := http1test.Do(hosts, http1test.Request{Authority: "b.test"}); string(r.Content) != "any /" {
			t.Errorf("%d %q", r.Status, r.Content)
		}
	})
}

func TestToHost(t *testing.T) {
	for _, c := range []struct {
		clause string
		r      http1test.Request
		want   string
	}{
		{"path and query stay as they came", http1test.Request{Authority: "www.a.test", Target: "/a%20b//c?d=%2F", Secure: true}, "https://a.test/a%20b//c?d=%2F"},
		{"so do the port and the scheme", http1test.Request{Authority: "www.a.test:8080"}, "http://a.test:8080/"},
		{"an empty port is none", http1test.Request{Authority: "www.a.test:", Secure: true}, "https://a.test/"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			if r := http1test.Do(vhost.ToHost("a.test"), c.r); r.Status != 308 || r.Get("Location") != c.want {
				t.Errorf("%d %q, want %q", r.Status, r.Get("Location"), c.want)
			}
		})
	}
	t.Run("CONNECT gets no 2xx, which would open a tunnel (RFC 9110 §9.3.6)", func(t *testing.T) {
		for _, target := range []string{"www.a.test:443", "/path"} {
			r := http1test.Do(vhost.ToHost("a.test"), http1test.Request{Method: "CONNECT", Target: target, Authority: "www.a.test:443"})
			if r.Status != 501 {
				t.Error(target, r.Status)
			}
		}
	})
	t.Run("the server as a whole is no place", func(t *testing.T) {
		if r := http1test.Do(vhost.ToHost("a.test"), http1test.Request{Method: "OPTIONS", Target: "*"}); r.Status != 204 {
			t.Error(r.Status)
		}
	})
}

func TestRules(t *testing.T) {
	rules := &vhost.Rules{Site: says("site")}
	for _, r := range []vhost.Rule{
		{From: "/old/{id}", To: "/new/{id}", Status: 301},
		{From: "/swap/{a}/{rest...}", To: "/{rest}/{a}", Status: 308},
		{From: "/find/{what}", To: "/search?q={what}&in=all#at-{what}", Status: 302},
		{From: "/docs/", To: "https://docs.test/", Status: 307},
		{From: "/gone/{rest...}", To: "https://old.test:8443/x/{rest...}", Status: 303},
		{From: "GET /app/{rest...}", To: "/index.html"},
		{From: "/u/{name}", To: "/users/{name}.html"},
	} {
		if err := rules.Add(r); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
	}
	for _, c := range []struct{ clause, target, want string }{
		{"a value is put into the target, and the query follows", "/old/7?a=b", "301 /new/7?a=b"},
		{"a value keeps its escapes", "/old/a%2F%20b%3Fc", "301 /new/a%2F%20b%3Fc"},
		{"a rest keeps its slashes", "/swap/x/1/2%2F3", "308 /1/2%2F3/x"},
		{"an empty value makes no other host", "/swap/evil.test/", "308 /evil.test"},
		{"in a query a value is escaped as one, and the request's is left out", "/find/a&b=c%26%C3%A9?x", "302 /search?q=a%26b%3Dc%26%C3%A9&in=all#at-a&b=c%26%C3%A9"},
		{"another site", "/docs/x?y", "307 https://docs.test/?y"},
		{"a slash that misses leaves the path to the site", "/docs?y", "200 site /docs"},
		{"so it does before a rest", "/swap/x?y", "200 site /swap/x"},
		{"another site with a path", "/gone/a/b", "303 https://old.test:8443/x/a/b"},
		{"a rewrite is answered by the site", "/app/some/where", "200 site /index.html"},
		{"a rewrite with a value", "/u/%C3%A9", "200 site /users/%C3%A9.html"},
		{"a rewrite is done once", "/u/index", "200 site /users/index.html"},
		{"what no rule takes is the site's", "/new/7", "200 site /new/7"},
		{"so is a path that is not clean", "//old/7", "200 site //old/7"},
		{"and the server as a whole", "*", "200 site *"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r := http1test.Do(rules, http1test.Request{Target: c.target})
			got := strings.TrimSpace(strings.Join([]string{http1status(r), r.Get("Location")}, " "))
			if r.Status == 200 {
				got += " " + string(r.Content)
			}
			if got != c.want {
				t.Errorf("%s: %s, want %s", c.target, got, c.want)
			}
		})
	}
	t.Run("a rule for a method leaves others to the site", func(t *testing.T) {
		if r := http1test.Do(rules, http1test.Request{Method: "POST", Target: "/app/x"}); string(r.Content) != "site /app/x" {
			t.Errorf("%q", r.Content)
		}
	})
}

func http1status(r *http1test.Response) string {
	return string([]byte{byte('0' + r.Status/100), byte('0' + r.Status/10%10), byte('0' + r.Status%10)})
}

func TestRulesRefuse(t *testing.T) {
	for _, c := range []struct {
		clause string
		rule   vhost.Rule
		kind   error // nil for a fault of From
		want   string
	}{
		{"a pattern that is none", vhost.Rule{From: "old", To: "/", Status: 308}, nil, "no slash"},
		{"a host in the pattern", vhost.Rule{From: "GET a.test/", To: "/b", Status: 308}, nil, "names a host"},
		{"a query in the pattern", vhost.Rule{From: "/promo?x=1", To: "/b", Status: 308}, nil, "ends before ?"},
		{"a fragment in the pattern", vhost.Rule{From: "/promo#x", To: "/b", Status: 308}, nil, "ends before ?"},
		{"an escape that is none in the pattern", vhost.Rule{From: "/q7/%2", To: "/b", Status: 308}, nil, "%25"},
		{"a status that is no redirect's", vhost.Rule{From: "/a", To: "/b", Status: 200}, vhost.ErrStatus, ""},
		{"a name that the pattern does not have", vhost.Rule{From: "/a/{id}", To: "/b/{ID}", Status: 308}, vhost.ErrTo, "{ID} is none"},
		{"a brace without its end", vhost.Rule{From: "/a/{id}", To: "/b/{id", Status: 308}, vhost.ErrTo, "none of the wildcards"},
		{"a host that a client would choose", vhost.Rule{From: "/a/{h}", To: "https://{h}/", Status: 308}, vhost.ErrTo, "host"},
		{"a part of one", vhost.Rule{From: "/a/{h}", To: "https://a.test{h}", Status: 308}, vhost.ErrTo, "host"},
		{"a user", vhost.Rule{From: "/a", To: "https://a@b.test/", Status: 308}, vhost.ErrTo, "host"},
		{"a relative target", vhost.Rule{From: "/a", To: "b", Status: 308}, vhost.ErrTo, "begin with"},
		{"a target without a scheme", vhost.Rule{From: "/a", To: "//b.test/", Status: 308}, vhost.ErrTo, "begin with"},
		{"another scheme", vhost.Rule{From: "/a", To: "javascript://x", Status: 308}, vhost.ErrTo, "begin with"},
		{"no target", vhost.Rule{From: "/a", Status: 308}, vhost.ErrTo, "begin with"},
		{"a line's end in the target", vhost.Rule{From: "/a", To: "/b\r\nX: y", Status: 308}, vhost.ErrTo, "percent-encoded"},
		{"a letter that has to be encoded", vhost.Rule{From: "/a", To: "/ü", Status: 308}, vhost.ErrTo, "\"ü\" in it, which stands percent-encoded"},
		{"a port that is none", vhost.Rule{From: "/a", To: "https://host:abc/", Status: 308}, vhost.ErrTo, "port"},
		{"a port beyond the last", vhost.Rule{From: "/a", To: "https://host:65536/", Status: 308}, vhost.ErrTo, "port"},
		{"a colon without a port", vhost.Rule{From: "/a", To: "https://host:/", Status: 308}, vhost.ErrTo, "port"},
		{"a host that is none", vhost.Rule{From: "/a", To: "https://a..b/", Status: 308}, vhost.ErrTo, "no name"},
		{"an IPv6 address that is none", vhost.Rule{From: "/a", To: "https://[::g]/", Status: 308}, vhost.ErrTo, "no IPv6"},
		{"an escape that is none", vhost.Rule{From: "/a", To: "https://a.test/%zz", Status: 308}, vhost.ErrTo, "%25"},
		{"one in the query", vhost.Rule{From: "/a", To: "/b?c=%z", Status: 308}, vhost.ErrTo, "%25"},
		{"one in the fragment", vhost.Rule{From: "/a", To: "/b#%z", Status: 308}, vhost.ErrTo, "%25"},
		{"one in a rewrite", vhost.Rule{From: "/a", To: "/%zz"}, vhost.ErrTo, "%25"},
		{"a brace that closes nothing", vhost.Rule{From: "/a", To: "/b}", Status: 308}, vhost.ErrTo, "closes nothing"},
		{"dots that a wildcard completes", vhost.Rule{From: "/a/{f}", To: "/.{f}"}, vhost.ErrTo, "dots"},
		{"a segment of dots", vhost.Rule{From: "/a/{f...}", To: "/../{f...}"}, vhost.ErrTo, "dots"},
		{"one that is escaped", vhost.Rule{From: "/a/{f...}", To: "/b/%2E./{f}", Status: 308}, vhost.ErrTo, "dots"},
		{"two slashes", vhost.Rule{From: "/a", To: "/b//c", Status: 308}, vhost.ErrTo, "two slashes"},
		{"a rewrite to another site", vhost.Rule{From: "/a", To: "https://b.test/"}, vhost.ErrTo, "same site"},
		{"a rewrite with a query", vhost.Rule{From: "/a", To: "/b?c"}, vhost.ErrTo, "same site"},
		{"what is there already", vhost.Rule{From: "/there/{x}", To: "/", Status: 308, Place: "b.toml:2"}, nil, "a.toml:1"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			rules := &vhost.Rules{Site: says("")}
			if err := rules.Add(vhost.Rule{From: "/there/{y}", To: "/", Place: "a.toml:1"}); err != nil {
				t.Fatal(err)
			}
			err := rules.Add(c.rule)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if c.kind != nil != (errors.Is(err, vhost.ErrTo) || errors.Is(err, vhost.ErrStatus)) || c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("%v is of another kind than %v", err, c.kind)
			}
		})
	}
}
