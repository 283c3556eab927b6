package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
)

const (
	kills          = 100
	memberLeavers  = 4                    // sign out at a time
	leaversAKill   = 8                    // sessions that there are to sign out of in each round
	killMembers    = 20                   // sign in, in turn: no name does so too often
	killAfterMost  = leaversAKill * 3 / 4 // answers; the rest is under way when the server dies
	sampledOfStays = 3                    // sessions that nobody touched, looked at in each round
)

// A killing is what clients were told while servers died, which what is in the store must agree
// with.
type killing struct {
	t       *testing.T
	seeds   *seeds
	server  *server
	client  *http.Client
	stays   []*http.Cookie          // never signed out
	mu      sync.Mutex              // guards what follows
	out, in map[string]*http.Cookie // whose sign-out or sign-in was answered, by value
}

// 100 SIGKILLs under sign-ins and sign-outs: what was answered holds afterwards, and nobody else
// is signed out.
func TestMembersAfterKills(t *testing.T) {
	t.Parallel()
	s := launch(t, membersSite(t), "--config", membersFile(t), "--trusted-proxy", "127.0.0.1")
	k := &killing{t: t, server: s, seeds: openSeeds(t, s.state), client: newVisitor(t, s).http, out: map[string]*http.Cookie{}, in: map[string]*http.Cookie{}}
	s.cmd.Path = withoutRaceDetector(t)
	for i := range killMembers {
		k.seeds.add(fmt.Sprintf("member%d", i))
	}
	for i := range 20 {
		k.stays = append(k.stays, k.seeds.begin(fmt.Sprintf("member%d", i)))
	}
	for round := range kills {
		k.round(round)
	}
	t.Logf("%d sign-outs and %d sign-ins were answered", len(k.out), len(k.in))
	k.check(slices.Collect(maps.Values(k.out)), false)
	k.check(slices.Collect(maps.Values(k.in)), true)
	k.check(k.stays, true)
	if len(k.out) < kills || len(k.in) < kills/10 {
		t.Errorf("%d sign-outs and %d sign-ins were answered: too few to say anything", len(k.out), len(k.in))
	}
}

// withoutRaceDetector is the binary for servers that are to start a hundred times: what holds
// after a kill is a matter of the disk, and others watch for races.
func withoutRaceDetector(t *testing.T) string {
	t.Helper()
	path := binary(t)
	if !raceDetector {
		return path
	}
	path = filepath.Join(t.TempDir(), "holdfast")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// round kills the server amid its work, and looks at what its successor has.
func (k *killing) round(round int) {
	cookies := make(chan *http.Cookie, leaversAKill)
	for i := range leaversAKill {
		cookies <- k.seeds.begin(fmt.Sprintf("member%d", i%killMembers))
	}
	close(cookies)
	answered := make(chan bool, leaversAKill+1) // true for a sign-in's
	var clients sync.WaitGroup
	for range memberLeavers {
		clients.Go(func() {
			for cookie := range cookies {
				if k.signOut(cookie) {
					answered <- false
				}
			}
		})
	}
	clients.Go(func() {
		if k.signIn(round) {
			answered <- true
		}
	})
	over := make(chan struct{})
	go func() {
		defer close(over)
		clients.Wait()
		close(answered)
	}()
	k.awaitAnswers(answered, round)
	k.server.signal(syscall.SIGKILL)
	k.server.exit()
	<-over
	k.server = k.server.again()
	k.check(latest(k.out, leaversAKill), false)
	k.check(latest(k.in, 1), true)
	for range sampledOfStays {
		k.check([]*http.Cookie{k.stays[rand.IntN(len(k.stays))]}, true)
	}
}

// awaitAnswers waits for some of the answers; in each fourth round for the sign-in's, which takes
// long.
func (k *killing) awaitAnswers(answered <-chan bool, round int) {
	n, signIn := 1+rand.IntN(killAfterMost), round%5 == 0
	for n > 0 || signIn {
		isSignIn, more := <-answered
		if !more {
			return // the server is in trouble, which the checks find
		}
		signIn = signIn && !isSignIn
		n--
	}
}

// latest are some of them: all are looked at in the end.
func latest(all map[string]*http.Cookie, n int) (some []*http.Cookie) {
	for _, cookie := range all {
		if len(some) < n {
			some = append(some, cookie)
		}
	}
	return some
}

// visitor asks from an address of its own, so that no limit is in the way.
func (k *killing) visitor() *visitor {
	v := &visitor{t: k.t, server: k.server, http: &http.Client{Transport: k.client.Transport, Timeout: patience, CheckRedirect: k.client.CheckRedirect}}
	return v.address(rand.IntN(1 << 24))
}

func (k *killing) signOut(cookie *http.Cookie) (answered bool) {
	r, err := k.visitor().try("POST", "/-/sign-out", nil, "Cookie", cookie.Name+"="+cookie.Value)
	if err != nil || busy(r.status, r.header) {
		return false // it may have been done or not
	}
	if r.status != 303 {
		k.t.Errorf("sign-out: %d %s", r.status, r.content)
	}
	k.note(k.out, cookie)
	return true
}

func (k *killing) signIn(round int) (answered bool) {
	form := url.Values{"name": {fmt.Sprintf("member%d", round%killMembers)}, "password": {memberPassword}}
	r, err := k.visitor().try("POST", "/-/sign-in", form)
	if err != nil || busy(r.status, r.header) {
		return false
	}
	cookie, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
	if err != nil || r.status != 303 {
		k.t.Errorf("sign-in: %d %s", r.status, r.content)
		return true
	}
	k.note(k.in, cookie)
	return true
}

func (k *killing) note(to map[string]*http.Cookie, cookie *http.Cookie) {
	k.mu.Lock()
	defer k.mu.Unlock()
	to[cookie.Value] = cookie
}

// check tells whether cookies are those of members.
func (k *killing) check(cookies []*http.Cookie, want bool) {
	k.t.Helper()
	for _, cookie := range cookies {
		r := k.visitor().ask("GET", "/members/", nil, "Cookie", cookie.Name+"="+cookie.Value)
		if got := r.status == 200; got != want || r.status != 200 && r.status != 303 {
			k.t.Errorf("a cookie is a member's: %v (%d), want %v", got, r.status, want)
		}
	}
}
