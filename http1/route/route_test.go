package route_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/route"
)

// says is a handler that answers with a text.
func says(text string) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) { w.Text(200, text) })
}

// muxOf has a handler for each pattern, which answers with it.
func muxOf(patterns ...string) *route.Mux {
	m := new(route.Mux)
	for _, p := range patterns {
		m.Handle(p, says(p))
	}
	return m
}

func ask(m http1.Handler, method, target string) *http1test.Response {
	return http1test.Do(m, http1test.Request{Method: method, Target: target})
}

// TestAnswers are those of the mux itself, where it does not do as ServeMux does; the rest is
// compared with that one in differ_test.go.
func TestAnswers(t *testing.T) {
	m := muxOf("GET /items/{id}", "PURGE /items/{id}", "GET /old/", "GET /end/{$}", "GET a.test/", "GET [::1]/six", "POST /any/{rest...}")
	for _, c := range []struct {
		clause, method, host, target string
		status                       int
		field                        string // of Location or Allow
	}{
		{"OPTIONS has the methods of its path (RFC 9110 §9.3.7)", "OPTIONS", "b.test", "/items/1", 204, "GET, HEAD, OPTIONS, PURGE"},
		{"OPTIONS * has those of all routes", "OPTIONS", "b.test", "*", 204, "GET, HEAD, OPTIONS, POST, PURGE"},
		{"OPTIONS of nothing is 404", "OPTIONS", "b.test", "/nothing", 404, ""},
		{"a method that only others take is 405 with them (§15.5.6)", "DELETE", "b.test", "/items/1", 405, "GET, HEAD, OPTIONS, PURGE"},
		{"an extension method that some pattern names is known", "PURGE", "b.test", "/old/x", 405, "GET, HEAD, OPTIONS"},
		{"one that none names is 501 (§15.6.2)", "BREW", "b.test", "/items/1", 501, ""},
		{"methods are case-sensitive (§9.1)", "get", "b.test", "/items/1", 501, ""},
		{"CONNECT has no path, and nothing takes it", "CONNECT", "b.test", "", 404, ""},
		{"TRACE is known and not allowed", "TRACE", "b.test", "/items/1", 405, "GET, HEAD, OPTIONS, PURGE"},
		{"a missing slash at the end is a redirect with the query", "GET", "b.test", "/old?a=b%2F", 307, "/old/?a=b%2F"},
		{"so it is before {$}", "GET", "b.test", "/end", 307, "/end/"},
		{"a long path too", "GET", "b.test", "/any/../old/" + strings.Repeat("a/../", 200), 307, "/old/"},
		{"a path is cleaned, wherever that leads", "GET", "b.test", "//x/./nothing/..?q", 307, "/x?q"},
		{"a cleaned path keeps its escapes", "GET", "b.test", "//it%20ems/%2e%2e/a%2Fb", 307, "/it%20ems/%2e%2e/a%2Fb"},
		{"a redirect to a slash keeps an encoded one", "POST", "b.test", "/any/a%2Fb/..", 307, "/any/"},
		{"two slashes never make another host of a path", "GET", "b.test", "//evil.example", 307, "/evil.example"},
		{"a host's letters are the same in either case", "GET", "A.Test:8443", "/x", 200, ""},
		{"an address has its brackets without a port", "GET", "[::1]", "/six", 200, ""},
		{"and with one", "GET", "[::1]:443", "/six", 200, ""},
		{"a longer host than there can be is none of ours", "GET", strings.Repeat("a", 300), "/six", 404, ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			target := c.target
			if target == "" {
				target = "?"
			}
			r := http1test.Do(m, http1test.Request{Method: c.method, Authority: c.host, Target: target})
			if got := r.Get("Location") + r.Get("Allow"); r.Status != c.status || got != c.field {
				t.Errorf("%s %s: %d %q, want %d %q", c.method, c.target, r.Status, got, c.status, c.field)
			}
			if r.Status == 204 && len(r.Content) > 0 {
				t.Errorf("a 204 has content: %q", r.Content)
			}
		})
	}
}

func TestPathValue(t *testing.T) {
	for _, c := range []struct {
		clause, pattern, target string
		want                    string // name=value of each wildcard; "-" for another route or none
	}{
		{"a segment", "/items/{id}", "/items/7", "id=7"},
		{"each of several", "/{a}/x/{b}/{c...}", "/1/x/2/3/4/", "a=1 b=2 c=3/4/"},
		{"a rest that is nothing", "/a/{r...}", "/a/", "r="},
		{"decoded", "/{a}/{r...}", "/%41%20/%C3%A9/%2e%2e", "a=A  r=é/.."},
		{"an encoded slash stays in its segment", "/{a}/b", "/x%2Fy/b", "a=x/y"},
		{"an encoded slash alone is a segment", "/{a}", "/%2F", "a=/"},
		{"and no end of a path", "/{$}", "/%2F", "-"},
		{"a literal's text is no wildcard's name", "/id/{id}", "/id/7", "id=7"},
		{"a pattern's escapes are decoded for the comparison", "/%61/{x}", "/a/1", "x=1"},
		{"no wildcards", "/a/{$}", "/a/", ""},
		{"a slash at the end has no name", "/a/", "/a/b", ""},
		{"a letter of any language names one", "/{größe}", "/9", "größe=9"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			got := "-"
			m := new(route.Mux)
			m.HandleFunc(c.pattern, func(w *http1.Response, r *http1.Request) {
				var values []string
				for name, value := range r.PathValues() {
					values = append(values, name+"="+value)
				}
				if got = strings.Join(values, " "); r.PathValue("no such name")+r.PathValue("") != "" {
					t.Error("a name that the pattern does not have has a value")
				}
			})
			if ask(m, "GET", c.target); got != c.want {
				t.Errorf("%s of %s: %q, want %q", c.target, c.pattern, got, c.want)
			}
		})
	}
	t.Run("it outlives the handler, and a path that a middleware set later", func(t *testing.T) {
		var kept, path string
		m := new(route.Mux)
		m.HandleFunc("/a/{x}", func(w *http1.Response, r *http1.Request) {
			r.SetPath("/other")
			kept, path = r.PathValue("x"), r.Path()
		})
		if ask(m, "GET", "/a/value"); kept != "value" || path != "/other" {
			t.Errorf("value %q, path %q", kept, path)
		}
	})
	t.Run("Lookup has it too", func(t *testing.T) {
		f := muxOf("/a/{x}/{r...}").Lookup("GET", "b.test", "/a/%41/b/c")
		if f.Status != 0 || f.Route.Pattern != "/a/{x}/{r...}" || f.PathValue("x") != "A" || f.PathValue("r") != "b/c" || f.PathValue("y") != "" {
			t.Errorf("%+v", f)
		}
	})
}

func TestRegistration(t *testing.T) {
	for _, c := range []struct{ clause, pattern, want string }{
		{"a slash is missing", "GET a.test", "no slash"},
		{"nothing", "", "no slash"},
		{"the method is no token", "GE(T /", `"GE(T" is no method`},
		{"a wildcard in a host", "{tenant}.test/", "a host has no wildcards"},
		{"an empty segment", "//a", "can never match"},
		{"dots", "GET /a/../b", "can never match"},
		{"a wildcard that is a part of a segment", "/a{x}", "not a wildcard alone"},
		{"a wildcard without its end", "/{x", "not a wildcard alone"},
		{"an empty name", "/{}", "no name"},
		{"a name with a dash", "/{a-b}", "no name"},
		{"a rest in the middle", "/{r...}/a", "has to be the last"},
		{"an end in the middle", "/{$}/a", "has to be the last"},
		{"a name twice", "/{a}/{a...}", "two wildcards are called a"},
	} {
		t.Run("refuses "+c.clause, func(t *testing.T) {
			m := new(route.Mux)
			err := m.Register(route.Route{Pattern: c.pattern, Handler: says("x")})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", c.pattern)) {
				t.Errorf("%v, want the pattern and %q", err, c.want)
			}
			if len(m.Routes()) != 0 {
				t.Error("the refused pattern is registered")
			}
		})
	}
	t.Run("a conflict names both patterns, both places and a path", func(t *testing.T) {
		m := muxOf("/{a}/b")
		text := panicOf(t, func() { m.Handle("/a/{b}", says("")) })
		for _, want := range []string{`"/a/{b}"`, `"/{a}/b"`, "both match /a/b"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q has no %q", text, want)
			}
		}
		if strings.Count(text, "route_test.go:") != 2 {
			t.Errorf("%q does not name this file's two lines", text)
		}
	})
	t.Run("a conflict of methods and paths is told as such", func(t *testing.T) {
		text := panicOf(t, func() { muxOf("GET /", "/a") })
		if !strings.Contains(text, "/a takes more methods and GET / more paths") {
			t.Error(text)
		}
	})
	t.Run("the same twice", func(t *testing.T) {
		if text := panicOf(t, func() { muxOf("GET A.test/{x}", "GET a.test/{y}") }); !strings.Contains(text, "both match the same requests") {
			t.Error(text)
		}
	})
	t.Run("a place of its own goes before the caller's", func(t *testing.T) {
		m := muxOf("/a")
		err := m.Register(route.Route{Pattern: "/a", Handler: says(""), Place: "site.toml:7"})
		if err == nil || !strings.Contains(err.Error(), "registered at site.toml:7") {
			t.Error(err)
		}
	})
	t.Run("a nil handler", func(t *testing.T) {
		panicOf(t, func() { new(route.Mux).Handle("/", nil) })
		panicOf(t, func() { new(route.Mux).HandleFunc("/", nil) })
	})
	t.Run("a refused pattern leaves the routes as they were", func(t *testing.T) {
		m := muxOf("/a")
		panicOf(t, func() { m.Handle("/a", says("another")) })
		if r := ask(m, "GET", "/a"); string(r.Content) != "/a" || len(m.Routes()) != 1 {
			t.Errorf("%q of %d routes", r.Content, len(m.Routes()))
		}
	})
}

func panicOf(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		if text = fmt.Sprint(recover()); text == "<nil>" {
			t.Error("no panic")
		}
	}()
	f()
	return ""
}

func TestFind(t *testing.T) {
	m := muxOf("GET /a/{x}", "/dir/", "/all/{rest...}", "/all/only/{$}")
	for _, c := range []struct{ clause, method, target, want string }{
		{"a route takes it", "GET", "/a/1", "GET /a/{x} 200"},
		{"its slash misses, and who is behind may have an answer", "GET", "/dir", "nothing"},
		{"a slash that misses for a narrower route", "GET", "/all/only", "/all/{rest...} 200"},
		{"another method", "POST", "/a/1", "nothing"},
		{"no route", "GET", "/b", "nothing"},
		{"a path that is not clean", "GET", "//dir/", "nothing"},
		{"the server as a whole", "OPTIONS", "*", "nothing"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			got := "nothing"
			r := http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
				if h := m.Find(r); h != nil {
					got = r.Route()
					h.Serve(w, r)
				}
			}), http1test.Request{Method: c.method, Target: c.target})
			if got != "nothing" {
				got += fmt.Sprint(" ", r.Status)
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			f := m.LookupAsIs(c.method, "", c.target)
			if found := f.Route != nil; found != (c.want != "nothing") || found && f.Route.Pattern+" 200" != c.want {
				t.Errorf("LookupAsIs: %+v, want %s", f.Route, c.want)
			}
		})
	}
	t.Run("Wildcards are named, or the pattern is refused", func(t *testing.T) {
		names, err := route.Wildcards("GET /{a}/{b...}")
		if fmt.Sprint(names) != "[a b]" || err != nil {
			t.Error(names, err)
		}
		if _, err := route.Wildcards("/{"); err == nil {
			t.Error("no error")
		}
	})
}

func TestGroup(t *testing.T) {
	around := func(name string) route.Middleware {
		return func(next http1.Handler) http1.Handler {
			return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
				w.Add("Around", name)
				next.Serve(w, r)
			})
		}
	}
	t.Run("the first middleware is the outermost, and an inner group's are inside", func(t *testing.T) {
		m := new(route.Mux)
		api := m.Group("/api", around("1"), around("2"))
		v1, v2 := api.Group("/v1/", around("3")), api.Group("/v2", around("4"))
		v1.Handle("GET /x/{id}", says("one"))
		v2.Handle("GET  /x/{id}", says("two"))
		api.HandleFunc("/", func(w *http1.Response, r *http1.Request) { w.Text(200, r.Path()) })
		for target, want := range map[string]string{"/api/v1/x/7": "[1 2 3] one", "/api/v2/x/7": "[1 2 4] two", "/api/z": "[1 2] /api/z"} {
			r := ask(m, "GET", target)
			if got := fmt.Sprint(r.Values("Around"), " ", string(r.Content)); got != want {
				t.Errorf("%s: %q, want %q", target, got, want)
			}
		}
	})
	t.Run("what no route takes goes through no middleware", func(t *testing.T) {
		m := new(route.Mux)
		m.Group("/api", around("1")).Handle("GET /x", says(""))
		if r := ask(m, "POST", "/api/x"); r.Status != 405 || r.Get("Around") != "" {
			t.Errorf("%d %v", r.Status, r.Fields)
		}
	})
	t.Run("a prefix may have a host and wildcards", func(t *testing.T) {
		m := new(route.Mux)
		m.Group("a.test/{tenant}").HandleFunc("GET /x", func(w *http1.Response, r *http1.Request) { w.Text(200, r.PathValue("tenant")) })
		r := http1test.Do(m, http1test.Request{Authority: "a.test", Target: "/acme/x"})
		if string(r.Content) != "acme" || r.Route != "GET a.test/{tenant}/x" {
			t.Errorf("%q, route %q", r.Content, r.Route)
		}
	})
	t.Run("a name is the routes' in metrics and logs, the nearest first", func(t *testing.T) {
		m := new(route.Mux)
		items := m.Group("/items").Named("items")
		items.Handle("GET /{id}", says(""))
		items.Named("item.delete").Handle("DELETE /{id}", says(""))
		if err := items.Register(route.Route{Pattern: "POST /{$}", Handler: says(""), Name: "item.new"}); err != nil {
			t.Fatal(err)
		}
		for _, c := range [][3]string{{"GET", "/items/1", "items"}, {"DELETE", "/items/1", "item.delete"}, {"POST", "/items", "item.new"}, {"POST", "/items/", "item.new"}, {"PUT", "/items/1", ""}} {
			if r := ask(m, c[0], c[1]); r.Route != c[2] {
				t.Errorf("%s %s: route %q, want %q", c[0], c[1], r.Route, c[2])
			}
		}
	})
	t.Run("a host within a group is refused", func(t *testing.T) {
		g := new(route.Mux).Group("/api")
		panicOf(t, func() { g.Handle("GET a.test/x", says("")) })
		panicOf(t, func() { g.Group("a.test") })
	})
}

func TestConcurrency(t *testing.T) {
	t.Run("routes are registered while requests are served", func(t *testing.T) {
		const routes = 200
		m := new(route.Mux)
		m.Handle("/", says("root"))
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := range routes {
					target := fmt.Sprintf("/w%d/%d", worker, i)
					if got := string(ask(m, "GET", target).Content); got != "root" {
						t.Errorf("%s before its registration: %q", target, got)
					}
					m.Handle(target, says(target))
					if got := string(ask(m, "GET", target).Content); got != target {
						t.Errorf("%s after its registration: %q", target, got)
					}
				}
			})
		}
		wg.Wait()
		if n := len(m.Routes()); n != 4*routes+1 {
			t.Errorf("%d routes", n)
		}
	})
	t.Run("of two that register the same at once, one is refused", func(t *testing.T) {
		m := new(route.Mux)
		refused := make(chan error, 2)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { refused <- m.Register(route.Route{Pattern: "/a", Handler: says("")}) })
		}
		wg.Wait()
		if a, b := <-refused, <-refused; (a == nil) == (b == nil) {
			t.Errorf("%v, %v", a, b)
		}
	})
}
