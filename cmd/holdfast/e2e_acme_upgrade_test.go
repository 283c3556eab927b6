package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

func TestUpgradeOfAPublicServer(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	l := found(t, nil, nil, serveArgs(quaySite(t), append(publicFlags(ca, publicHost), "--https", "127.0.0.1:0")...)...).serving()
	ca.TLS.To(l.https)
	before := certified(t, ca, l.server, publicHost)[publicHost]
	t.Run("a reload says what renews the certificates", func(t *testing.T) {
		if r := l.ask("reload"); r.exit != 0 || !strings.Contains(r.out, "has nothing to reload: certificates of the CA are renewed by themselves") {
			t.Errorf("exit %d: %s%s", r.exit, r.out, r.stderr)
		}
	})
	l.awaitSocket()
	var load sync.WaitGroup
	var bad []string
	enough := make(chan struct{})
	load.Go(func() {
		for {
			select {
			case <-enough:
				return
			default:
			}
			if shown, err := shake(l.https, publicHost); err != nil || !shown.Equal(before) {
				bad = append(bad, fmt.Sprint(err))
			}
		}
	})
	r := l.ask("upgrade")
	eventually(t, "the predecessor's end", func() bool { return len(l.log.records("stopped")) > 0 })
	close(enough)
	load.Wait()
	if r.exit != 0 {
		t.Fatalf("exit %d: %s%s", r.exit, r.out, r.stderr)
	}
	if _, err := fmt.Sscanf(r.out, "pid %d serves now", &l.pid); err != nil {
		t.Fatalf("%q: %v", r.out, err)
	}
	if len(bad) > 0 {
		t.Errorf("%d handshakes failed while one process followed the other, the first by %s", len(bad), bad[0])
	}
	after := certified(t, ca, l.server, publicHost)[publicHost]
	if !after.Equal(before) || ca.Gate.Orders() != 1 {
		t.Errorf("the same certificate %t, %d orders", after.Equal(before), ca.Gate.Orders())
	}
	t.Run("the successor renews it", func(t *testing.T) {
		eventually(t, "the successor has the control socket", func() bool { return l.ask("status").exit == 0 })
		if r := l.command("certs", "renew", publicHost); r.exit != 0 {
			t.Fatalf("exit %d: %s%s", r.exit, r.out, r.stderr)
		}
		eventually(t, "another certificate", func() bool {
			now, err := shake(l.https, publicHost)
			return err == nil && !now.Equal(before)
		})
	})
	l.finish(2)
}
