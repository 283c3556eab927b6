package session

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// MaxSessions is how many sessions a subject has: one more ends the one that was not seen for
// longest.
const MaxSessions = 100

const (
	listPage  = 250 // lines that are read at a time
	listPages = 80  // pages that are read for a member's, those of ended sessions included
	tidyPages = 8   // that are read to tidy: 2,000 lines
	tidyEnds  = 10  // sessions that are ended then
)

// Info is a line of the member's page.
type Info struct {
	// ID is that of Session.ID and for EndOne.
	ID                string
	Began, Seen, Ends time.Time
	// Agent is the User-Agent that signed in; whatever the client likes.
	Agent string
}

// List are the sessions of the subject that have not ended, MaxSessions at most, in no order
// that means anything.
func (m *Manager) List(ctx context.Context, subject string) ([]Info, error) {
	if err := validSubject(subject); err != nil {
		return nil, err
	}
	rec, err := m.store.Get(ctx, subjectKey(subject))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	epoch, err := parseEpoch(rec.Value)
	if err != nil {
		return nil, err
	}
	var all []Info
	prefix, now := indexPrefix+subject+"/", m.clock.read()
	err = m.eachPage(ctx, prefix, listPages, func(page []Record) bool {
		for i := range page {
			if info, ok := m.line(&page[i], prefix, epoch, now); ok && len(all) < MaxSessions {
				all = append(all, info)
			}
		}
		return len(all) < MaxSessions
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachPage reads the lines below the prefix, so many pages of them at most, until do has enough.
func (m *Manager) eachPage(ctx context.Context, prefix string, pages int, do func([]Record) bool) error {
	after := ""
	for range pages {
		page, err := m.store.List(ctx, prefix, after, listPage)
		if err != nil {
			return err
		}
		if !do(page) || len(page) < listPage {
			return nil
		}
		after = page[len(page)-1].Key
	}
	return nil
}

// line is what an indexed record shows, if its session is valid.
func (m *Manager) line(rec *Record, prefix, epoch string, now time.Time) (Info, bool) {
	var l indexed
	if err := json.Unmarshal(rec.Value, &l); err != nil || l.Epoch != epoch || epoch == "" {
		return Info{}, false
	}
	info := Info{ID: strings.TrimPrefix(rec.Key, prefix), Began: l.Began, Seen: l.Seen, Ends: l.Ends, Agent: l.Agent}
	return info, now.Before(l.Ends) && now.Before(l.Seen.Add(m.config.IdleTimeout))
}

// tidy removes what is left of sessions that ended with their epoch, and ends those that are more
// than the subject may have. It does so as far as the store lets it: nobody who has been
// signed in or out learns otherwise. keep is the session that began just now.
func (m *Manager) tidy(ctx context.Context, subject, keep string) {
	var live []Info
	prefix, now := indexPrefix+subject+"/", m.clock.read()
	_ = m.eachPage(ctx, prefix, tidyPages, func(page []Record) bool {
		// An epoch that is not the subject's after its line was read is over for good.
		rec, err := m.store.Get(ctx, subjectKey(subject))
		if err != nil {
			return false
		}
		epoch, err := parseEpoch(rec.Value)
		if err != nil {
			return false
		}
		var over []Change
		for i := range page {
			if info, ok := m.line(&page[i], prefix, epoch, now); ok {
				live = append(live, info)
			} else {
				over = append(over, m.leftovers(&page[i], prefix, epoch)...)
			}
		}
		return len(over) == 0 || m.store.applyQuietly(ctx, over) == nil
	})
	if len(live) <= MaxSessions {
		return
	}
	excess := min(len(live)-MaxSessions, tidyEnds)
	live = slices.DeleteFunc(live, func(i Info) bool { return i.ID == keep }) // by a clock that is behind it is the oldest
	slices.SortFunc(live, func(a, b Info) int { return a.Seen.Compare(b.Seen) })
	for _, info := range live[:excess] {
		if m.EndOne(ctx, subject, info.ID) != nil {
			return
		}
	}
}

// leftovers are the changes that remove an ended session, if it is its epoch that ended: what expires
// is the store's to drop. They are quiet, since the epoch was told.
func (m *Manager) leftovers(line *Record, prefix, epoch string) []Change {
	first, ok := parseID(strings.TrimPrefix(line.Key, prefix))
	var l indexed
	if err := json.Unmarshal(line.Value, &l); err != nil || !ok || l.Epoch == epoch {
		return nil
	}
	return []Change{{Key: sessionKey(lineSession(line.Value, first)), Quiet: true}, {Key: line.Key, Quiet: true}}
}
