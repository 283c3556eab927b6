package renewal

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLifetimes(t *testing.T) {
	for _, row := range []struct {
		life, simulated time.Duration
		// least and most are the share of its life that each certificate serves.
		least, most float64
	}{
		{30 * time.Second, 30 * time.Minute, 0.40, 0.75},
		{10 * time.Minute, 6 * time.Hour, 0.42, 0.55},
		{24 * time.Hour, 15 * day, 0.44, 0.51},
		{160 * time.Hour, 120 * day, 0.44, 0.51},
		{45 * day, 2 * 365 * day, 0.61, 0.67},
		{90 * day, 2 * 365 * day, 0.61, 0.67},
		{10 * 365 * day, 12 * 365 * day, 0.61, 0.67},
	} {
		t.Run(fmt.Sprintf("certificates of %v are renewed in time for %v", row.life, row.simulated), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, row.life)
				// A look at the store every half minute of years would take the test minutes.
				r := w.start("a", func(c *Config) { c.Limits.Look = max(30*time.Second, row.life/1000) }, host)
				pass(row.simulated)
				r.stop()
				orders, swaps := w.ca.placed(), r.swaps
				for i := 1; i < len(orders); i++ {
					share := float64(orders[i].at.Sub(orders[i-1].at)) / float64(row.life)
					if share < row.least || share > row.most {
						t.Errorf("order %d came after %.3f of the life", i, share)
					}
				}
				if want := int(float64(row.simulated) / (float64(row.life) * row.most)); len(orders) < want {
					t.Errorf("%d orders, want at least %d", len(orders), want)
				}
				if swaps != len(orders)-1 {
					t.Errorf("%d certificates were swapped for %d orders", swaps, len(orders))
				}
				if w.log.count("level=ERROR")+w.log.count("level=WARN") > 0 {
					t.Errorf("the log has complaints: %s", w.log.all())
				}
			})
		})
	}
}
