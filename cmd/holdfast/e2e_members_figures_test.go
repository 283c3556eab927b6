package main

import (
	"strings"
	"testing"
)

func TestMembersFigures(t *testing.T) {
	s := launch(t, membersSite(t), "--config", membersFile(t, `sign-up = "open"`, `quota = "2/1h"`), "--admin", "127.0.0.1:0")
	ann := newVisitor(t, s)
	ann.signUp("ann")
	for range 3 {
		ann.get("/members/")
	}
	ann.post("/-/sign-in", "name", "ann", "password", wrongPassword)
	ann.post("/-/sign-out")
	m := metrics(t, adminOf(s))
	for name, want := range map[string]float64{
		`holdfast_members_attempts_total{outcome="signed_up"}`: 1, `holdfast_members_attempts_total{outcome="wrong"}`: 1,
		"holdfast_members_over_quota_total": 1, "holdfast_members_passwords_hashing": 0,
		"holdfast_sessions_begun_total": 1, "holdfast_sessions_ended_total": 1, "holdfast_sessions_store_errors_total": 0,
	} {
		if got, there := m[name]; !there || got != want {
			t.Errorf("%s is %v (%v), want %v", name, got, there, want)
		}
	}
	if m[`holdfast_sessions_validated_total{by="memory"}`]+m[`holdfast_sessions_validated_total{by="store"}`] < 4 {
		t.Errorf("%v", m)
	}
	t.Run("no member's name is in one", func(t *testing.T) {
		if _, content, err := page(adminOf(s), "/metrics"); err != nil || strings.Contains(string(content), "ann\"") {
			t.Errorf("%v", err)
		}
	})
	t.Run("the probe has nothing to warn of", func(t *testing.T) {
		wantPage(t, adminOf(s), "/readyz?verbose", 200, `"check":"members","status":"ok"`)
	})
	t.Run("nor has a server without members anything to say of them", func(t *testing.T) {
		other := launch(t, membersSite(t), "--admin", "127.0.0.1:0")
		if _, content, err := page(adminOf(other), "/metrics"); err != nil || strings.Contains(string(content), "holdfast_sessions") {
			t.Errorf("%v", err)
		}
	})
}
