package conn_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// announced is the roll once everybody has settled and the stop is announced.
func (w *world) announced() conn.Roll {
	w.t.Helper()
	synctest.Wait()
	w.server.Announce()
	return w.server.Roll()
}

func TestRoll(t *testing.T) {
	hang := func(s *session, _ []string) (bool, error) {
		s.Detach()
		<-s.Announced()
		return false, nil
	}
	for _, row := range []struct {
		name  string
		tls   bool
		begin func(w *world)
		phase conn.Phase
		end   string
	}{
		{"new", false, func(w *world) { w.dialRaw() }, conn.PhaseNew, "quiet"},
		{"new over TLS", true, func(w *world) { w.dial() }, conn.PhaseNew, "quiet"},
		{"before the handshake", true, func(w *world) { w.dialRaw() }, conn.PhaseHandshake, "handshake_failed"},
		{"at the first byte of a hello", true, func(w *world) { w.dialRaw().send("\x16") }, conn.PhaseHandshake, "handshake_failed"},
		{"idle", false, func(w *world) { w.dial().ask("echo a", "a") }, conn.PhaseIdle, "quiet"},
		{"idle over TLS", true, func(w *world) { w.dial().ask("echo a", "a") }, conn.PhaseIdle, "quiet"},
		{"half a head", false, func(w *world) { w.dial().send("ech") }, conn.PhaseHead, "peer_left"},
		{"content that does not come", false, func(w *world) { w.dial().send("body 10000\n") }, conn.PhaseBody, "peer_left"},
		{"an answer that nobody reads", false, func(w *world) { w.dialRaw().send("send 1000000\n") }, conn.PhaseWriting, "peer_left"},
		{"detached", false, func(w *world) { w.dial().send("upgrade\n") }, conn.PhaseDetached, "quiet"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, options{tls: row.tls, more: map[string]verb{"upgrade": hang}}, func(t *testing.T, w *world) {
				row.begin(w)
				time.Sleep(100 * time.Millisecond)
				r := w.announced()
				if r.Open != 1 || r.Accepted != 1 || len(r.Entries) != 1 || !r.At.Equal(time.Now()) {
					t.Fatalf("the roll is %+v, want one entry", r)
				}
				if e := r.Entries[0]; e.ID != 1 || e.Phase != row.phase || e.Age != 100*time.Millisecond || e.End != "" || e.Task != nil {
					t.Errorf("entry %+v, want phase %s", e, row.phase)
				}
				w.end()
				e := w.server.Roll().Entries[0]
				if e.End != row.end || e.After <= 0 && row.phase != conn.PhaseDetached {
					t.Errorf("ended %q after %v, want %q", e.End, e.After, row.end)
				}
				if e.Carried.Received < e.Then.Received || e.Carried.Sent < e.Then.Sent {
					t.Errorf("carried %+v in all and %+v before", e.Carried, e.Then)
				}
			})
		})
	}
}

func TestRollCounts(t *testing.T) {
	both(t, "raw bytes, each way", func(t *testing.T, w *world) {
		p := w.dial()
		p.ask("echo "+strings.Repeat("a", 100), strings.Repeat("a", 100))
		e := w.announced().Entries[0]
		least := conn.Traffic{Received: 106, Sent: 101}
		if !w.tls && e.Then != least || e.Then.Received < least.Received || e.Then.Sent < least.Sent {
			t.Errorf("%+v, want %+v, and more over TLS", e.Then, least)
		}
	})
	both(t, "what came after our FIN", func(t *testing.T, w *world) {
		p := w.dial()
		p.ask("echo a", "a")
		w.drain()
		_, _ = p.r.ReadByte()
		p.send("echo b\n")
		_ = p.Close()
		w.end()
		if e := w.server.Roll().Entries[0]; e.Late != 7 {
			t.Errorf("%d late bytes, want 7", e.Late)
		}
	})
	both(t, "who comes later is not named", func(t *testing.T, w *world) {
		w.dial().ask("echo a", "a")
		w.announced()
		w.dial().ask("echo b", "b")
		w.end()
		if r := w.server.Roll(); r.Open != 1 || r.Accepted != 1 || len(r.Entries) != 1 {
			t.Errorf("%+v, want the one from before", r)
		}
	})
	both(t, "whoever was cut", func(t *testing.T, w *world) {
		w.dial().send("wait\n")
		synctest.Wait()
		gone := w.drain()
		time.Sleep(time.Minute)
		w.server.Cut()
		<-gone
		if e := w.server.Roll().Entries[0]; e.End != "forced" || e.After < time.Minute {
			t.Errorf("ended %q after %v, want forced after a minute", e.End, e.After)
		}
	})
	t.Run("nobody before the announcement", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			w.dial().ask("echo a", "a")
			if r := w.server.Roll(); !r.At.IsZero() || r.Open != 0 || len(r.Entries) != 0 {
				t.Errorf("%+v", r)
			}
		})
	})
}

// teller is a session's task in these tests.
func teller(followed chan<- *conn.Follower, from conn.Traffic) conn.Tell {
	return func(f *conn.Follower) (conn.Task, bool) {
		if f != nil {
			followed <- f
		}
		return conn.Task{ID: "7", About: []slog.Attr{slog.String("what", "a haul")}, Begun: time.Now(), Phase: conn.PhaseHandler, From: from}, true
	}
}

func TestTell(t *testing.T) {
	followed := make(chan *conn.Follower, 1)
	work := func(s *session, _ []string) (bool, error) {
		s.TellBy(teller(followed, conn.Traffic{Received: 2}))
		<-s.Announced()
		time.Sleep(time.Second)
		(<-followed).Ended("done")
		time.Sleep(time.Second)
		return false, nil
	}
	inWorld(t, options{more: map[string]verb{"work": work}}, func(t *testing.T, w *world) {
		w.dial().send("work\n")
		synctest.Wait()
		w.server.Overdue() // asks, and follows nothing
		r := w.announced()
		task := r.Entries[0].Task
		if task == nil || task.ID != "7" || task.Then.Received != 3 || task.Phase != conn.PhaseHandler || task.End != "" {
			t.Fatalf("%+v", task)
		}
		w.end()
		e := w.server.Roll().Entries[0]
		if e.Task.End != "done" || e.Task.After != time.Second || e.End != "quiet" || e.After < 2*time.Second {
			t.Errorf("the task ended %q after %v, its connection %q after %v", e.Task.End, e.Task.After, e.End, e.After)
		}
		if task.End != "" {
			t.Error("an earlier copy changed")
		}
		if !strings.Contains(w.log.String(), `msg="still under way" connection=1 client=`) || !strings.Contains(w.log.String(), `request.id=7 request.what="a haul"`) {
			t.Errorf("the log lacks the line:\n%s", w.log)
		}
	})
}

// A stop that is held up by a crowd does not flood the log.
func TestStandingIsBounded(t *testing.T) {
	inWorld(t, options{}, func(t *testing.T, w *world) {
		for i := range 60 {
			w.dial().send(fmt.Sprintf("wait %d\n", i))
		}
		synctest.Wait()
		gone := w.drain()
		w.server.Cut()
		<-gone
		log := w.log.String()
		if n := strings.Count(log, "msg=cut "); n != 50 || !strings.Contains(log, `msg="cut: more connections" connections=10`) {
			t.Errorf("%d lines, want 50 and one about 10 more", n)
		}
		if n := strings.Count(log, "conn_test."); n < 50 {
			t.Errorf("%d of 50 lines say where the handler stands", n)
		}
	})
}
