package account

import (
	"context"

	"github.com/holdfast-server/holdfast/http1/session"
)

// Usage tells what a member has used of their quota in the window under way, and which quota
// that is: the member's own, or site where they have none. Without a limit nothing is counted.
// The error may be [ErrNoMember].
func (m *Members) Usage(ctx context.Context, name string, site Quota) (Quota, session.Count, error) {
	s, err := m.read(ctx, name)
	if err != nil {
		return Quota{}, session.Count{}, err
	}
	quota := site
	if s.Quota != nil {
		quota = *s.Quota
	}
	if quota == (Quota{}) {
		return quota, session.Count{}, nil
	}
	c, err := m.store.Take(ctx, quotaKey(s.name.Key, s.ID, quota), 0, quota.N, quota.Window)
	return quota, c, err
}
