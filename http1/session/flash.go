package session

import "context"

// flashLimit is how many wait; the oldest goes first.
const flashLimit = 16

// Flash is a message for the next page that is shown.
type Flash struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Flash leaves a message for the next page. Errors are those of Key.Set.
func (s *Session) Flash(ctx context.Context, kind, text string) error {
	return s.change(ctx, func(r *record) bool {
		kept := r.Flashes[max(0, len(r.Flashes)+1-flashLimit):]
		r.Flashes = append(kept[:len(kept):len(kept)], Flash{kind, text})
		return true
	})
}

// Flashes takes the messages that wait: each is shown once, however many ask at a time. It asks
// the store nothing if the session had none when the request came.
func (s *Session) Flashes(ctx context.Context) (all []Flash, err error) {
	if s == nil || len(s.record.Flashes) == 0 {
		return nil, nil
	}
	err = s.change(ctx, func(r *record) bool {
		all, r.Flashes = r.Flashes, nil
		return len(all) > 0
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
