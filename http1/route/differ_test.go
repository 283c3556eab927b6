package route_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/route"
)

// What patterns and requests are made of: few letters, so that they meet.
var (
	somePatternMethods = []string{"", "", "GET ", "POST ", "HEAD ", "PUT  ", "GET\t"}
	someHosts          = []string{"", "", "", "a.test", "b.test"}
	someSegments       = []string{"a", "b", "c", "{x}", "{y}", "{z}", "a%20b", "%61", "a+b", "é", "{bad", "{a b}", "p{x}", "."}
	someEnds           = []string{"", "", "/", "/{$}", "/{r...}", "/{x...}"}

	someMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE"}
	someAsked   = []string{"a.test", "b.test:8443", "c.test"}
	someParts   = []string{"a", "b", "c", "d", "a%20b", "%61", "a+b", "%C3%A9", ".", "..", "", "%2e%2e", "a%2Fb", "~"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func somePattern(r *rand.Rand) string {
	var p strings.Builder
	p.WriteString(pick(r, somePatternMethods) + pick(r, someHosts))
	segments := r.IntN(4)
	for range segments {
		p.WriteString("/" + pick(r, someSegments))
	}
	tail := pick(r, someEnds)
	if segments == 0 && tail == "" {
		tail = "/"
	}
	return p.String() + tail
}

func somePath(r *rand.Rand) string {
	var p strings.Builder
	for range 1 + r.IntN(4) {
		p.WriteString("/" + pick(r, someParts))
	}
	if r.IntN(3) == 0 {
		p.WriteString("/")
	}
	return p.String()
}

// pair is a ServeMux and ours with the same patterns.
type pair struct {
	theirs *http.ServeMux
	ours   *route.Mux
	taken  []string
}

// register has both take a pattern or both refuse it.
func (p *pair) register(t *testing.T, pattern string) {
	t.Helper()
	h := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		w.Set("Pattern", url.PathEscape(pattern))
		for name, value := range r.PathValues() {
			w.Add("Value", name+"="+url.PathEscape(value))
		}
	})
	err := p.ours.Register(route.Route{Pattern: pattern, Handler: h})
	refusal := func() (refusal any) {
		defer func() { refusal = recover() }()
		p.theirs.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Pattern", url.PathEscape(pattern))
			for _, s := range strings.Split(pattern, "/") {
				name := strings.TrimSuffix(strings.Trim(s, "{}"), "...")
				if strings.HasPrefix(s, "{") && name != "$" {
					w.Header().Add("Value", name+"="+url.PathEscape(r.PathValue(name)))
				}
			}
		})
		return nil
	}()
	if (err != nil) != (refusal != nil) && !unclean(pattern) {
		t.Fatalf("pattern %q behind %q:\nours:     %v\nServeMux: %v", pattern, p.taken, err, refusal)
	}
	if err == nil {
		p.taken = append(p.taken, pattern)
	}
	if err == nil || refusal == nil {
		return
	}
	if strings.Contains(fmt.Sprint(refusal), "conflicts with") != strings.Contains(err.Error(), "conflicts with") {
		t.Fatalf("pattern %q behind %q is refused for different reasons:\nours:     %v\nServeMux: %v", pattern, p.taken, err, refusal)
	}
}

// unclean patterns are taken by ServeMux where they name no method, and then do other than what
// they say: the pair must not get them. See the package's documentation.
func unclean(pattern string) bool {
	_, path, _ := strings.Cut(pattern, "/")
	for s := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		if path != "" && (s == "" || s == "." || s == "..") {
			return true
		}
	}
	return false
}

func newPair() *pair { return &pair{theirs: http.NewServeMux(), ours: new(route.Mux)} }

// same asks both, and returns the status.
func (p *pair) same(t *testing.T, method, host, target string) int {
	t.Helper()
	ours := http1test.Do(p.ours, http1test.Request{Method: method, Target: target, Authority: host})
	request := httptest.NewRequest(method, target, nil)
	request.Host = host
	recorder := httptest.NewRecorder()
	p.theirs.ServeHTTP(recorder, request)
	theirs := recorder.Result()

	got := outcome{ours.Status, ours.Get("Pattern"), ours.Get("Location"), ours.Get("Allow"), ours.Values("Value")}
	h := theirs.Header
	want := outcome{theirs.StatusCode, h.Get("Pattern"), h.Get("Location"), h.Get("Allow"), h.Values("Value")}
	if want.allow != "" { // we answer OPTIONS, and say so
		methods := append(strings.Split(want.allow, ", "), "OPTIONS")
		slices.Sort(methods)
		want.allow = strings.Join(methods, ", ")
	}
	if got.location != "" && want.location != "" { // ServeMux encodes anew
		got.location, want.location = mustUnescape(t, got.location), mustUnescape(t, mustUnescape(t, want.location))
		if strings.Contains(target, "%") {
			got.location, want.location = "somewhere", "somewhere"
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s %s%s of %q:\nours:     %+v\nServeMux: %+v", method, host, target, p.taken, got, want)
	}
	if want.pattern != "" && ours.Route != mustUnescape(t, want.pattern) {
		t.Fatalf("%s %s%s: the route's name is %q, want %q", method, host, target, ours.Route, want.pattern)
	}
	return ours.Status
}

type outcome struct {
	status                   int
	pattern, location, allow string
	values                   []string
}

func mustUnescape(t *testing.T, s string) string {
	t.Helper()
	plain, err := url.PathUnescape(s)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// compare registers and asks at random, from one seed.
func compare(t *testing.T, seen map[int]int, seed uint64, patterns, requests int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	p := newPair()
	for range patterns {
		if pattern := somePattern(r); !unclean(pattern) {
			p.register(t, pattern)
		}
	}
	for range requests {
		target := somePath(r)
		if r.IntN(4) == 0 {
			target += "?q=%2F"
		}
		seen[p.same(t, pick(r, someMethods), pick(r, someAsked), target)]++
	}
}

func TestSameAsServeMux(t *testing.T) {
	t.Run("random patterns conflict alike, and random requests end alike", func(t *testing.T) {
		seen := map[int]int{}
		for seed := range 150 {
			compare(t, seen, uint64(seed), 1+seed%40, 60)
		}
		for _, status := range []int{200, 307, 404, 405} {
			if seen[status] < 200 {
				t.Errorf("%d requests ended with %d: they say too little (%v)", seen[status], status, seen)
			}
		}
	})
	t.Run("the patterns of its documentation", func(t *testing.T) {
		p := newPair()
		for _, pattern := range []string{
			"/index.html", "GET /static/", "example.com/", "example.com/{$}", "/b/{bucket}/o/{objectname...}",
			"/images/thumbnails/", "/images/", "GET /posts/latest", "/posts/{id}", "/posts/{id}", "/posts/latest", "/{a}/latest",
		} {
			p.register(t, pattern)
		}
		for _, target := range []string{
			"/", "/index.html", "/static", "/static/", "/static/x", "/b/x/o/y/z", "/b/x/o/", "/b/x/o", "/b//o/",
			"/images", "/images/thumbnails", "/images/thumbnails/x", "/posts/latest", "/posts/7", "/posts/", "/posts", "/x/latest",
		} {
			for _, method := range someMethods {
				p.same(t, method, "example.com", target)
				p.same(t, method, "example.org", target)
			}
		}
	})
}

// FuzzSameAsServeMux takes patterns, a line each, and a request from the fuzzer.
func FuzzSameAsServeMux(f *testing.F) {
	f.Add("GET /a/{x}\n/a/{r...}\na.test/a/{$}", "GET", "a.test:80", "/a/b?c")
	f.Add("/{x}/b\n/a/{y}", "HEAD", "b.test", "/a/b")
	f.Add("POST /a/\n/a b/%41", "GET", "", "/a%20b/A")
	f.Add("GET /\n/a/b/{$}\nHEAD /{a}/{b}", "HEAD", "x", "/./a//b/..")
	f.Fuzz(func(t *testing.T, patterns, method, host, target string) {
		if len(patterns)+len(target) > 2000 || !askable(method, host, target) {
			return
		}
		p := newPair()
		for pattern := range strings.SplitSeq(patterns, "\n") {
			if sameMeaning(pattern) {
				p.register(t, pattern)
			}
		}
		p.same(t, method, host, target)
	})
}

// askable tells whether our parser lets a request through, and no documented difference is in
// its way: an encoded slash, an address, a method that is not everybody's.
func askable(method, host, target string) bool {
	if !slices.Contains(someMethods, method) || host != strings.ToLower(host) || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:") != "" || strings.Count(host, ":") > 1 {
		return false
	}
	if !strings.HasPrefix(target, "/") || strings.Contains(strings.ToLower(target), "%2f") {
		return false
	}
	for _, c := range []byte(target) {
		if c <= ' ' || c >= 0x7F || strings.IndexByte(`#<>"\`, c) >= 0 {
			return false
		}
	}
	_, err := url.ParseRequestURI(target)
	return err == nil && !strings.HasSuffix(target, "?")
}

// sameMeaning tells whether ServeMux takes the pattern for what we take it for.
func sameMeaning(pattern string) bool {
	host, _, _ := strings.Cut(pattern, "/")
	if i := strings.LastIndexAny(host, " \t"); i >= 0 {
		host = host[i+1:]
	}
	return !unclean(pattern) && host == strings.ToLower(host) && !strings.ContainsAny(host, "[]:") && !strings.Contains(strings.ToLower(pattern), "%2f") && !strings.HasPrefix(pattern, "CONNECT")
}
