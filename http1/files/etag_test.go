package files

import (
	"testing"
	"time"
)

func TestValidators(t *testing.T) {
	fine := today.Add(-time.Hour + 123456789)
	for _, c := range []struct {
		clause   string
		size     int64
		modified time.Time
		weak     bool
		dated    bool
		settled  bool
	}{
		{"an old file is strong", 1, fine, false, true, true},
		{"an empty file too", 0, fine, false, true, true},
		{"one within a clock's tick is weak (RFC 9110 §8.8.1)", 1, today.Add(-fineClock + 1), true, true, true},
		{"one a tick old is strong", 1, today.Add(-fineClock), false, true, true},
		{"whole seconds take two of them", 1, today.Add(-time.Second), true, true, true},
		{"and then are strong", 1, today.Add(-coarseClock), false, true, true},
		{"in its own second the date is not settled", 1, today, true, true, false},
		{"a future one is weak and has no date (RFC 9110 §8.8.2.1)", 1, today.Add(time.Hour + 1), true, false, false},
	} {
		t.Run(c.clause, func(t *testing.T) {
			v := validatorsOf(c.size, c.modified, today)
			if strongly(v.etag, v.etag) == c.weak || !weakly(v.etag, v.etag) {
				t.Errorf("the tag is %q", v.etag)
			}
			if v.modified.IsZero() == c.dated || v.settled != c.settled {
				t.Errorf("the date is %v, settled %v", v.modified, v.settled)
			}
			if c.dated && (v.modified.Nanosecond() != 0 || v.modified.After(today)) {
				t.Errorf("the date is %v", v.modified)
			}
		})
	}
	t.Run("size and nanosecond make the tag", func(t *testing.T) {
		a := validatorsOf(1, fine, today).etag
		if a == validatorsOf(2, fine, today).etag || a == validatorsOf(1, fine.Add(1), today).etag {
			t.Error("two states share a tag")
		}
		if a != validatorsOf(1, fine, today.Add(time.Hour)).etag {
			t.Error("one state has two tags")
		}
	})
	t.Run("the constants of reproducible builds make none", func(t *testing.T) {
		for _, stamp := range []time.Time{time.Unix(0, 0), time.Unix(1, 0), time.Date(1980, 1, 1, 14, 0, 0, 0, time.UTC), time.Unix(-5, 0)} {
			if v := validatorsOf(1, stamp, today); v != (validators{}) {
				t.Errorf("%v makes %+v", stamp, v)
			}
		}
	})
}
