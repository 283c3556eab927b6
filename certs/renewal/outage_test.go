package renewal

import (
	"context"
	"testing"
	"time"
)

func TestOutage(t *testing.T) {
	bubble(t, "one entry of five that cannot be read is one line", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, hosts(0, 5)...)
		pass(time.Minute)
		r.store.fail(func(_ context.Context, op, name string) error {
			if op == "get" && name == "cert/host3.example" {
				return errDead
			}
			return nil
		})
		pass(time.Hour)
		if n, m := w.log.count("store of certificates fails"), w.log.count("works again"); n != 1 || m != 0 {
			t.Errorf("%d lines that it fails, %d that it works", n, m)
		}
		r.store.fail(nil)
		pass(time.Minute)
		if n := w.log.count("works again"); n != 1 {
			t.Errorf("%d lines tell of the end", n)
		}
	})
	bubble(t, "a store that comes and goes is a few lines", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, host)
		pass(time.Minute)
		for range 30 {
			r.store.fail(dead)
			pass(time.Minute)
			r.store.fail(nil)
			pass(time.Minute)
		}
		if n := w.log.count("store of certificates"); n < 2 || n > 14 {
			t.Errorf("%d lines in an hour", n)
		}
	})
}
