package redisstore

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// keys are the names that the store has in Redis. The braces put them all in one slot of a
// cluster (Redis Cluster specification, "Hash tags").
type keys struct{ prefix string }

func (k keys) record(key string) string { return "{" + k.prefix + "}r:" + key }
func (k keys) count(key string) string  { return "{" + k.prefix + "}c:" + key }

// index is a sorted set of the records' keys, all of one score, in the order of their bytes.
func (k keys) index() string { return "{" + k.prefix + "}index" }

// feed is a sorted set of NUMBER:KEY, whose score is the number.
func (k keys) feed() string { return "{" + k.prefix + "}feed" }

// state is a hash: the store's id, the last number given, and where the sweep goes on.
func (k keys) state() string { return "{" + k.prefix + "}state" }

// The fields of a record: its value, its version, and its end in Unix milliseconds, empty for
// none.
const recordFields = 3

// listLooks is how many of the index's keys one script looks at: some milliseconds of Redis's time.
const listLooks = 2000

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, key string) (session.Record, error) {
	if err := session.CheckKey(key); err != nil {
		return session.Record{}, err
	}
	return call(ctx, s, "get", func(ctx context.Context) (session.Record, error) {
		fields, err := s.client.HMGet(ctx, s.keys.record(key), "value", "version", "expires").Result()
		if err != nil {
			return session.Record{}, err
		}
		if fields[1] == nil {
			return session.Record{}, fmt.Errorf("%s: %s: %w", s, key, fs.ErrNotExist)
		}
		return record(key, fields)
	})
}

// record reads its fields.
func record(key string, fields []any) (session.Record, error) {
	var text [recordFields]string
	for i := range text {
		var ok bool
		if text[i], ok = fields[i].(string); !ok {
			return session.Record{}, fmt.Errorf("%s is no record of ours", key)
		}
	}
	version, err := strconv.ParseInt(text[1], 10, 64)
	if err != nil || version <= 0 {
		return session.Record{}, fmt.Errorf("%s has no version of ours", key)
	}
	r := session.Record{Key: key, Value: []byte(text[0]), Version: version}
	if text[2] != "" {
		ms, err := strconv.ParseInt(text[2], 10, 64)
		if err != nil {
			return session.Record{}, fmt.Errorf("%s has no end of ours", key)
		}
		r.Expires = time.UnixMilli(ms)
	}
	return r, nil
}

// List implements session.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]session.Record, error) {
	if err := session.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	from := "[" + prefix
	if after >= prefix && after != "" {
		from = "(" + after
	}
	return call(ctx, s, "list", func(ctx context.Context) ([]session.Record, error) {
		var found []session.Record
		for from != "" && len(found) < limit {
			// No UTF-8 has a byte of 0xff: it ends all that begins with the prefix.
			flat, err := listScript.Run(ctx, s.client, []string{s.keys.index()}, s.keys.record(""), from, "("+prefix+"\xff", limit-len(found), listLooks).Slice()
			if err != nil {
				return nil, err
			}
			if found, err = records(found, flat[1:]); err != nil {
				return nil, err
			}
			from, _ = flat[0].(string)
		}
		return found, nil
	})
}

// records appends what listScript found.
func records(found []session.Record, flat []any) ([]session.Record, error) {
	for ; len(flat) > recordFields; flat = flat[1+recordFields:] {
		key, _ := flat[0].(string)
		r, err := record(key, flat[1:])
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

// Apply implements session.Store.
func (s *Store) Apply(ctx context.Context, changes ...session.Change) error {
	if err := session.CheckChanges(changes); err != nil {
		return err
	}
	names := []string{s.keys.state(), s.keys.index(), s.keys.feed()}
	args := []any{newID(), feedLimit, s.keys.record("")}
	for _, c := range changes {
		names = append(names, s.keys.record(c.Key))
		args = append(args, changeArguments(c)...)
	}
	_, err := call(ctx, s, "apply", func(ctx context.Context) (struct{}, error) {
		made, err := applyScript.Run(ctx, s.client, names, args...).Bool()
		if err == nil && !made {
			err = session.ErrConflict
		}
		return struct{}{}, err
	})
	return err
}

// changeArguments are those of one change: its key, the version it expects or nothing, whether it
// writes, the value, the end in milliseconds or nothing, and whether it is told.
func changeArguments(c session.Change) []any {
	expected, expires := "", ""
	if version, checked := c.If.Expects(); checked {
		expected = strconv.FormatInt(version, 10)
	}
	if !c.Expires.IsZero() {
		expires = strconv.FormatInt(max(c.Expires.UnixMilli(), 1), 10)
	}
	return []any{c.Key, expected, c.Value != nil, c.Value, expires, !c.Quiet}
}

// Take implements session.Store.
func (s *Store) Take(ctx context.Context, key string, n, limit int64, window time.Duration) (session.Count, error) {
	if err := session.CheckTake(key, n, limit, window); err != nil {
		return session.Count{}, err
	}
	return call(ctx, s, "take", func(ctx context.Context) (session.Count, error) {
		found, err := takeScript.Run(ctx, s.client, []string{s.keys.count(key)}, n, limit, window.Milliseconds()).Int64Slice()
		if err != nil {
			return session.Count{}, err
		}
		if len(found) != 3 {
			return session.Count{}, fmt.Errorf("%s is no counter of ours", key)
		}
		return session.Count{Taken: found[0] == 1, Used: found[1], Resets: time.Duration(found[2]) * time.Millisecond}, nil
	})
}
