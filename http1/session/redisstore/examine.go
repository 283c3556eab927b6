package redisstore

import (
	"context"
	"log/slog"
)

// examine looks for settings by which Redis loses what it keeps, once and as far as it is
// allowed: an offered Redis often answers no CONFIG.
func (s *Store) examine(log *slog.Logger) {
	ctx, cancel := context.WithTimeout(s.life, callLimit)
	defer cancel()
	if policy, known := s.setting(ctx, "maxmemory-policy"); known && policy != "noeviction" {
		log.Warn("redis may evict sessions and members: set maxmemory-policy to noeviction", "store", s.name, "maxmemory_policy", policy)
	}
	appends, known := s.setting(ctx, "appendonly")
	saves, alsoKnown := s.setting(ctx, "save")
	if known && alsoKnown && appends == "no" && saves == "" {
		log.Warn("redis keeps nothing over a restart, members included: set appendonly to yes", "store", s.name)
	}
}

// setting is one of Redis's.
func (s *Store) setting(ctx context.Context, name string) (value string, known bool) {
	found, err := s.client.ConfigGet(ctx, name).Result()
	if err != nil {
		return "", false
	}
	value, known = found[name]
	return value, known
}
