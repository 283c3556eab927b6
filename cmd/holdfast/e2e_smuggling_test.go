package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// smugglingConfig is HAProxy as it comes, and HAProxy told to pass on what it would refuse.
// All clients share connections to the server, which is what a smuggled request needs. The
// timeouts end the messages that are not whole. The option for the second frontend has another
// name from 3.1 on, and this one still works there.
// One thread keeps the log in the order of the events, and a request line in it may be as long
// as HAProxy's buffer.
const smugglingConfig = `
global
	nbthread 1
	maxconn 512
	hard-stop-after 20s
	tune.http.logurilen 16384
	log stdout len 65535 format raw local0
defaults
	mode http
	log global
	timeout connect 20s
	timeout server 20s
	log-format "%ci %bi:%bp %s %ST %tsc %rc %HM %HU"
	timeout client 1s
	timeout http-request 1s
	option forwardfor
	http-reuse always
frontend strict
	bind BIND
	default_backend holdfast
frontend lenient
	bind BIND
	option accept-invalid-http-request
	default_backend holdfast
backend holdfast
	server s SERVER
`

// TestSmugglingThroughHAProxy sends every refused message of the corpus through HAProxy,
// twice on a connection and with a marked request behind it, and holds that both servers
// saw the same requests, one by one on each connection between them. Then there is nothing
// that one of them takes for content and the other for a request. (Some of what the corpus
// hides in content is a request to HAProxy; it has to be that to us, then.)
func TestSmugglingThroughHAProxy(t *testing.T) {
	messages := hostileMessages(t)
	files := map[string]string{}
	for i := range 2 * len(messages) {
		files[fmt.Sprintf("mark/%d", i)] = fmt.Sprintf("mark %d;", i)
	}
	s := launch(t, site(t, files), "--https", "off", "--http", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1",
		"--forwarded-field", "x-forwarded-for")
	h := startHAProxy(t, strings.ReplaceAll(smugglingConfig, "SERVER", s.http))
	sendAll(t, h, messages)
	proxied := h.requests(h.stop())
	s.stop()

	served := s.requests()
	inLog := 0
	for _, requests := range served {
		inLog += len(requests)
	}
	if begun := s.ledger("requests")["begun"]; begun != float64(inLog) {
		t.Errorf("the ledger has %v requests, the access log %d", begun, inLog)
	}
	for _, fault := range differences(proxied, served) {
		t.Error(fault)
	}
	checkPlayed(t, len(messages), served)
}

// checkPlayed holds that there was something to compare: messages that HAProxy let through
// and we refused, and through either frontend marked requests, no client's twice.
func checkPlayed(t *testing.T, messages int, served map[string][]seenRequest) {
	t.Helper()
	refused, marks, seen := 0, [2]int{}, map[int]bool{}
	for _, requests := range served {
		for _, r := range requests {
			if r.reason != "" {
				refused++
			}
			mark := markOf(r.client)
			if mark < 0 || r.target != fmt.Sprintf("/mark/%d", mark) {
				continue
			}
			if seen[mark] {
				t.Errorf("the mark of %d came twice", mark)
			}
			seen[mark] = true
			marks[mark/messages]++
		}
	}
	t.Logf("%d messages: %d refused by us, %v marked requests through either frontend", messages, refused, marks)
	if refused == 0 || marks[0] == 0 || marks[1] == 0 {
		t.Error("nothing was compared")
	}
}

// The comparison is only as good as what it catches.
func TestSmugglingWouldShow(t *testing.T) {
	post, get := seenRequest{client: "127.1.0.1", method: "POST", target: "/", status: 405, end: "----"}, seenRequest{client: "127.1.0.2", method: "GET", target: "/x", status: 200, end: "----"}
	refused := seenRequest{method: "POST", target: "/", status: 405, reason: "bad-host"}
	blocked := post
	blocked.end = "PH--"
	stranger := get
	stranger.client = ""
	other := get
	other.client = "127.1.0.1"
	for _, c := range []struct {
		name      string
		sent, got []seenRequest
		faults    int
	}{
		{"the same", []seenRequest{post, get}, []seenRequest{post, get}, 0},
		{"one whose client we could not know, refused", []seenRequest{post, get}, []seenRequest{refused, get}, 0},
		{"one that HAProxy kept back", []seenRequest{get, blocked}, []seenRequest{get}, 0},
		{"one that it did not", []seenRequest{get, blocked}, []seenRequest{get, refused}, 0},
		{"one more than was sent", []seenRequest{post}, []seenRequest{post, get}, 1},
		{"one less", []seenRequest{post, get}, []seenRequest{post}, 1},
		{"in another order", []seenRequest{post, get}, []seenRequest{get, post}, 1},
		{"another's", []seenRequest{get}, []seenRequest{other}, 1},
		{"one without a client that was served", []seenRequest{get}, []seenRequest{stranger}, 1},
		{"on a connection of nobody's", nil, []seenRequest{get}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxied, served := map[string][]seenRequest{}, map[string][]seenRequest{"a": c.got}
			if c.sent != nil {
				proxied["a"] = c.sent
			}
			if faults := differences(proxied, served); len(faults) != c.faults {
				t.Errorf("faults %q, want %d", faults, c.faults)
			}
		})
	}
}

// marked is the address of the client that sends message i, of those on both frontends.
func marked(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}) }

// markOf is the number of the client with that address, -1 for another.
func markOf(addr string) int {
	a, err := netip.ParseAddr(addr)
	if b := a.AsSlice(); err == nil && a.Is4() && b[1] == 1 {
		return int(b[2])<<8 | int(b[3])
	}
	return -1
}

// sendAll sends the messages to one frontend after the other, 64 at a time.
func sendAll(t *testing.T, h *haproxy, messages []rawMessage) {
	t.Helper()
	var senders sync.WaitGroup
	next := make(chan int)
	for range 64 {
		senders.Go(func() {
			for i := range next {
				m := messages[i%len(messages)]
				if err := sendMarked(h.addrs[i/len(messages)], i, m); err != nil {
					t.Errorf("%s: %v", m.where, err)
				}
			}
		})
	}
	for i := range 2 * len(messages) {
		next <- i
	}
	close(next)
	senders.Wait()
}

// sendMarked sends m twice and a marked request behind it, and reads until that is answered
// or the end has come. No answer may be to another's mark.
func sendMarked(addr string, i int, m rawMessage) error {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(marked(i), 0)), Timeout: patience}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return err
	}
	sent := make(chan struct{})
	defer func() {
		_ = conn.Close()
		<-sent
	}()
	err = conn.SetDeadline(time.Now().Add(patience))
	go func() {
		defer close(sent)
		// An error is a HAProxy that has heard enough.
		_, _ = fmt.Fprintf(conn, "%s%sGET /mark/%d HTTP/1.1\r\nHost: a.example\r\n\r\n", m.bytes, m.bytes, i)
	}()
	return errors.Join(err, readMarked(conn, i))
}

var anyMark = regexp.MustCompile(`mark (\d+);`)

func readMarked(conn net.Conn, i int) error {
	var answer []byte
	own, buf := fmt.Appendf(nil, "mark %d;", i), make([]byte, 4<<10)
	for !bytes.Contains(answer, own) {
		n, err := conn.Read(buf)
		answer = append(answer, buf[:n]...)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return fmt.Errorf("neither answered nor ended: %.200q", answer)
		}
		if err != nil {
			break
		}
	}
	for _, mark := range anyMark.FindAll(answer, -1) {
		if !bytes.Equal(mark, own) {
			return fmt.Errorf("the answer to another: %s", mark)
		}
	}
	return nil
}

// A seenRequest is a request as one of the two servers has it in its log.
type seenRequest struct {
	client         string // "" where the server could not know
	method, target string // "" where it could not read them
	status         int
	reason         string // why it was refused
	end            string // how it ended, as HAProxy puts it
}

// requests are those in HAProxy's log that went to the server, by its end of their connection.
func (h *haproxy) requests(log []string) map[string][]seenRequest {
	h.t.Helper()
	sent := map[string][]seenRequest{}
	for _, line := range log {
		fields := strings.SplitN(line, " ", 8)
		if len(fields) != 8 || fields[2] != "s" {
			continue
		}
		if fields[5] != "0" {
			h.t.Fatalf("a retry, with which nothing can be counted: %s", line)
		}
		status, err := strconv.Atoi(fields[3])
		if err != nil {
			h.t.Fatalf("%v in %s", err, line)
		}
		sent[fields[1]] = append(sent[fields[1]], seenRequest{
			client: fields[0], method: fields[6], target: unescapeLog(fields[7], haproxyEscape), status: status, end: fields[4],
		})
	}
	return sent
}

// requests are those of the access log, by the peer that sent them.
func (s *server) requests() map[string][]seenRequest {
	served := map[string][]seenRequest{}
	for _, r := range s.access.records("request") {
		text := func(key string) string {
			value, _ := r[key].(string)
			return value
		}
		status, _ := r["status"].(float64)
		seen := seenRequest{client: text("client"), method: text("method"), target: unescapeLog(text("target"), ownEscape), status: int(status), reason: text("reason")}
		peer := text("peer")
		if peer == "" {
			peer, seen.client = seen.client, ""
		}
		served[peer] = append(served[peer], seen)
	}
	return served
}

// differences is what one server saw and the other did not. What HAProxy itself turned down
// while it waited for the response ("PH") may have left it or not: it is the last of its
// connection.
func differences(proxied, served map[string][]seenRequest) (faults []string) {
	for peer, sent := range proxied {
		got := served[peer]
		if last := len(sent) - 1; len(got) == last && sent[last].end == "PH--" {
			sent = sent[:last]
		}
		if !slices.EqualFunc(got, sent, seenRequest.is) {
			faults = append(faults, fmt.Sprintf("from %s HAProxy sent\n%+v\nand we saw\n%+v", peer, sent, got))
		}
	}
	for peer, got := range served {
		if _, known := proxied[peer]; !known {
			faults = append(faults, fmt.Sprintf("from %s, of which HAProxy knows nothing, we saw %+v", peer, got))
		}
	}
	return faults
}

// is tells whether got is, as far as we could read it, what HAProxy sent.
func (got seenRequest) is(sent seenRequest) bool {
	return (got.client == sent.client || got.client == "" && got.reason != "") &&
		(got.method == "" || cut(got.method, 32) == cut(sent.method, 32)) &&
		(got.target == "" || cut(got.target, 512) == cut(sent.target, 512)) &&
		(got.status == sent.status || sent.end != "----")
}

// cut is the part of s that neither log cuts.
func cut(s string, n int) string { return s[:min(len(s), n)] }

// Either log writes a byte that cannot be seen in its own way, and its mark for that too.
var (
	haproxyEscape = regexp.MustCompile(`#([0-9A-F]{2})`)
	ownEscape     = regexp.MustCompile(`\\x([0-9a-f]{2})`)
)

func unescapeLog(s string, escape *regexp.Regexp) string {
	return escape.ReplaceAllStringFunc(s, func(escaped string) string {
		b, _ := strconv.ParseUint(escaped[len(escaped)-2:], 16, 8) // two digits always are a byte
		return string([]byte{byte(b)})
	})
}
