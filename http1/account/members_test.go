package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

const goodPassword = "kV9#qLw2 horse"

func newMembers(t testing.TB) *Members {
	t.Helper()
	return NewMembers(session.NewMemory(), newHasher(t, cheap, 1))
}

func mustAdd(t testing.TB, m *Members, name string) Member {
	t.Helper()
	added, err := m.Add(t.Context(), name, goodPassword, "")
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// epochOf is what the sessions of a subject hang on, "" without it.
func epochOf(t testing.TB, m *Members, subject string) string {
	t.Helper()
	r, err := m.store.Get(t.Context(), "subject/"+subject)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Value)
}

func TestMembers(t *testing.T) {
	m := newMembers(t)
	t.Run("a member is there by any spelling of the name", func(t *testing.T) {
		added, err := m.Add(t.Context(), "Ann", goodPassword, " ann@example.org ")
		if err != nil || added.Name != (Name{"ann", "Ann"}) || added.Email != "ann@example.org" || added.Created.IsZero() || added.PasswordSet.IsZero() {
			t.Fatalf("%+v, %v", added, err)
		}
		got, err := m.Get(t.Context(), "aNN")
		if err != nil || got.Name != added.Name || got.Email != added.Email || !got.Created.Equal(added.Created) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("the record has the hash and not the password", func(t *testing.T) {
		r, err := m.store.Get(t.Context(), "member/ann")
		if err != nil || !bytes.Contains(r.Value, []byte("$argon2id$")) || bytes.Contains(r.Value, []byte("horse")) {
			t.Errorf("%s, %v", r.Value, err)
		}
	})
	t.Run("a taken name is taken, however it is written", func(t *testing.T) {
		if _, err := m.Add(t.Context(), "ANN", goodPassword, ""); !errors.Is(err, ErrTaken) {
			t.Error(err)
		}
	})
	t.Run("nobody has a name that is free, or none", func(t *testing.T) {
		for _, name := range []string{"bob", "", "a/b"} {
			if _, err := m.Get(t.Context(), name); !errors.Is(err, ErrNoMember) {
				t.Errorf("%q: %v", name, err)
			}
			if err := m.Remove(t.Context(), name); !errors.Is(err, ErrNoMember) {
				t.Errorf("removing %q: %v", name, err)
			}
			if err := m.SetPassword(t.Context(), name, goodPassword); !errors.Is(err, ErrNoMember) {
				t.Errorf("a password for %q: %v", name, err)
			}
		}
	})
	t.Run("what is not accepted says which field", func(t *testing.T) {
		for field, try := range map[string][3]string{"name": {"a b", goodPassword, ""}, "password": {"bob", "short", ""}, "email": {"bob", goodPassword, "bob"}} {
			_, err := m.Add(t.Context(), try[0], try[1], try[2])
			if invalid, ok := errors.AsType[*Invalid](err); !ok || invalid.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
	t.Run("another password ends the sessions", func(t *testing.T) {
		before := epochOf(t, m, "ann")
		if err := m.SetPassword(t.Context(), "Ann", "another "+goodPassword); err != nil {
			t.Fatal(err)
		}
		s, err := m.read(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		if right, _, _ := m.hasher.verify(t.Context(), s.Hash, "another "+goodPassword); !right || epochOf(t, m, "ann") == before {
			t.Errorf("the new password is right: %v; the epoch is another: %v", right, epochOf(t, m, "ann") != before)
		}
	})
	t.Run("a password that is refused ends none", func(t *testing.T) {
		before := epochOf(t, m, "ann")
		if err := m.SetPassword(t.Context(), "ann", "password1"); err == nil || epochOf(t, m, "ann") != before {
			t.Errorf("%v, the epoch is the same: %v", err, epochOf(t, m, "ann") == before)
		}
	})
	t.Run("a quota comes and goes", func(t *testing.T) {
		want := Quota{10, time.Minute}
		if err := m.SetQuota(t.Context(), "ann", &want); err != nil {
			t.Fatal(err)
		}
		if got, _ := m.Get(t.Context(), "ann"); got.Quota == nil || *got.Quota != want {
			t.Errorf("%+v", got.Quota)
		}
		if err := m.SetQuota(t.Context(), "ann", nil); err != nil {
			t.Fatal(err)
		}
		if got, _ := m.Get(t.Context(), "ann"); got.Quota != nil {
			t.Errorf("%+v", got.Quota)
		}
		for _, q := range []Quota{{-1, time.Minute}, {0, time.Minute}, {1, 0}, {1, time.Millisecond}, {1, 1 << 62}} {
			if err := m.SetQuota(t.Context(), "ann", &q); err == nil {
				t.Errorf("%v is taken", q)
			}
		}
	})
	t.Run("who is removed has no session, and the name is free", func(t *testing.T) {
		before := epochOf(t, m, "ann")
		if err := m.Remove(t.Context(), "ANN"); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Get(t.Context(), "ann"); !errors.Is(err, ErrNoMember) || epochOf(t, m, "ann") == before {
			t.Errorf("%v, the epoch is another: %v", err, epochOf(t, m, "ann") != before)
		}
		mustAdd(t, m, "ann")
	})
	t.Run("a record under another's key is nobody's", func(t *testing.T) {
		r, err := m.store.Get(t.Context(), "member/ann")
		if err != nil {
			t.Fatal(err)
		}
		if err = m.store.Apply(t.Context(), session.Change{Key: "member/eve", Value: r.Value}); err != nil {
			t.Fatal(err)
		}
		if _, err = m.Get(t.Context(), "eve"); err == nil || strings.Contains(err.Error(), "argon2id") {
			t.Error(err)
		}
	})
}

func TestMembersList(t *testing.T) {
	m := newMembers(t)
	for _, name := range []string{"Carl", "ann", "Bob", "zo\u00eb", "dora"} {
		mustAdd(t, m, name)
	}
	var got []string
	for after := ""; ; {
		list, err := m.List(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, one := range list {
			got = append(got, one.Name.Shown)
		}
		after = list[len(list)-1].Name.Key
	}
	if want := "ann Bob Carl dora zo\u00eb"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBrokenRecords(t *testing.T) {
	m := newMembers(t)
	for n := range 3 {
		if err := m.store.Apply(t.Context(), session.Change{Key: fmt.Sprint("member/broken", n), Value: []byte("{secret")}); err != nil {
			t.Fatal(err)
		}
	}
	mustAdd(t, m, "ann")
	mustAdd(t, m, "zoe")
	t.Run("they are named, and keep nobody out of a list", func(t *testing.T) {
		list, err := m.List(t.Context(), "", 100)
		if len(list) != 2 || err == nil || !strings.Contains(err.Error(), `"member/broken2"`) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, %v", list, err)
		}
	})
	t.Run("a page of them is not the end", func(t *testing.T) {
		if list, err := m.List(t.Context(), "ann", 2); len(list) != 1 || list[0].Name.Key != "zoe" || err == nil {
			t.Errorf("%v, %v", list, err)
		}
	})
	t.Run("nor out of an export", func(t *testing.T) {
		var b bytes.Buffer
		n, err := m.Export(t.Context(), &b)
		if n != 2 || err == nil || !strings.Contains(err.Error(), `"member/broken0"`) || !strings.Contains(b.String(), `"name":"zoe"`) {
			t.Errorf("%d, %v, %s", n, err, b.String())
		}
	})
	t.Run("many are counted", func(t *testing.T) {
		var all broken
		for n := range 25 {
			all.join(broken{[]error{fmt.Errorf("record %d", n)}, 1})
		}
		if err := all.err(); strings.Count(err.Error(), "record ") != brokenMost || !strings.Contains(err.Error(), "15 records more") {
			t.Error(err)
		}
	})
}

// interrupted is a store in which another change comes between the reading and the writing of
// the first ones.
type interrupted struct {
	session.Store
	before func(n int64)
	count  atomic.Int64
}

func (s *interrupted) Apply(ctx context.Context, changes ...session.Change) error {
	s.before(s.count.Add(1))
	return s.Store.Apply(ctx, changes...)
}

func TestMembersConflicts(t *testing.T) {
	t.Run("two changes at once are both there", func(t *testing.T) {
		m := newMembers(t)
		mustAdd(t, m, "ann")
		other := *m
		m.store = &interrupted{Store: m.store, before: func(n int64) {
			if n == 1 {
				if err := other.SetQuota(t.Context(), "ann", &Quota{7, time.Hour}); err != nil {
					t.Error(err)
				}
			}
		}}
		if err := m.SetPassword(t.Context(), "ann", "another "+goodPassword); err != nil {
			t.Fatal(err)
		}
		s, err := m.read(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		right, _, _ := m.hasher.verify(t.Context(), s.Hash, "another "+goodPassword)
		if !right || s.Quota == nil || s.Quota.N != 7 {
			t.Errorf("the password is right: %v, the quota is %+v", right, s.Quota)
		}
	})
	t.Run("who is always overtaken gives up", func(t *testing.T) {
		m := newMembers(t)
		mustAdd(t, m, "ann")
		other := *m
		m.store = &interrupted{Store: m.store, before: func(n int64) { _ = other.SetQuota(t.Context(), "ann", &Quota{n, time.Hour}) }}
		if err := m.SetQuota(t.Context(), "ann", nil); !errors.Is(err, ErrContended) {
			t.Error(err)
		}
	})
	t.Run("of those who add one name at once, one has it", func(t *testing.T) {
		m := newMembers(t)
		var all sync.WaitGroup
		var added, taken atomic.Int64
		for range 8 {
			all.Go(func() {
				switch _, err := m.Add(t.Context(), "ann", goodPassword, ""); {
				case err == nil:
					added.Add(1)
				case errors.Is(err, ErrTaken):
					taken.Add(1)
				}
			})
		}
		all.Wait()
		if added.Load() != 1 || taken.Load() != 7 {
			t.Errorf("added %d, taken %d", added.Load(), taken.Load())
		}
	})
}

func TestInvite(t *testing.T) {
	m := newMembers(t)
	invite := func(t *testing.T, uses int) string {
		t.Helper()
		code, err := m.Invite(t.Context(), time.Hour, uses)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	t.Run("it makes as many members as it has uses", func(t *testing.T) {
		code := invite(t, 2)
		for _, name := range []string{"ann", "bob"} {
			if _, err := m.Redeem(t.Context(), code, name, goodPassword, ""); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.Redeem(t.Context(), code, "carl", goodPassword, ""); !errors.Is(err, ErrInvite) {
			t.Error(err)
		}
		if _, err := m.Get(t.Context(), "carl"); !errors.Is(err, ErrNoMember) {
			t.Error(err)
		}
	})
	t.Run("case, spaces and hyphens in it do not matter", func(t *testing.T) {
		code := invite(t, 1)
		typed := " " + strings.ToUpper(code[:4]) + "-" + code[4:10] + " " + code[10:] + "\n"
		if _, err := m.Redeem(t.Context(), typed, "dora", goodPassword, ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("a name that is taken, or a bad password, uses nothing up", func(t *testing.T) {
		code := invite(t, 1)
		if _, err := m.Redeem(t.Context(), code, "ann", goodPassword, ""); !errors.Is(err, ErrTaken) {
			t.Error(err)
		}
		if _, err := m.Redeem(t.Context(), code, "emil", "short", ""); err == nil {
			t.Error("taken")
		}
		if _, err := m.Redeem(t.Context(), code, "emil", goodPassword, ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("what is no code is refused", func(t *testing.T) {
		code := invite(t, 1)
		for _, typed := range []string{"", code[1:], code + "a", code[:25] + "1", strings.Repeat("a", 26), strings.Repeat("-", 9999)} {
			if _, err := m.Redeem(t.Context(), typed, "franz", goodPassword, ""); !errors.Is(err, ErrInvite) {
				t.Errorf("%.30q: %v", typed, err)
			}
		}
	})
	t.Run("the store has its hash alone", func(t *testing.T) {
		code := invite(t, 1)
		list, err := m.store.List(t.Context(), "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if strings.Contains(strings.ToLower(r.Key+string(r.Value)), code) {
				t.Errorf("%s has the code", r.Key)
			}
		}
	})
	t.Run("of many who use the last one at once, one is in", func(t *testing.T) {
		code := invite(t, 3)
		var all sync.WaitGroup
		var in, out atomic.Int64
		for i := range 8 {
			all.Go(func() {
				switch _, err := m.Redeem(t.Context(), code, fmt.Sprint("guest", i), goodPassword, ""); {
				case err == nil:
					in.Add(1)
				case errors.Is(err, ErrInvite):
					out.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if in.Load() != 3 || out.Load() != 5 {
			t.Errorf("in %d, out %d", in.Load(), out.Load())
		}
	})
	t.Run("it ends by itself, also after a use", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMembers(t)
			code, err := m.Invite(t.Context(), time.Hour, 9)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = m.Redeem(t.Context(), code, "ann", goodPassword, ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if _, err = m.Redeem(t.Context(), code, "bob", goodPassword, ""); !errors.Is(err, ErrInvite) {
				t.Error(err)
			}
		})
	})
	t.Run("one for nobody or for ever is refused", func(t *testing.T) {
		for _, c := range []struct {
			ttl  time.Duration
			uses int
		}{{0, 1}, {time.Hour, 0}, {time.Hour, 10_001}, {1 << 62, 1}, {-time.Hour, 1}} {
			if _, err := m.Invite(t.Context(), c.ttl, c.uses); err == nil {
				t.Errorf("%+v is taken", c)
			}
		}
	})
}
