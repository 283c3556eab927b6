package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-server/holdfast/http1/account"
)

// usersPage is how many members are asked for at a time.
const usersPage = 1000

// usersListing is what holdfast users list tells, in the form of its --json.
type usersListing struct {
	Members []usersRow `json:"members"`
}

// usersRow is a member.
type usersRow struct {
	Name     string      `json:"name"`
	Email    string      `json:"email,omitempty"`
	Quota    *usersLimit `json:"quota,omitempty"` // the member's own; nil for that of the site
	Created  *time.Time  `json:"created,omitempty"`
	SignedIn *time.Time  `json:"signed_in,omitempty"`
	LastSeen *time.Time  `json:"last_seen,omitempty"` // nil for somebody who never signed in
	Sessions int         `json:"sessions"`            // 100 at most are counted
}

// usersLimit is a quota, without a limit when both are 0.
type usersLimit struct {
	Requests      int64 `json:"requests"`
	WindowSeconds int64 `json:"window_seconds"`
}

func newUsersLimit(q account.Quota) *usersLimit {
	return &usersLimit{Requests: q.N, WindowSeconds: int64(q.Window / time.Second)}
}

func (cmd *usersListCmd) run(c *call) outcome {
	return c.roster(false, func(ctx context.Context, r *roster) *fault {
		l, broken := r.list(ctx)
		if l == nil {
			return storeFault(broken)
		}
		write := l.write
		if cmd.JSON {
			write = func(w io.Writer) error { return json.NewEncoder(w).Encode(l) }
		}
		if err := write(r.std.out); err != nil {
			return outputFault(err)
		}
		if broken != nil {
			return storeFault(broken)
		}
		return nil
	})
}

// outputFault is that whoever reads what is told did not take it, nil without an error.
func outputFault(err error) *fault {
	if err == nil {
		return nil
	}
	return &fault{What: "cannot write the output", Why: reason(err)}
}

// list reads all members, a page at a time. An error beside the list names what cannot be read.
func (r *roster) list(ctx context.Context) (*usersListing, error) {
	l := &usersListing{Members: []usersRow{}}
	var broken error // what cannot be read, beside the list of what can
	for after := ""; ; {
		page, err := r.members.List(ctx, after, usersPage)
		if page == nil && err != nil {
			return nil, err
		}
		broken = errors.Join(broken, err)
		for _, m := range page {
			row, err := r.row(ctx, m)
			if err != nil {
				return nil, err
			}
			l.Members, after = append(l.Members, row), m.Name.Key
		}
		if len(page) < usersPage {
			return l, broken
		}
	}
}

func (r *roster) row(ctx context.Context, m account.Member) (usersRow, error) {
	row := usersRow{Name: m.Name.Shown, Email: m.Email, Created: utc(m.Created), SignedIn: utc(m.SignedIn)}
	if m.Quota != nil {
		row.Quota = newUsersLimit(*m.Quota)
	}
	sessions, err := r.sessions.List(ctx, m.Name.Key)
	seen := m.SignedIn
	for _, s := range sessions {
		if s.Seen.After(seen) {
			seen = s.Seen
		}
	}
	row.Sessions, row.LastSeen = len(sessions), utc(seen)
	return row, err
}

// write shows the members as a table.
func (l *usersListing) write(w io.Writer) error {
	if len(l.Members) == 0 {
		_, err := fmt.Fprintln(w, "there are no members")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tE-MAIL\tQUOTA\tCREATED\tLAST SEEN\tSESSIONS")
	for _, m := range l.Members {
		cells := []string{m.Name, orDash(m.Email), m.Quota.text(), day(m.Created), day(m.LastSeen), fmt.Sprint(m.Sessions)}
		for i := range cells {
			cells[i] = plain(cells[i])
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// text is a quota as users quota takes it.
func (q *usersLimit) text() string {
	switch {
	case q == nil:
		return "default"
	case q.Requests == 0:
		return off
	}
	return quotaText(account.Quota{N: q.Requests, Window: time.Duration(q.WindowSeconds) * time.Second})
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}
