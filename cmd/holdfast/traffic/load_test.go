package traffic

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/rehearsal"
)

func TestNewEndpoint(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:1", "127.8.9.1:65535", "[::1]:80", "[::ffff:127.0.0.1]:80"} {
		t.Run(addr+" is on the loopback", func(t *testing.T) {
			if _, err := NewEndpoint(addr, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for _, addr := range []string{"192.0.2.1:443", "10.0.0.1:443", "0.0.0.0:443", "[::]:443", "[2001:db8::1]:443", "[::ffff:192.0.2.1]:443", "127.0.0.1:0", "localhost:80", "127.0.0.1", ""} {
		t.Run(addr+" is refused", func(t *testing.T) {
			if _, err := NewEndpoint(addr, nil); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestBalancer(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	never := func(t *testing.T, balancer *Balancer, now time.Time, e *Endpoint) {
		for range 20 {
			if balancer.pick(now) == e {
				t.Fatal("a removed endpoint is chosen")
			}
		}
	}
	t.Run("all who are there are chosen, and nobody where nobody is", func(t *testing.T) {
		a, b, balancer := new(Endpoint), new(Endpoint), new(Balancer)
		if balancer.pick(now) != nil {
			t.Error("an empty balancer has somebody")
		}
		balancer.Add(a)
		balancer.Add(b)
		chosen := map[*Endpoint]bool{}
		for range 200 { // one of the two missing: a chance of 2^-199
			chosen[balancer.pick(now)] = true
		}
		if !chosen[a] || !chosen[b] || len(chosen) != 2 {
			t.Errorf("%d endpoints were chosen", len(chosen))
		}
	})
	t.Run("who is removed is chosen no more", func(t *testing.T) {
		a, b, balancer := new(Endpoint), new(Endpoint), new(Balancer)
		balancer.Add(a)
		balancer.Add(b)
		balancer.Remove(a)
		never(t, balancer, now, a)
		if balancer.pick(now) != b {
			t.Error("the other one has gone too")
		}
	})
	t.Run("who is removed at a time is chosen up to it, and not at it", func(t *testing.T) {
		a, b, balancer := new(Endpoint), new(Endpoint), new(Balancer)
		balancer.Add(a)
		balancer.RemoveAt(a, now.Add(time.Second))
		balancer.RemoveAt(b, now) // of nobody's
		if balancer.pick(now.Add(time.Second-1)) != a {
			t.Error("it is removed early")
		}
		balancer.Add(b)
		never(t, balancer, now.Add(time.Second), a)
		if balancer.pick(now.Add(time.Second)) != b {
			t.Error("the other one has gone too")
		}
	})
}

func TestClientKeepsAndLeavesConnections(t *testing.T) {
	t.Run("one that both sides keep carries the next request", func(t *testing.T) {
		c := clientOf(t, scripted(t, nil, func(p *peer) { reply(helloOK)(p); reply(helloOK)(p); p.untilGone() }))
		c.mustEnd(t, hello(), OK)
		c.mustEnd(t, hello(), OK)
		c.hangUp()
	})
	t.Run("one whose end the server announced is left, and nothing is lost", func(t *testing.T) {
		last := func(p *peer) {
			reply("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")(p)
			p.untilGone()
		}
		c := clientOf(t, scripted(t, nil, last, last))
		c.mustEnd(t, hello(), OK)
		c.mustEnd(t, hello(), OK)
	})
	t.Run("one that the client wants no more is left", func(t *testing.T) {
		once := func(p *peer) { reply(helloOK)(p); p.untilGone() }
		c := clientOf(t, scripted(t, nil, once, once))
		for range 2 {
			q := put([]byte("hello"), true)
			q.patience = patience
			c.mustEnd(t, q, OK)
		}
	})
	t.Run("one that ends while nobody asks is noticed", func(t *testing.T) {
		c := clientOf(t, scripted(t, nil, reply(helloOK), reply(helloOK)))
		c.mustEnd(t, hello(), OK)
		for c.conn != nil { // each round listens for up to 50 ms
			c.think(t.Context())
		}
		c.mustEnd(t, hello(), OK)
	})
	t.Run("one that stays is kept through a pause", func(t *testing.T) {
		c := clientOf(t, scripted(t, nil, func(p *peer) { reply(helloOK)(p); reply(helloOK)(p); p.untilGone() }))
		c.mustEnd(t, hello(), OK)
		kept := c.conn
		c.think(t.Context())
		if c.conn != kept {
			t.Error("the connection was given up")
		}
		c.mustEnd(t, hello(), OK)
		c.hangUp()
	})
	t.Run("the end of the load ends a pause", func(t *testing.T) {
		c := clientOf(t, scripted(t, nil, func(p *peer) { reply(helloOK)(p); p.untilGone() }))
		c.mustEnd(t, hello(), OK)
		over, end := context.WithCancel(t.Context())
		end()
		c.kind = Idle
		c.think(over)
		c.hangUp()
	})
}

func TestUploadThatIsRefusedEarly(t *testing.T) {
	c := clientOf(t, scripted(t, nil, func(p *peer) {
		_, _ = p.r.Peek(1)
		p.say("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		p.untilGone()
	}))
	q := put(rehearsal.Content(uploadBytes), false)
	q.pieces, q.patience = uploadPieces, patience
	c.mustEnd(t, q, WrongStatus)
}

func TestRetryIsCounted(t *testing.T) {
	// The first connection ends under its second request, which is asked again on the
	// second connection; that one ends the load.
	begin, enough := context.WithCancel(t.Context())
	defer enough()
	echo := func(p *peer, then func()) {
		text := p.echo()
		then()
		p.say(text)
	}
	e := scripted(t, nil,
		func(p *peer) { echo(p, func() {}); p.request() },
		func(p *peer) { echo(p, enough); p.untilGone() },
	)
	c := clientOf(t, e)
	c.run(begin, t.Context())
	tally := c.load.Tally()
	if tally.Begun[KeepAlive] != 3 || tally.Ended[KeepAlive][ClosedReused] != 1 || tally.Retried != 1 || tally.Recovered != 1 || tally.Lost() != 1 {
		t.Errorf("%+v", tally)
	}
}

func TestAccount(t *testing.T) {
	now := time.Now()
	leaving := new(Endpoint)
	leaving.Leave(now)
	var a account
	for range 4 {
		a.begin(Stream)
	}
	a.end(outcome{kind: Stream, end: OK, endpoint: leaving, begun: now.Add(300 * time.Millisecond), took: time.Second})
	a.end(outcome{kind: Stream, end: OK, endpoint: leaving, begun: now.Add(900 * time.Millisecond), at: moment{reused: true}})
	a.end(outcome{kind: Stream, end: Truncated, endpoint: leaving, begun: now.Add(-2 * time.Second), why: "x"})
	if a.extremes != (Extremes{Newcomer: 300 * time.Millisecond, Request: time.Second}) {
		t.Errorf("extremes %+v: only a new connection is a newcomer's", a.extremes)
	}
	if want := []Loss{{Stream, Truncated, "x", -2 * time.Second}}; !slices.Equal(a.losses, want) {
		t.Errorf("losses %+v", a.losses)
	}
	if a.tally.Balance() == nil {
		t.Error("a request that has not ended is missed by nobody")
	}
	a.end(outcome{kind: Stream, end: Refused})
	if err := a.tally.Balance(); err != nil || a.tally.Lost() != 2 {
		t.Errorf("lost %d: %v", a.tally.Lost(), err)
	}
	if want := (Counts{OK: 2}); a.tally.Leaving != want {
		t.Errorf("ended at a leaving server: %v, want %v", a.tally.Leaving, want)
	}
}

func TestAccountKeepsSomeLossesOfEachSort(t *testing.T) {
	var a account
	for _, e := range Ends()[1:] {
		for range 2 * likeLossLimit {
			a.end(outcome{kind: Idle, end: e})
		}
		like := slices.DeleteFunc(slices.Clone(a.losses), func(l Loss) bool { return l.End != e })
		if room := lossesLimit - len(a.losses); len(like) != likeLossLimit && room > 0 {
			t.Errorf("%d losses of sort %v are kept", len(like), e)
		}
	}
	if len(a.losses) != lossesLimit {
		t.Errorf("%d losses are kept", len(a.losses))
	}
}

func TestRequests(t *testing.T) {
	t.Run("two requests of a kind that sends differ", func(t *testing.T) {
		l := &Load{ContentLimitBytes: -1}
		for _, k := range []Kind{KeepAlive, NewConnection, Upload, Idle} {
			if a, b := l.request(k, 1), l.request(k, 2); slices.Equal(a.content, b.content) || !slices.Equal(a.content, a.want) {
				t.Errorf("%v: equal, or not an echo", k)
			}
		}
	})
	t.Run("none sends more than the server takes", func(t *testing.T) {
		for _, limit := range []int64{0, 1, 100} {
			l := &Load{ContentLimitBytes: limit}
			for _, k := range Kinds() {
				if q := l.request(k, 1); int64(len(q.content)) > limit {
					t.Errorf("%v sends %d bytes of %d", k, len(q.content), limit)
				}
			}
		}
	})
	t.Run("an upload is within what is echoed", func(t *testing.T) {
		if uploadBytes > rehearsal.EchoLimitBytes || smallBytes > rehearsal.EchoLimitBytes {
			t.Error("it is not")
		}
	})
}

// A listener that answers nobody, and a load that is dropped: each request has its end.
func TestRunEndsWhenItIsDropped(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := NewEndpoint(l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	load := &Load{Balancer: new(Balancer), Mix: DefaultMix(), Patience: patience, Transfer: time.Millisecond, ContentLimitBytes: -1}
	load.Balancer.Add(e)
	ctx, drop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { load.Run(ctx, ctx) })
	accepted, err := l.Accept() // so that at least one has begun
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	drop()
	running.Wait()
	tally := load.Tally()
	begun, ended := tally.Sum()
	if err := tally.Balance(); err != nil || begun == 0 || ended[Unfinished] != begun {
		t.Errorf("%d began, %d were dropped: %v", begun, ended[Unfinished], err)
	}
}
