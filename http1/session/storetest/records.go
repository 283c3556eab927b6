package storetest

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

func testRecords(t *testing.T, open Opener) {
	t.Run("what one handle writes another reads", func(t *testing.T) {
		d := newDesk(t, open)
		d.lacks("a")
		d.put("a", "first")
		d.put("a", "second")
		d.apply(session.Change{Key: "a"})
		d.lacks("a")
	})
	t.Run("what is missing is none, under any key", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("a", "x")
		for _, key := range []string{"b", "a ", "A", "a%", "_", "*", strings.Repeat("k", session.MaxKeyBytes)} {
			d.lacks(key)
		}
	})
	t.Run("removing what is not there changes nothing", func(t *testing.T) {
		d := newDesk(t, open)
		d.apply(session.Change{Key: "a"})
		d.lacks("a")
	})
	t.Run("a value may be any bytes", func(t *testing.T) {
		d := newDesk(t, open)
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for _, value := range []string{"", "\x00", "false", "nil", "123", "\xff\xfe", string(all), "'; --"} {
			d.put("a", value)
		}
	})
	t.Run("an empty value is a record", func(t *testing.T) {
		d := newDesk(t, open)
		r := d.put("a", "")
		if r.Value == nil {
			t.Error("the value is nil, which writes as a removal")
		}
	})
	t.Run("a value may be as long as the limit", func(t *testing.T) {
		d := newDesk(t, open)
		d.put(strings.Repeat("é", session.MaxKeyBytes/2), strings.Repeat("v", session.MaxValueBytes))
	})
	t.Run("the caller owns the values", func(t *testing.T) { testOwnership(t, open) })
	t.Run("a version comes once", func(t *testing.T) { testVersions(t, open) })
}

func testOwnership(t *testing.T, open Opener) {
	d := newDesk(t, open)
	value := []byte("value")
	d.apply(session.Change{Key: "a", Value: value})
	copy(value, "wrong")
	copy(d.holds("a", "value").Value, "wrong")
	d.holds("a", "value")
	records, err := d.two.List(d.ctx, "a", "", 1)
	if err != nil || len(records) != 1 {
		t.Fatalf("list: %v, %v", records, err)
	}
	copy(records[0].Value, "wrong")
	d.holds("a", "value")
}

func testVersions(t *testing.T, open Opener) {
	d := newDesk(t, open)
	seen := map[int64]bool{}
	note := func(r session.Record) {
		t.Helper()
		if seen[r.Version] {
			t.Errorf("version %d was there before", r.Version)
		}
		seen[r.Version] = true
	}
	note(d.put("a", "x"))
	note(d.put("a", "x"))
	d.apply(session.Change{Key: "a"})
	note(d.put("a", "x"))
	d.apply(session.Change{Key: "a", Value: []byte("x"), Quiet: true})
	note(d.holds("a", "x"))
	before := d.holds("a", "x")
	d.put("b", "y")
	if after := d.holds("a", "x"); after.Version != before.Version {
		t.Errorf("version %d became %d when another record changed", before.Version, after.Version)
	}
	if records, err := d.two.List(d.ctx, "a", "", 1); err != nil || records[0].Version != before.Version {
		t.Errorf("listed: %v, %v; want version %d", records, err, before.Version)
	}
}

func testExpiry(t *testing.T, open Opener) {
	t.Run("a record ends by itself", func(t *testing.T) {
		d := newDesk(t, open)
		d.apply(session.Change{Key: "a/1", Value: []byte("x"), Expires: soon()}, session.Change{Key: "a/2", Value: []byte("x")})
		d.await("the record ends", func() bool { return slices.Equal(d.list("a/", "", 10), []string{"a/2"}) })
		d.lacks("a/1")
		d.holds("a/2", "x")
	})
	t.Run("an expired record is absent to conditions", func(t *testing.T) {
		d := newDesk(t, open)
		d.apply(session.Change{Key: "a", Value: []byte("x"), Expires: time.Now().Add(time.Hour)})
		old := d.holds("a", "x")
		d.apply(session.Change{Key: "a", Value: []byte("y"), Expires: soon()})
		d.await("a record that ends gives way", func() bool {
			return d.one.Apply(d.ctx, session.Change{Key: "a", Value: []byte("z"), If: session.Absent()}) == nil
		})
		d.conflicts(session.Change{Key: "a", If: session.Unchanged(old)})
		d.holds("a", "z")
	})
	t.Run("an expired record is not unchanged", func(t *testing.T) {
		d := newDesk(t, open)
		d.apply(session.Change{Key: "a", Value: []byte("x"), Expires: time.Now().Add(time.Second / 2)})
		r, err := d.one.Get(d.ctx, "a")
		if err != nil {
			t.Skipf("the machine is slower than half a second: %v", err)
		}
		d.await("the record ends", func() bool { return d.list("a", "", 1) == nil })
		d.conflicts(session.Change{Key: "a", Value: []byte("y"), If: session.Unchanged(r)})
	})
	t.Run("what has ended when it is written is not there", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("a", "x")
		d.apply(session.Change{Key: "a", Value: []byte("y"), Expires: time.Now().Add(-time.Second)})
		d.lacks("a")
		if keys := d.list("a", "", 1); keys != nil {
			t.Errorf("listed: %v", keys)
		}
		d.apply(session.Change{Key: "a", Value: []byte("z"), If: session.Absent()})
	})
	t.Run("the end is kept to the millisecond", func(t *testing.T) { testExpires(t, open) })
}

func testExpires(t *testing.T, open Opener) {
	d := newDesk(t, open)
	expires := time.Now().Add(time.Hour)
	d.apply(session.Change{Key: "a", Value: []byte("x"), Expires: expires})
	if got := d.holds("a", "x").Expires; got.UnixMilli() != expires.UnixMilli() {
		t.Errorf("expires %v, want %v", got, expires)
	}
	if records, err := d.two.List(d.ctx, "a", "", 1); err != nil || records[0].Expires.UnixMilli() != expires.UnixMilli() {
		t.Errorf("listed: %v, %v; want %v", records, err, expires)
	}
	if got := d.put("a", "x").Expires; !got.IsZero() {
		t.Errorf("expires %v, though it was written again without", got)
	}
	far := time.Now().AddDate(50, 0, 0)
	d.apply(session.Change{Key: "a", Value: []byte("x"), Expires: far})
	if got := d.holds("a", "x").Expires; got.UnixMilli() != far.UnixMilli() {
		t.Errorf("expires %v, want %v", got, far)
	}
}

// trickyKeys mean something to SQL's LIKE, Redis's patterns, to quoting or to collation.
var trickyKeys = []string{
	"%", "%a", "A", "B", "_", "_b", "a", "a ", "a%", "a%b", "a*", "a*b", "a/", "a/1", "a/10", "a/2", "a?", "aB", "a[b]",
	`a\`, "a_", "a_b", "ab", "aé", "aè", "aê", "a日", "a日本", "a😀", "a\uffff", "a\U0010ffff", "b", "{a}", `"a"`, "'a'", "ä", "z", "é",
}

func testList(t *testing.T, open Opener) {
	d := newDesk(t, open)
	var changes []session.Change
	for i, key := range trickyKeys {
		changes = append(changes, session.Change{Key: key, Value: []byte{byte(i)}, Quiet: i%2 == 0})
	}
	d.apply(changes...)
	sorted := slices.Clone(trickyKeys)
	sort.Strings(sorted)
	prefixes := append([]string{"", "a\xc3", "a\xf0\x9f", "a\xff", "\xff", "nothing"}, trickyKeys...)
	t.Run("prefix and order are those of bytes", func(t *testing.T) {
		for _, prefix := range prefixes {
			want := below(sorted, prefix, "", len(sorted))
			if got := d.list(prefix, "", 1000); !slices.Equal(got, want) {
				t.Errorf("%q: %q, want %q", prefix, got, want)
			}
		}
	})
	t.Run("it goes on after a key, there or not", func(t *testing.T) {
		for _, prefix := range []string{"", "a", "a/", "a\xc3", "b"} {
			for _, after := range append([]string{"a!", "a/100", "\xff", "a\xf0"}, trickyKeys...) {
				want := below(sorted, prefix, after, 3)
				if got := d.list(prefix, after, 3); !slices.Equal(got, want) {
					t.Errorf("%q after %q: %q, want %q", prefix, after, got, want)
				}
			}
		}
	})
	t.Run("pages make the whole", func(t *testing.T) {
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			page := d.list("", after, 7)
			if got = append(got, page...); len(page) < 7 {
				break
			}
		}
		if !slices.Equal(got, sorted) {
			t.Errorf("%q, want %q", got, sorted)
		}
	})
	t.Run("records come with their values", func(t *testing.T) {
		records, err := d.two.List(d.ctx, "a", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if want := []byte{byte(slices.Index(trickyKeys, r.Key))}; !bytes.Equal(r.Value, want) {
				t.Errorf("%q: %v, want %v", r.Key, r.Value, want)
			}
		}
	})
	t.Run("counters are no records", func(t *testing.T) {
		if _, err := d.one.Take(d.ctx, "counter", 1, 1, time.Hour); err != nil {
			t.Fatal(err)
		}
		d.lacks("counter")
		if keys := d.list("counter", "", 1); keys != nil {
			t.Errorf("listed: %q", keys)
		}
	})
}

// below is what a List must give.
func below(sorted []string, prefix, after string, limit int) []string {
	var found []string
	for _, key := range sorted {
		if strings.HasPrefix(key, prefix) && key > after && len(found) < limit {
			found = append(found, key)
		}
	}
	return found
}
