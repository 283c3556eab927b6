package renewal

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	const year = 365 * day
	for _, c := range []struct {
		name string
		by   time.Duration
		most int // orders in two days, beside the first
	}{
		{"an hour ahead", time.Hour, 0},
		{"an hour behind", -time.Hour, 0},
		{"a year ahead", year, 1},
		{"a year behind", -year, 0},
		{"75 days ahead", 75 * day, 1},
	} {
		bubble(t, "a clock that is "+c.name+" causes no storm of orders, nor a worse certificate", func(t *testing.T) {
			w := newWorld(t, 90*day)
			r := w.start("a", func(config *Config) { config.Limits.Look = time.Hour }, host)
			pass(time.Hour)
			r.offset.Store(int64(c.by))
			pass(23 * time.Hour)
			wantOrders(t, w.ca, 1, 1+c.most)
			if n := r.Figures().ClockJumps; n != 1 {
				t.Errorf("%d jumps were seen", n)
			}
			r.offset.Store(0)
			pass(day)
			if r.serial() == "" || r.status().LifeShare > 0.1 {
				t.Errorf("status %+v", r.status())
			}
			pass(300 * day)
			wantOrders(t, w.ca, 5, 7)
		})
		bubble(t, "a start with a clock that is "+c.name+" serves what is stored", func(t *testing.T) {
			w := newWorld(t, 90*day)
			w.memory.set("cert/"+host, w.ca.bundle(time.Now(), time.Now().Add(90*day), host))
			for range 20 {
				r := w.start("a", func(config *Config) {
					config.Now = func() time.Time { return time.Now().Round(0).Add(c.by) }
				}, host)
				pass(10 * time.Minute)
				if r.serial() == "" {
					t.Error("nothing is served")
				}
				r.stop()
			}
			wantOrders(t, w.ca, 0, 4)
		})
	}
	bubble(t, "a clock that is behind is warned of, once", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", func(c *Config) {
			c.Now = func() time.Time { return time.Now().Round(0).Add(-year) }
		}, host)
		pass(time.Hour)
		if r.serial() == "" || w.log.count("not valid yet") != 1 {
			t.Errorf("serves %q with %d warnings", r.serial(), w.log.count("not valid yet"))
		}
		wantOrders(t, w.ca, 1, 1)
	})
	bubble(t, "a clock that was a year ahead during a failure stops no order for a year", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = refuseAll
		r := w.start("a", nil, host)
		r.offset.Store(int64(year))
		pass(3 * time.Hour)
		r.offset.Store(0)
		w.ca.set(func() { w.ca.fault = nil })
		pass(160 * time.Minute)
		if r.serial() == "" {
			t.Errorf("status %+v", r.status())
		}
	})
}
