package conn_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// small are limits in which connections give way.
var small = conn.Limits{Connections: 4, ConnectionsPerIP: 2, GiveWay: true}

// silent are connections that say nothing, each from a host of its own, a second apart.
func silent(w *world, n int) (peers []*peer) {
	for i := range n {
		peers = append(peers, w.dialFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 1).String()))
		time.Sleep(time.Second)
		synctest.Wait()
	}
	return peers
}

// come connects from an address, with TLS where the world has it.
func (w *world) come(from string) *peer {
	w.t.Helper()
	p := w.dialFrom(from)
	if w.tls {
		session := tls.Client(p.Conn, clientTLS())
		if err := session.Handshake(); err != nil {
			w.t.Fatalf("handshake: %v", err)
		}
		p.Conn, p.r = session, bufio.NewReader(session)
	}
	return p
}

// askOnce asks and goes.
func (p *peer) askOnce(request, answer string) {
	p.t.Helper()
	p.ask(request, answer)
	_ = p.raw.Close()
	synctest.Wait()
}

func TestGiveWay(t *testing.T) {
	for _, secure := range []bool{false, true} {
		within := func(name string, l conn.Limits, test func(t *testing.T, w *world)) {
			t.Run(fmt.Sprintf("%s, TLS %t", name, secure), func(t *testing.T) {
				inWorld(t, options{limits: l, tls: secure}, test)
			})
		}
		within("the one that has been silent the longest makes room, and is closed at once", small, func(t *testing.T, w *world) {
			quiet := silent(w, 4)
			w.come("198.51.100.1:1").askOnce("echo a", "a")
			quiet[0].wantEOF(4 * time.Second) // the new one did not wait
			w.come("198.51.100.2:1").askOnce("echo b", "b")
			if n := w.server.Ledger().Refused; n != 0 {
				t.Errorf("%d refused", n)
			}
		})
		within("a flood of silent ones keeps nobody out who asks", small, func(t *testing.T, w *world) {
			for i := range 200 {
				w.dialFrom(fmt.Sprintf("192.0.2.%d:1", i%250+1))
				synctest.Wait()
				if i%10 == 0 {
					w.come("198.51.100.1:1").askOnce("echo a", "a")
				}
			}
			synctest.Wait()
			if l := w.server.Ledger(); l.Open > int64(small.Connections) || l.Refused > 0 {
				t.Errorf("after it %+v", l)
			}
		})
		within("at an address's limit its own oldest goes, and no other's", small, func(t *testing.T, w *world) {
			other := w.come("198.51.100.1:1")
			time.Sleep(time.Second)
			first := w.dialFrom("192.0.2.1:1")
			time.Sleep(time.Second)
			second := w.dialFrom("192.0.2.1:2")
			synctest.Wait()
			w.come("192.0.2.1:3").ask("echo a", "a")
			first.wantEOF(time.Second)
			w.come("192.0.2.1:4").ask("echo a", "a")
			second.wantEOF(0)
			other.ask("echo b", "b")
		})
		within("an idle one gives way too, a busy one never", conn.Limits{Connections: 2, GiveWay: true}, func(t *testing.T, w *world) {
			busy := w.come("192.0.2.1:1")
			busy.send("body 5\nab") // a request whose content is awaited
			idle := w.come("192.0.2.2:1")
			idle.ask("echo a", "a")
			time.Sleep(5 * time.Second) // it rests by now
			synctest.Wait()
			w.come("192.0.2.3:1").ask("echo a", "a")
			idle.wantEOF(5 * time.Second)
			busy.send("cde")
			busy.want("got 5")
		})
		within("where all are busy the new one is refused", conn.Limits{Connections: 1, GiveWay: true}, func(t *testing.T, w *world) {
			busy := w.come("192.0.2.1:1")
			busy.send("body 5\nab")
			synctest.Wait()
			w.dialFrom("192.0.2.2:1").wantReset(0)
			busy.send("cde")
			busy.want("got 5")
			if n := w.server.Ledger().Refused; n != 1 {
				t.Errorf("%d refused", n)
			}
		})
		within("half a head is no request yet", conn.Limits{Connections: 1, GiveWay: true}, func(t *testing.T, w *world) {
			half := w.come("192.0.2.1:1")
			half.send("ec")
			synctest.Wait()
			w.come("192.0.2.2:1").ask("echo a", "a")
			half.wantEOF(0)
		})
		within("one that only lingers goes too, and with its answer", conn.Limits{Connections: 1, GiveWay: true}, func(t *testing.T, w *world) {
			done := w.come("192.0.2.1:1")
			done.ask("bye", "bye")
			synctest.Wait()
			w.come("192.0.2.2:1").ask("echo a", "a")
			synctest.Wait()
			if w.server.Ledger().Open != 1 {
				t.Error("it lingers on")
			}
			done.wantEOF(0)
		})
		within("a handler at work is no head", conn.Limits{Connections: 1, GiveWay: true}, func(t *testing.T, w *world) {
			busy := w.come("192.0.2.1:1")
			busy.send("la")
			synctest.Wait()
			busy.send("te 5s\n")
			synctest.Wait()
			w.dialFrom("192.0.2.2:1").wantReset(0)
			busy.want("late")
		})
	}
}
