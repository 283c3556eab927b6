package redisstore

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// examine looks for settings by which Redis loses what it keeps, as far as it is allowed: an
// offered Redis often answers no CONFIG. One that is not there is looked at when it first answers.
func (s *Store) examine() {
	ctx, cancel := context.WithTimeout(s.life, callLimit)
	defer cancel()
	found, err := s.settings(ctx, "maxmemory-policy", "appendonly")
	if err != nil {
		s.examines.Store(true)
		return
	}
	defer close(s.examined)
	if policy, known := found["maxmemory-policy"]; known && policy != "noeviction" {
		s.log.Warn("redis may evict sessions and members: set maxmemory-policy to noeviction", "store", s.name, "maxmemory_policy", policy)
	}
	if appends, known := found["appendonly"]; known && appends != "yes" {
		// Dumps are minutes to an hour apart: as much is lost, sign-outs included.
		s.log.Warn("redis forgets its last changes when it ends, members and sign-outs included: set appendonly to yes", "store", s.name, "appendonly", appends)
	}
}

// answered looks at the settings that could not be looked at before.
func (s *Store) answered(err error) {
	if err != nil || !s.examines.Load() || s.begin() != nil {
		return
	}
	if !s.examines.CompareAndSwap(true, false) {
		s.work.Done()
		return
	}
	go func() {
		defer s.work.Done()
		s.examine()
	}()
}

// settings are those of Redis that it tells. The error is that it could not be asked.
func (s *Store) settings(ctx context.Context, names ...string) (map[string]string, error) {
	all := map[string]string{}
	for _, name := range names {
		found, err := s.client.ConfigGet(ctx, name).Result()
		if refusal := redis.Error(nil); errors.As(err, &refusal) {
			if code(refusal) == "LOADING" {
				return nil, err
			}
			continue // it is not allowed
		}
		if err != nil {
			return nil, err
		}
		if value, known := found[name]; known {
			all[name] = value
		}
	}
	return all, nil
}
