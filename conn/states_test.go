package conn_test

import (
	"testing"
	"testing/synctest"

	"github.com/holdfast-server/holdfast/conn"
)

func TestStatesOfAll(t *testing.T) {
	inWorld(t, options{}, func(t *testing.T, w *world) {
		if got := w.server.States(); got != (conn.States{}) {
			t.Errorf("%v before any connection", got)
		}
		w.dial()
		w.dial().ask("echo a", "a")
		synctest.Wait()
		if got, want := w.server.States(), (conn.States{conn.New: 1, conn.Idle: 1}); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
