package renewal

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRenew(t *testing.T) {
	bubble(t, "what a busy keeper is asked for is not forgotten when the asker goes", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.takes = 20 * time.Second
		w.ca.fault = func(order int) error {
			if order == 1 {
				return refusal{kind: "server"}
			}
			return nil
		}
		r := w.start("a", nil, host)
		pass(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		if err := r.Renew(ctx, host, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the end of the asker's patience", err)
		}
		pass(40 * time.Second) // less than the rest after the failure
		if r.serial() == "" {
			t.Error("it was dropped")
		}
	})
	bubble(t, "an order that was under way is the answer, and a third asker is told so", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.takes = 20 * time.Second
		r := w.start("a", nil, host)
		pass(time.Second)
		first := make(chan error, 1)
		go func() { first <- r.Renew(context.Background(), host, false) }()
		pass(time.Second)
		if err := r.Renew(context.Background(), host, false); !errors.Is(err, ErrAsked) {
			t.Errorf("%v, want ErrAsked", err)
		}
		pass(time.Minute)
		if err := <-first; err != nil || r.serial() == "" {
			t.Errorf("%v, serves %q", err, r.serial())
		}
		wantOrders(t, w.ca, 1, 1)
	})
	bubble(t, "force goes beyond the host's and the account's budget, and is counted", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", func(c *Config) { c.Limits.IssuedPerHost, c.Limits.OrdersPerAccount = 1, 1 }, host)
		pass(time.Minute)
		first := r.serial()
		var stop *blocked
		if err := r.Renew(context.Background(), host, false); !errors.As(err, &stop) {
			t.Errorf("%v, want that the budget is used up", err)
		}
		if err := r.Renew(context.Background(), host, true); err != nil || r.serial() == first {
			t.Errorf("forced: %v", err)
		}
		if e, err := r.Explain(host); err != nil || e.IssuedLately != 2 {
			t.Errorf("%d orders are counted, %v", e.IssuedLately, err)
		}
		wantOrders(t, w.ca, 2, 2)
	})
	bubble(t, "force does not go beyond what the CA has asked to wait", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = func(int) error { return refusal{"rate-limited", time.Now().Add(7 * time.Hour)} }
		r := w.start("a", nil, host)
		pass(time.Minute)
		if err := r.Renew(context.Background(), host, true); err == nil || !strings.Contains(err.Error(), "asked us to wait") {
			t.Errorf("Renew: %v", err)
		}
		wantOrders(t, w.ca, 1, 1)
	})
}
