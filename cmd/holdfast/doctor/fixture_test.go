package doctor

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A zone is what a name server of the tests knows, by "TYPE name".
type zone map[string][]dnsmessage.ResourceBody

// nameServer answers on UDP and TCP of one loopback port.
type nameServer struct {
	addr    string
	zone    zone
	rcodes  map[string]dnsmessage.RCode // by "TYPE name"
	silent  map[string]bool             // no answer at all
	cut     bool                        // every answer by UDP is truncated
	forge   bool                        // each answer comes after forged ones
	partial bool                        // aliases are given without what they lead to
	queries atomic.Int64
}

var typeNames = map[dnsmessage.Type]string{dnsmessage.TypeA: "A", dnsmessage.TypeAAAA: "AAAA", dnsmessage.TypeCNAME: "CNAME", typeCAA: "CAA"}

// start listens until the test ends.
func (s *nameServer) start(t *testing.T) *nameServer {
	t.Helper()
	packets, streams := listenBoth(t)
	s.addr = packets.LocalAddr().String()
	var group sync.WaitGroup
	t.Cleanup(func() {
		_ = packets.Close()
		_ = streams.Close()
		group.Wait()
	})
	group.Go(func() { s.serveUDP(packets) })
	group.Go(func() { s.serveTCP(streams) })
	return s
}

// listenBoth takes a port that is free for both.
func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if p, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
			return p, l
		}
		_ = l.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

func (s *nameServer) serveUDP(packets net.PacketConn) {
	b := make([]byte, messageBytes)
	for {
		n, from, err := packets.ReadFrom(b)
		if err != nil {
			return
		}
		m := s.reply(b[:n])
		if m == nil {
			continue
		}
		if s.forge {
			_, _ = packets.WriteTo([]byte("noise"), from)
			other := *m
			other.ID++
			other.Answers = nil
			send(packets, from, &other)
		}
		if s.cut {
			m.Truncated, m.Answers = true, nil
		}
		send(packets, from, m)
	}
}

func send(packets net.PacketConn, to net.Addr, m *dnsmessage.Message) {
	if packed, err := m.Pack(); err == nil {
		_, _ = packets.WriteTo(packed, to)
	}
}

func (s *nameServer) serveTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		b := make([]byte, messageBytes)
		_, _ = io.ReadFull(c, b[:2])
		n := binary.BigEndian.Uint16(b)
		if _, err := io.ReadFull(c, b[:n]); err == nil {
			if m := s.reply(b[:n]); m != nil {
				packed, _ := m.Pack()
				_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...))
			}
		}
		_ = c.Close()
	}
}

// reply is nil for silence.
func (s *nameServer) reply(query []byte) *dnsmessage.Message {
	s.queries.Add(1)
	m := new(dnsmessage.Message)
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := strings.TrimSuffix(q.Name.String(), ".")
	key := typeNames[q.Type] + " " + name
	if s.silent[key] {
		return nil
	}
	m.Response = true
	m.RCode = s.rcodes[key]
	for range 10 {
		if body := s.zone["CNAME "+name]; body != nil {
			m.Answers = append(m.Answers, resource(name, dnsmessage.TypeCNAME, body[0]))
			if s.partial {
				return m
			}
			name = strings.TrimSuffix(body[0].(*dnsmessage.CNAMEResource).CNAME.String(), ".")
			continue
		}
		break
	}
	for _, body := range s.zone[typeNames[q.Type]+" "+name] {
		m.Answers = append(m.Answers, resource(name, q.Type, body))
	}
	return m
}

func resource(name string, kind dnsmessage.Type, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Type: kind, Class: dnsmessage.ClassINET, TTL: 60},
		Body:   body,
	}
}

func address(text string) dnsmessage.ResourceBody {
	addr := netip.MustParseAddr(text)
	if addr.Is4() {
		return &dnsmessage.AResource{A: addr.As4()}
	}
	return &dnsmessage.AAAAResource{AAAA: addr.As16()}
}

func alias(target string) dnsmessage.ResourceBody {
	return &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(target + ".")}
}

func caa(flags byte, tag, value string) dnsmessage.ResourceBody {
	return &dnsmessage.UnknownResource{Type: typeCAA, Data: append([]byte{flags, byte(len(tag))}, tag+value...)}
}

// directory is a CA's, with a clock that is off by so much.
func directory(t *testing.T, off time.Duration, identities string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, `{"newOrder":"https://ca/new-order","meta":{"caaIdentities":[`+identities+`]}}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// anyPort is one that the kernel chooses when it is opened.
var anyPort = Port{Listen: "127.0.0.1:0"}

// closedPort is one of 127.0.0.1 that is taken, so that nobody else gets it, and refuses.
func closedPort(t *testing.T) uint16 {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(name.(*syscall.SockaddrInet4).Port)
}

func portOf(addr net.Addr) Port {
	return Port{Listen: addr.String(), Public: addr.(*net.TCPAddr).AddrPort().Port()}
}

// healthy is a doctor who finds nothing wrong with dock.example.org.
func healthy(t *testing.T) *Doctor {
	t.Helper()
	s := (&nameServer{zone: zone{"A dock.example.org": {address("127.0.0.1")}}}).start(t)
	return &Doctor{
		Domains: []string{"dock.example.org"}, Resolvers: []string{s.addr},
		HTTP: anyPort, HTTPS: anyPort,
		Directory: directory(t, 0, `"ca.example"`), StoreDir: t.TempDir(), Patience: patience,
	}
}

// patience bounds each step of the tests; what has to run out is given less.
const patience = 30 * time.Second

// of are the findings of a check, as "level: what".
func of(r Report, check string) (texts []string) {
	for _, f := range r.Findings {
		if f.Check == check {
			texts = append(texts, f.Level.String()+": "+f.What)
		}
	}
	return texts
}

// want fails unless a check has just one finding, which begins so.
func want(t *testing.T, r Report, check, beginning string) {
	t.Helper()
	got := of(r, check)
	if len(got) != 1 || !strings.HasPrefix(got[0], beginning) {
		t.Errorf("%s: got %q, want %q", check, got, beginning)
	}
}

// collect runs one examination of a domain and makes a report of it.
func collect(findings []Finding) Report { return Report{Findings: findings} }

// caaOf is what d finds about a domain's CAA records at a CA with these names.
func caaOf(d *Doctor, domain string, identities ...string) Report {
	d.prepare()
	d.ca.identities = identities
	return collect(d.examineCAA(context.Background(), domain))
}
