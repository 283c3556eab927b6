package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// signOutHolds is within what time a sign-out on one replica holds on every other.
const signOutHolds = time.Second

// A fleet is two replicas with one Redis behind HAProxy, which has the TLS and sends each
// request to the next of them.
type fleet struct {
	t        *testing.T
	root     string
	file     string
	replicas [2]*server
	front    *server // HAProxy, as visitors know it
	ca       *authority
	straight *http.Client // to the replicas
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, root: membersSite(t), ca: newAuthority(t), straight: client(t, nil)}
	f.file = membersFile(t, `sign-up = "open"`, fmt.Sprintf("store = %q", startRedis(t).url()))
	backends := ""
	for i := range f.replicas {
		f.replicas[i] = f.replica("127.0.0.1:0")
		backends += fmt.Sprintf("\tserver s%d %s check inter 100ms fall 3 rise 1\n", i+1, f.replicas[i].http)
	}
	cert, key := f.ca.pairPEM(1, time.Hour)
	// A GET that went out on an idle connection just as its server closed that may be sent again
	// (RFC 9110 §9.2.2); HAProxy does so only when it is told to.
	h := startHAProxy(t, "listen front\n\tbind BIND ssl crt "+writeFile(t, "front.pem", cert+key)+"\n\tmode http\n\tbalance roundrobin\n"+
		"\toption redispatch 1\n\tretries 3\n\tretry-on conn-failure empty-response\n\toption forwardfor\n\thttp-request set-header X-Forwarded-Proto https\n"+backends)
	f.front = &server{t: t, https: h.addrs[0]}
	return f
}

// replica starts one at an address.
func (f *fleet) replica(addr string) *server {
	f.t.Helper()
	return launch(f.t, f.root, "--config", f.file, "--https", "off", "--http", addr, "--trusted-proxy", "127.0.0.1", "--drain-delay", "300ms")
}

// restart replaces a replica by another at its address, and waits until HAProxy asks that.
func (f *fleet) restart(i int) {
	f.t.Helper()
	gone := f.replicas[i]
	gone.stop()
	if books := gone.ledger("requests"); books["aborted"] != 0.0 || books["forced"] != 0.0 {
		f.t.Errorf("replica %d: the books say %v", i, books)
	}
	f.replicas[i] = f.replica(gone.http)
	eventually(f.t, "HAProxy to ask the new replica", func() bool { return len(f.replicas[i].access.records("request")) > 0 })
}

// busy tells whether a replica had no answer from Redis in time, which on a busy machine may take
// longer than it has. It says so, and signs nobody out.
func busy(status int, header http.Header) bool {
	return status == 503 && header.Get("Retry-After") != ""
}

// asks sends a visitor's request straight to a replica, as HAProxy does, and returns the status.
func (f *fleet) asks(i int, v *visitor, method, path string) (status int) {
	f.t.Helper()
	eventually(f.t, "a replica that is not busy", func() bool {
		answer := f.ask(i, v, method, path)
		status = answer.StatusCode
		return !busy(status, answer.Header)
	})
	return status
}

func (f *fleet) ask(i int, v *visitor, method, path string) *http.Response {
	f.t.Helper()
	r, err := http.NewRequest(method, "http://"+f.replicas[i].http+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, cookie := range v.http.Jar.Cookies(v.at()) {
		r.AddCookie(cookie)
	}
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	r.Header.Set("X-Forwarded-Proto", "https")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := f.straight.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := readAndClose(answer.Body); err != nil {
		f.t.Fatal(err)
	}
	return answer
}

// signIn has a new visitor come in through HAProxy.
func (f *fleet) signIn(name string) *visitor {
	f.t.Helper()
	v := newVisitorBy(f.t, f.front, client(f.t, f.ca.trust()))
	eventually(f.t, "a sign-in", func() bool {
		r := v.post("/-/sign-in", "name", name, "password", memberPassword)
		if r.status != 303 && !busy(r.status, r.header) {
			f.t.Fatalf("%d %s", r.status, r.content)
		}
		return r.status == 303
	})
	return v
}

// isMember tells whether both replicas let the visitor in.
func (f *fleet) isMember(v *visitor) bool {
	f.t.Helper()
	return f.asks(0, v, http.MethodGet, "/members/") == 200 && f.asks(1, v, http.MethodGet, "/members/") == 200
}

func TestMembersBehindHAProxy(t *testing.T) {
	t.Parallel()
	program(t, "haproxy", "haproxy")
	program(t, "redis-server", "redis-server")
	f := startFleet(t)
	added := runToEnd(t, memberPassword+"\n", binary(t), "users", "add", "ann", "--config", f.file)
	if added.exit != 0 {
		t.Fatalf("%+v", added)
	}
	ann := f.signIn("ann")
	t.Run("both replicas know who signed in on one", func(t *testing.T) {
		if !f.isMember(ann) {
			t.Error("one does not")
		}
	})
	t.Run("a rolling restart of both signs nobody out, and loses nothing", func(t *testing.T) {
		l := loadOn(t, f.front.url("/members/"), func() *http.Client {
			c := client(t, f.ca.trust())
			c.Jar = ann.http.Jar
			return c
		}, func(r *http.Response, body []byte) string {
			if busy(r.StatusCode, r.Header) {
				return ""
			}
			if r.StatusCode != 200 || string(body) != "for members" {
				return fmt.Sprintf("status %d, %q", r.StatusCode, body)
			}
			return ""
		})
		l.progress(50)
		for i := range f.replicas {
			f.restart(i)
			l.progress(50)
		}
		l.stop()
	})
	t.Run("who signs in then is known everywhere, and so is who was before", func(t *testing.T) {
		if again := f.signIn("Ann"); !f.isMember(again) || !f.isMember(ann) {
			t.Error("one is not")
		}
	})
	for _, page := range []string{"/-/sign-out", "/-/sign-out-everywhere"} {
		t.Run("a post to "+page+" of one replica holds there at once, and on the other within a second", func(t *testing.T) {
			v := f.signIn("ann")
			if !f.isMember(v) {
				t.Fatal("one does not know the new session")
			}
			f.signsOut(t, v, page)
		})
	}
	t.Run("everywhere is every session of the member's", func(t *testing.T) {
		if f.asks(0, ann, http.MethodGet, "/members/") == 200 {
			t.Error("the first one goes on")
		}
	})
	for _, s := range f.replicas {
		s.stop()
	}
}

// signsOut posts to a page of the first replica. A request that begins a second after the answer
// finds the session over on the second one, however slow the machine is.
func (f *fleet) signsOut(t *testing.T, v *visitor, page string) {
	t.Helper()
	if status := f.asks(0, v, http.MethodPost, page); status != http.StatusSeeOther {
		t.Fatalf("status %d", status)
	}
	done := time.Now()
	if status := f.asks(0, v, http.MethodGet, "/members/"); status != http.StatusSeeOther {
		t.Errorf("where it was answered: status %d", status)
	}
	eventually(t, "the sign-out on the other replica", func() bool {
		begun := time.Now()
		status := f.ask(1, v, http.MethodGet, "/members/").StatusCode
		if late := begun.Sub(done); status == 200 && late > signOutHolds {
			t.Fatalf("a request %v after the sign-out was let in", late)
		}
		return status == http.StatusSeeOther
	})
}
