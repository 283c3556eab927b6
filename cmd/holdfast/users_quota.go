package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1/account"
)

// quotaDefault is that of the site, for a member.
const quotaDefault = "default"

// usersUsage is what holdfast users quota tells, in the form of its --json.
type usersUsage struct {
	Name          string `json:"name"`
	Own           bool   `json:"own"`      // it is the member's, not that of the site
	Requests      int64  `json:"requests"` // 0 for no limit, and then nothing is counted
	WindowSeconds int64  `json:"window_seconds"`
	Used          int64  `json:"used"`
	Left          int64  `json:"left"`
	ResetsSeconds int64  `json:"resets_seconds"` // 0 where no window is under way
}

func (cmd *usersQuotaCmd) run(c *call) outcome {
	var words []string
	if cmd.Name != "" {
		words = []string{cmd.Name}
	}
	name := c.memberName(words)
	switch len(cmd.Quota) {
	case 0:
		return c.roster(false, func(ctx context.Context, r *roster) *fault { return r.showUsage(ctx, name, cmd.JSON) })
	case 1:
	default:
		c.faults = append(c.faults, fault{What: plain("unexpected argument " + cmd.Quota[1]), Mend: "write one quota, as 1000/1h", Usage: true})
	}
	quota, f := parseOwnQuota(cmd.Quota[0])
	if f != nil {
		c.faults = append(c.faults, fault{What: "quota " + quote(cmd.Quota[0]) + " " + f.What, Why: f.Why, Mend: f.Mend, Usage: true})
	}
	return c.roster(false, func(ctx context.Context, r *roster) *fault {
		if err := r.members.SetQuota(ctx, name.Key, quota); err != nil {
			return memberFault(name.Shown, err)
		}
		return r.showUsage(ctx, name, cmd.JSON)
	})
}

// parseOwnQuota reads a member's quota: nil is that of the site, the zero Quota none at all.
func parseOwnQuota(text string) (*account.Quota, *flaw) {
	if text == quotaDefault {
		return nil, nil
	}
	q, f := parseQuota(text)
	if f != nil {
		f.Mend += ", or " + quotaDefault + " for that of the site"
	}
	return &q, f
}

func quotaText(q account.Quota) string {
	if q == (account.Quota{}) {
		return off
	}
	return strconv.FormatInt(q.N, 10) + "/" + quotaDuration(q.Window)
}

// quotaDuration is d without the zeros that Go writes behind it.
func quotaDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (r *roster) showUsage(ctx context.Context, name account.Name, asJSON bool) *fault {
	u, err := r.usage(ctx, name)
	if err != nil {
		return memberFault(name.Shown, err)
	}
	if asJSON {
		return outputFault(json.NewEncoder(r.std.out).Encode(u))
	}
	return outputFault(u.write(r.std.out))
}

func (r *roster) usage(ctx context.Context, name account.Name) (*usersUsage, error) {
	m, err := r.members.Get(ctx, name.Key)
	if err != nil {
		return nil, err
	}
	q, count, err := r.members.Usage(ctx, name.Key, r.place.quota())
	return &usersUsage{
		Name: m.Name.Shown, Own: m.Quota != nil, Requests: q.N, WindowSeconds: int64(q.Window / time.Second),
		Used: count.Used, Left: max(0, q.N-count.Used), ResetsSeconds: int64((count.Resets + time.Second - 1) / time.Second),
	}, err
}

// write shows it as lines.
func (u *usersUsage) write(w io.Writer) (err error) {
	row := func(name, text string) {
		if err == nil {
			_, err = fmt.Fprintf(w, "%-8s %s\n", name, text)
		}
	}
	whose := "that of the site"
	if u.Own {
		whose = "the member's own"
	}
	row("member", plain(u.Name))
	if u.Requests == 0 {
		row("quota", off+", "+whose)
		return err
	}
	row("quota", quotaText(account.Quota{N: u.Requests, Window: time.Duration(u.WindowSeconds) * time.Second})+", "+whose)
	row("used", strconv.FormatInt(u.Used, 10))
	row("left", strconv.FormatInt(u.Left, 10))
	if u.Used == 0 {
		row("resets", "the time begins with the next request")
	} else {
		row("resets", "in "+roughly(time.Duration(u.ResetsSeconds)*time.Second))
	}
	return err
}
