package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// isOpen tells whether one of the doctor's doors still is.
func isOpen(d *Doctor) bool {
	return slices.ContainsFunc(d.doors, func(o *door) bool {
		c, err := o.listener.Accept()
		if err == nil {
			_ = c.Close()
		}
		return !errors.Is(err, net.ErrClosed)
	})
}

func TestHealthyHost(t *testing.T) {
	d := healthy(t)
	r := d.Run(t.Context())
	for _, f := range r.Findings {
		if f.Level > Note && f.Check != "store" { // the tests' directory may be in memory
			t.Errorf("got %+v", f)
		}
	}
	want(t, r, "dns", "ok: A 127.0.0.1 is this machine's")
	want(t, r, "caa", "ok: no CAA record")
	if len(d.doors) != 2 {
		t.Fatalf("%d doors were opened", len(d.doors))
	}
	for _, o := range d.doors {
		want(t, r, o.check, fmt.Sprintf("ok: 127.0.0.1:%d leads to this machine", o.public))
	}
	want(t, r, "dry-run", "note: an order at the staging CA was not tried")
	if isOpen(d) {
		t.Error("a port is left open")
	}
}

func TestManyDomainsKeepTheirOrder(t *testing.T) {
	d := healthy(t)
	z := zone{}
	d.Domains = nil
	for i := range 20 {
		domain := fmt.Sprintf("d%d.example.org", i)
		d.Domains = append(d.Domains, domain)
		z["A "+domain] = append(z["A "+domain], address("127.0.0.1"))
	}
	d.Resolvers = []string{(&nameServer{zone: z}).start(t).addr}
	var order []string
	for _, f := range d.Run(t.Context()).Findings {
		if f.Check == "https" && f.Level == OK {
			order = append(order, f.Domain)
		}
	}
	if !slices.Equal(order, d.Domains) {
		t.Errorf("got %q", order)
	}
}

// stranger is a web server of somebody else.
func stranger(t *testing.T, secure bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "someone/1.0")
		http.Redirect(w, new(http.Request), "https://elsewhere.example.org/", http.StatusFound)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are broken off
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func TestNameLeadsElsewhere(t *testing.T) {
	d := healthy(t) // it opens its own ports, and the public ones are a stranger's
	d.HTTP.Public = portOf(stranger(t, false).Listener.Addr()).Public
	d.HTTPS.Public = portOf(stranger(t, true).Listener.Addr()).Public
	r := d.Run(t.Context())
	want(t, r, "http", fmt.Sprintf(`fault: 127.0.0.1:%d answers, and is not this machine: status 302 to "https://elsewhere.example.org/" by "someone/1.0"`, d.HTTP.Public))
	want(t, r, "https", fmt.Sprintf("fault: 127.0.0.1:%d answers, and is not this machine: a certificate by", d.HTTPS.Public))

	d = healthy(t)
	d.HTTPS.Public = portOf(stranger(t, false).Listener.Addr()).Public
	want(t, d.Run(t.Context()), "https", fmt.Sprintf("fault: 127.0.0.1:%d answers, and is not this machine: tls:", d.HTTPS.Public))
}

func TestNotReached(t *testing.T) {
	t.Run("this machine's own address is closed", func(t *testing.T) {
		d := healthy(t)
		d.HTTP.Public, d.HTTPS.Public = closedPort(t), closedPort(t)
		r := d.Run(t.Context())
		for _, check := range []string{"http", "https"} {
			want(t, r, check, "fault: 127.0.0.1:")
			if got := of(r, check)[0]; !strings.Contains(got, "is this machine's, and cannot be reached: connect") {
				t.Errorf("got %q", got)
			}
		}
	})
	t.Run("another's is a warning, since a router may not let us back in", func(t *testing.T) {
		d := healthy(t)
		d.Addresses = func() ([]netip.Addr, error) { return nil, nil }
		d.HTTP.Public = closedPort(t)
		r := d.Run(t.Context())
		want(t, r, "http", "warning: 127.0.0.1:")
		want(t, r, "https", "ok: 127.0.0.1:")
	})
	t.Run("a server that accepts and says nothing", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		d := healthy(t)
		d.prepare()
		d.Patience = 40 * time.Millisecond
		for _, check := range []string{"http", "https"} {
			o := &door{check: check, public: portOf(l.Addr()).Public, listener: l}
			r := collect(d.reach(t.Context(), o, "dock.example.org", []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}))
			if got := of(r, check); len(got) != 1 || !strings.Contains(got[0], "no answer in time") && !strings.Contains(got[0], "deadline") {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestHeldPorts(t *testing.T) {
	page, secure := stranger(t, false), stranger(t, true)
	held := func(t *testing.T) *Doctor {
		d := healthy(t)
		d.HTTP, d.HTTPS = portOf(page.Listener.Addr()), portOf(secure.Listener.Addr())
		return d
	}
	t.Run("by another program", func(t *testing.T) {
		d := held(t)
		d.Holder = func(context.Context, uint16) Holder { return Holder{Name: "nginx", PID: 12} }
		r := d.Run(t.Context())
		want(t, r, "http", fmt.Sprintf("fault: port %d is held by nginx, pid 12", d.HTTP.Public))
		want(t, r, "https", fmt.Sprintf("fault: port %d is held by nginx, pid 12", d.HTTPS.Public))
	})
	t.Run("by one that is not seen", func(t *testing.T) {
		d := held(t)
		d.Holder = func(context.Context, uint16) Holder { return Holder{} }
		want(t, d.Run(t.Context()), "http", fmt.Sprintf("fault: port %d is held by another process", d.HTTP.Public))
	})
	serial := fmt.Sprintf("%x", secure.Certificate().SerialNumber)
	ours := func(serials ...string) func(context.Context, uint16) Holder {
		return func(context.Context, uint16) Holder { return Holder{Holdfast: true, PID: 7, Serials: serials} }
	}
	t.Run("by a holdfast to which the name leads", func(t *testing.T) {
		d := held(t)
		d.Holder = ours("1", serial)
		r := d.Run(t.Context())
		if got := of(r, "https"); len(got) != 2 || !strings.HasPrefix(got[0], "ok: holdfast listens on port") || !strings.HasSuffix(got[1], "leads to this machine") {
			t.Errorf("https %q", got)
		}
		if got := of(r, "http"); len(got) != 2 || !strings.HasSuffix(got[1], "answers as the holdfast of this machine does") {
			t.Errorf("http %q", got)
		}
	})
	t.Run("by a holdfast to which it does not", func(t *testing.T) {
		d := held(t)
		d.Holder = ours("1")
		d.HTTP.Public = portOf(httpEcho(t)).Public
		r := d.Run(t.Context())
		if got := of(r, "https"); len(got) != 2 || !strings.Contains(got[1], "fault: ") || !strings.Contains(got[1], "is not this machine") {
			t.Errorf("https %q", got)
		}
		if got := of(r, "http"); len(got) != 2 || !strings.HasPrefix(got[1], "warning: ") || !strings.Contains(got[1], "otherwise than the holdfast") {
			t.Errorf("http %q", got)
		}
	})
	t.Run("by a holdfast that has no certificate for the name yet", func(t *testing.T) {
		certificate := secure.TLS.Certificates[0]
		picky := httptest.NewUnstartedServer(http.NotFoundHandler())
		picky.Config.ErrorLog = log.New(io.Discard, "", 0)
		picky.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName != "" {
				return nil, nil
			}
			return &certificate, nil
		}}
		l := tls.NewListener(picky.Listener, picky.TLS)
		picky.Listener = l
		picky.Start()
		t.Cleanup(picky.Close)
		d := healthy(t)
		d.HTTPS, d.Holder = portOf(l.Addr()), ours(serial)
		if got := of(d.Run(t.Context()), "https"); len(got) != 2 || !strings.HasSuffix(got[1], "leads to this machine") {
			t.Errorf("https %q", got)
		}
	})
	t.Run("by a holdfast that has no certificate at all yet", func(t *testing.T) {
		d := healthy(t)
		d.HTTPS, d.Holder = portOf(refusing(t)), ours()
		r := d.Run(t.Context())
		if got := of(r, "https"); len(got) != 2 || !strings.HasPrefix(got[1], "warning: ") || !strings.Contains(got[1], "no certificate yet") {
			t.Errorf("https %q", got)
		}
		// Somebody else's refusal is another.
		d = healthy(t)
		d.HTTPS, d.Holder = portOf(refusing(t)), ours()
		d.HTTPS.Public = portOf(refusing(t, "another protocol")).Public
		if got := of(d.Run(t.Context()), "https"); len(got) != 2 || !strings.HasPrefix(got[1], "fault: ") || !strings.Contains(got[1], "is not this machine") {
			t.Errorf("https %q", got)
		}
	})
	t.Run("the system says who holds a port", func(t *testing.T) {
		if h := ProcessOn(t.Context(), portOf(page.Listener.Addr()).Public); h.PID != os.Getpid() || h.Name == "" {
			t.Errorf("got %+v", h)
		}
		if h := ProcessOn(t.Context(), closedPort(t)); h.PID != 0 || h.Name != "" {
			t.Errorf("a port that nobody listens on has %+v", h)
		}
	})
}

// refusing is a server without any certificate, which says unrecognized_name; with protocols
// it says no_application_protocol.
func refusing(t *testing.T, protocols ...string) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); group.Wait() })
	config := &tls.Config{NextProtos: protocols, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = tls.Server(c, config).Handshake() // the client's end tells
			_ = c.Close()
		}
	})
	return l.Addr()
}

// httpEcho is a server that answers 200.
func httpEcho(t *testing.T) net.Addr {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	t.Cleanup(s.Close)
	return s.Listener.Addr()
}

func TestPortsThatCannotBeTried(t *testing.T) {
	for _, c := range []struct{ name, listen, want string }{
		{"none", "", "note: the server is not to listen there"},
		{"no address of this machine's", "192.0.2.1:80", "fault: cannot listen on 192.0.2.1:80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := healthy(t)
			d.HTTP.Listen = c.listen
			want(t, d.Run(t.Context()), "http", c.want)
		})
	}
}

// Strangers who hang on the door must not keep our own dial out, nor the doctor from ending.
func TestDoorIsCrowded(t *testing.T) {
	d := healthy(t)
	d.prepare()
	d.openDoors(t.Context())
	if len(d.doors) != 2 {
		t.Fatalf("%d doors", len(d.doors))
	}
	for _, o := range d.doors {
		for range doorConnectionsLimit - 1 {
			c, err := net.Dial("tcp", o.local)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
		}
		r := collect(d.reach(t.Context(), o, "dock.example.org", []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}))
		want(t, r, o.check, "ok: ")
	}
	for _, o := range d.doors {
		o.close() // returns long before their patience does
	}
}

func TestDryRun(t *testing.T) {
	d := healthy(t)
	var mu sync.Mutex
	var tried []string
	d.DryRun = func(ctx context.Context, domain, challenge string) error {
		mu.Lock()
		defer mu.Unlock()
		tried = append(tried, domain+" "+challenge)
		if _, ok := ctx.Deadline(); !ok || isOpen(d) {
			return errors.New("the ports are not free, or there is no deadline")
		}
		if challenge == "http-01" {
			return errors.New("the CA saw a 404")
		}
		return nil
	}
	got := of(d.Run(t.Context()), "dry-run")
	if !slices.Equal(tried, []string{"dock.example.org tls-alpn-01", "dock.example.org http-01"}) {
		t.Errorf("tried %q", tried)
	}
	if !slices.Equal(got, []string{"ok: the staging CA issues by tls-alpn-01", "fault: the staging CA does not issue by http-01: the CA saw a 404"}) {
		t.Errorf("got %q", got)
	}
}

func TestDryRunThatCannotBe(t *testing.T) {
	d := healthy(t)
	d.DryRun = func(context.Context, string, string) error { return fmt.Errorf("%w: a server is there", ErrNotTried) }
	r := d.Run(t.Context())
	if got := of(r, "dry-run"); !slices.Equal(got, []string{"note: an order by tls-alpn-01 was not tried: a server is there", "note: an order by http-01 was not tried: a server is there"}) || r.Count(Fault) > 0 {
		t.Errorf("got %q", got)
	}
}

func TestCancelledExamination(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := healthy(t)
	d.DryRun = func(context.Context, string, string) error { t.Error("it was tried after all"); return nil }
	want(t, d.Run(ctx), "doctor", "warning: the examination was ended before it was done")
}

func TestReportIsJSON(t *testing.T) {
	r := Report{Findings: []Finding{{Level: Warning, Check: "dns", Domain: "a.org", What: "w", Mend: "m"}, {Level: OK, Check: "store", What: "x"}}}
	text, err := json.Marshal(r)
	const want = `{"findings":[{"level":"warning","check":"dns","domain":"a.org","what":"w","mend":"m"},{"level":"ok","check":"store","what":"x"}]}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back.Findings, r.Findings) {
		t.Errorf("got %+v, %v", back, err)
	}
	if err := new(Level).UnmarshalText([]byte("worse")); err == nil {
		t.Error("an unknown level is read")
	}
}
