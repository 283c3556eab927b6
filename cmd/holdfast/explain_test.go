package main

import (
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
)

func TestExplainHandshakes(t *testing.T) {
	counted := new(conn.Server).HandshakeFailures()
	t.Run("every reason of the metric has its sentence, and no other is named", func(t *testing.T) {
		for code := range counted {
			r := holdfast(t, testEnvironment(t), "explain", code)
			if r.exit != exitOK || !strings.HasPrefix(r.out, code+"\n  metric   holdfast_handshakes_failed_total\n  why      ") || len(lines(r.out)) != 3 {
				t.Errorf("explain %s: exit %d\n%s%s", code, r.exit, r.out, r.err)
			}
		}
		if len(handshakeFailures) != len(counted) {
			t.Errorf("%d are explained, %d are counted", len(handshakeFailures), len(counted))
		}
	})
	t.Run("no code has two meanings", func(t *testing.T) {
		for _, r := range http1.Reasons() {
			if _, twice := counted[r.Code]; twice {
				t.Error(r.Code)
			}
		}
	})
	t.Run("several are explained in their order, of either kind", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "explain", "not-tls", "plain-on-tls")
		if first, second := strings.Index(r.out, "not-tls\n"), strings.Index(r.out, "plain-on-tls\n"); first != 0 || second < 0 {
			t.Error(r.out)
		}
	})
	t.Run("one that is mistyped has its neighbour", func(t *testing.T) {
		if r := holdfast(t, testEnvironment(t), "explain", "unknown-nam"); r.exit != exitUsage || !strings.Contains(r.err, "unknown-name") {
			t.Errorf("exit %d, %q", r.exit, r.err)
		}
	})
}
