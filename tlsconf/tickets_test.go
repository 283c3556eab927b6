package tlsconf

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// secretOf is a secret that differs by its seed.
func secretOf(seed byte) (s Secret) {
	for i := range s {
		s[i] = seed + byte(i)
	}
	return s
}

// replica is one of those that share a secret; its clock is off by ahead.
type replica struct {
	config *tls.Config
	keys   *TicketKeys
	log    *safeBuffer
}

// safeBuffer is a log that a test reads while it is written.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newReplica(cert *tls.Certificate, ahead time.Duration, secret func(context.Context) (Secret, error)) *replica {
	r := &replica{config: Server(always(cert)), log: new(safeBuffer)}
	r.keys = &TicketKeys{
		Config: r.config, Secret: secret, Now: func() time.Time { return time.Now().Add(ahead) },
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return r
}

// run is the actor, until the test ends.
func (r *replica) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.keys.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func answer(s Secret) func(context.Context) (Secret, error) {
	return func(context.Context) (Secret, error) { return s, nil }
}

// connect makes a connection through memory, in a synctest bubble too.
func connect(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	near, far := inMemory()
	served := make(chan struct{})
	go func() {
		defer close(served)
		greet(tls.Server(far, server))
	}()
	defer func() { _ = near.Close(); <-served }()
	c := tls.Client(near, client)
	if err := c.Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	_, err := io.ReadAll(c)
	return c.ConnectionState(), err
}

// visitor is a client that keeps sessions.
func visitor(version uint16) *tls.Config {
	return &tls.Config{MaxVersion: version, InsecureSkipVerify: true, ServerName: "a.example", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
}

func wantResumed(t *testing.T, what string, server, client *tls.Config, want bool) {
	t.Helper()
	state, err := connect(t, server, client)
	if err != nil || state.DidResume != want {
		t.Errorf("%s: resumed %t, want %t, %v", what, state.DidResume, want, err)
	}
}

// longLived is a certificate that outlives the hours of these tests.
func longLived(t *testing.T) *tls.Certificate {
	return issue(t, nil, leafOf("a.example", 1000*time.Hour)).tls()
}

func TestSessionsResumeOnAnotherReplica(t *testing.T) {
	for _, version := range versions {
		for _, c := range []struct {
			name  string
			ahead time.Duration // of B's clock
			made  time.Duration // when A is visited; an epoch begins with the test
			later time.Duration // from then to the visit to B
			want  bool
		}{
			{"at once", 0, 0, 0, true},
			{"after one rotation", 0, 0, 12 * time.Hour, true},
			{"after two rotations", 0, 0, 24 * time.Hour, true},
			{"at the least life of a ticket", 0, 12*time.Hour - time.Second, 24 * time.Hour, true},
			{"just before the longest life of a key", 0, 0, 36*time.Hour - time.Second, true},
			{"not after the longest life of a key", 0, 0, 36*time.Hour + 2*time.Minute, false},
			{"on one whose clock is an hour ahead", time.Hour, 0, 0, true},
			{"on one whose clock is an hour behind", -time.Hour, 0, 0, true},
			{"on one whose clock is an hour ahead, after a rotation", time.Hour, 0, 12 * time.Hour, true},
			{"on one whose clock is an hour behind, after a rotation", -time.Hour, 0, 12 * time.Hour, true},
			{"not on one whose clock is a year ahead", 365 * 24 * time.Hour, 0, 0, false},
			{"not on one whose clock is a year behind", -365 * 24 * time.Hour, 0, 0, false},
		} {
			t.Run(tls.VersionName(version)+" "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cert := longLived(t)
					a, b := newReplica(cert, 0, answer(secretOf(1))), newReplica(cert, c.ahead, answer(secretOf(1)))
					a.run(t)
					b.run(t)
					<-time.After(c.made)
					synctest.Wait()
					client := visitor(version)
					wantResumed(t, "the first visit, to A", a.config, client, false)
					<-time.After(c.later)
					synctest.Wait()
					wantResumed(t, "the second, to B", b.config, client, c.want)
				})
			})
		}
	}
}

// An hour between two clocks is an hour in which they have different keys, at each edge of an
// epoch: both ways must work there.
func TestSkewAtTheEdgeOfAnEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cert := longLived(t)
		slow, fast := newReplica(cert, -30*time.Minute, answer(secretOf(1))), newReplica(cert, 30*time.Minute, answer(secretOf(1)))
		slow.run(t)
		fast.run(t)
		edge := time.Now().Truncate(ticketEpoch).Add(ticketEpoch)
		<-time.After(time.Until(edge))
		synctest.Wait()
		if slow, fast := ticketEpochAt(slow.keys.now()), ticketEpochAt(fast.keys.now()); fast != slow+1 {
			t.Fatalf("the slow one is in epoch %d and the fast one in %d", slow, fast)
		}
		for _, version := range versions {
			client := visitor(version)
			wantResumed(t, "a first visit to the fast one", fast.config, client, false)
			wantResumed(t, "from the fast to the slow", slow.config, client, true)
			client = visitor(version)
			wantResumed(t, "a first visit to the slow one", slow.config, client, false)
			wantResumed(t, "from the slow to the fast", fast.config, client, true)
		}
	})
}

func TestReplicasWithOtherSecretsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cert := longLived(t)
		a, b := newReplica(cert, 0, answer(secretOf(1))), newReplica(cert, 0, answer(secretOf(2)))
		a.run(t)
		b.run(t)
		synctest.Wait()
		client := visitor(tls.VersionTLS13)
		wantResumed(t, "the first visit, to A", a.config, client, false)
		wantResumed(t, "the second, to B", b.config, client, false)
	})
}

func TestTheSecretComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var known atomic.Bool
		var asked atomic.Int64
		r := newReplica(longLived(t), 0, func(context.Context) (Secret, error) {
			asked.Add(1)
			if !known.Load() {
				return Secret{}, errors.New("the store is away")
			}
			return secretOf(1), nil
		})
		r.run(t)
		synctest.Wait()
		client := visitor(tls.VersionTLS13)
		wantResumed(t, "a first visit", r.config, client, false)
		wantResumed(t, "with crypto/tls's own keys", r.config, client, true)
		<-time.After(time.Hour)
		if n := asked.Load(); n < 60 || n > 70 {
			t.Errorf("asked %d times in an hour, want about once a minute", n)
		}
		if n := strings.Count(r.log.text(), "the store is away"); n != 1 {
			t.Errorf("the log says %d times that the store is away:\n%s", n, r.log.text())
		}
		known.Store(true)
		<-time.After(2 * time.Minute)
		synctest.Wait()
		wantResumed(t, "when the keys change", r.config, client, false)
		wantResumed(t, "with the cluster's keys", newFilled(t, r), client, true)
	})
}

// newFilled is another replica with the secret that r has by now.
func newFilled(t *testing.T, r *replica) *tls.Config {
	t.Helper()
	other := newReplica(longLived(t), 0, r.keys.Secret)
	if err := other.keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return other.config
}

func TestASecretThatChanges(t *testing.T) {
	for _, c := range []struct {
		name string
		then func() (Secret, error)
		want bool // the session of before resumes
		log  string
	}{
		{"is used from the next epoch on", func() (Secret, error) { return secretOf(9), nil }, false, "the cluster's secret has changed"},
		{"stays the known one where it is not told", func() (Secret, error) { return Secret{}, errors.New("the store is away") }, true, "the known one stays"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var later atomic.Bool
				r := newReplica(longLived(t), 0, func(context.Context) (Secret, error) {
					if later.Load() {
						return c.then()
					}
					return secretOf(1), nil
				})
				r.run(t)
				synctest.Wait()
				client := visitor(tls.VersionTLS13)
				wantResumed(t, "a first visit", r.config, client, false)
				later.Store(true)
				<-time.After(12*time.Hour + 2*time.Minute)
				synctest.Wait()
				wantResumed(t, "in the next epoch", r.config, client, c.want)
				if !strings.Contains(r.log.text(), c.log) {
					t.Errorf("the log lacks %q:\n%s", c.log, r.log.text())
				}
			})
		})
	}
}

func TestRefresh(t *testing.T) {
	t.Run("an error leaves the keys as they are", func(t *testing.T) {
		r := newReplica(ecdsaCertificate(t), 0, func(context.Context) (Secret, error) { return Secret{}, errors.New("no such file") })
		client := visitor(tls.VersionTLS13)
		wantResumed(t, "a first visit", r.config, client, false)
		if err := r.keys.Refresh(t.Context()); err == nil || err.Error() != "no such file" {
			t.Errorf("got %v", err)
		}
		wantResumed(t, "a second", r.config, client, true)
	})
	t.Run("a secret that does not come is given up in 10 s", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newReplica(longLived(t), 0, func(ctx context.Context) (Secret, error) {
				<-ctx.Done()
				return Secret{}, ctx.Err()
			})
			begun := time.Now()
			err := r.keys.Refresh(t.Context())
			if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
		})
	})
	t.Run("Run ends while it waits for a secret", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newReplica(longLived(t), 0, func(ctx context.Context) (Secret, error) {
				<-ctx.Done()
				return Secret{}, ctx.Err()
			})
			r.run(t) // whose cleanup waits for the end
			synctest.Wait()
		})
	})
	t.Run("the log has no secret", func(t *testing.T) {
		r := newReplica(ecdsaCertificate(t), 0, answer(Secret([]byte("do not tell this to anyone else!"))))
		if err := r.keys.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if log := r.log.text(); log == "" || strings.Contains(log, "do not tell") || strings.Contains(log, "646f206e6f74") {
			t.Errorf("log: %s", log)
		}
	})
}

// The real thing once: two listeners, two keepers, one client.
func TestSessionsResumeOverTheNetwork(t *testing.T) {
	cert := ecdsaCertificate(t)
	a, b := newReplica(cert, 0, answer(secretOf(1))), newReplica(cert, time.Hour, answer(secretOf(1)))
	for _, r := range []*replica{a, b} {
		if err := r.keys.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	atA, atB := listen(t, a.config), listen(t, b.config)
	for _, version := range versions {
		client := visitor(version)
		for n, addr := range []string{atA, atB, atA} {
			state, err := dial(t, addr, client)
			if err != nil || state.DidResume != (n > 0) {
				t.Errorf("%s, visit %d: resumed %t, %v", tls.VersionName(version), n+1, state.DidResume, err)
			}
		}
	}
}

func TestTicketKeysOfAnEpoch(t *testing.T) {
	secret := secretOf(1)
	keys := ticketKeys(&secret, 1000)
	t.Run("are those of two before and one behind it", func(t *testing.T) {
		for i, epoch := range []int64{1000, 999, 998, 1001} {
			if keys[i] != ticketKey(&secret, epoch) {
				t.Errorf("key %d is not that of epoch %d", i, epoch)
			}
		}
		if len(keys) != 4 {
			t.Errorf("%d keys", len(keys))
		}
	})
	t.Run("differ, by epoch and by secret", func(t *testing.T) {
		seen := map[[32]byte]bool{}
		for _, seed := range []byte{1, 2} {
			s := secretOf(seed)
			for epoch := range int64(100) {
				seen[ticketKey(&s, epoch)] = true
			}
		}
		if len(seen) != 200 {
			t.Errorf("%d different keys of 200", len(seen))
		}
	})
	t.Run("stay the same from one version of Holdfast to the next", func(t *testing.T) {
		// Replicas of two versions run side by side while one replaces the other. Computed apart
		// from this code, with openssl kdf -kdfopt digest:SHA256 HKDF.
		const want = "a6dd4cf1a9bcdff06f779746ab471e57832dd566424b2d92e35775e496ba4fe5"
		if got := hex.EncodeToString(keys[0][:]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func BenchmarkHandshake(b *testing.B) {
	for _, c := range []struct {
		name   string
		shared bool
	}{{"keys of crypto/tls", false}, {"keys of a cluster", true}} {
		b.Run(c.name, func(b *testing.B) {
			r := newReplica(ecdsaCertificate(b), 0, answer(secretOf(1)))
			if c.shared {
				if err := r.keys.Refresh(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			client := visitor(tls.VersionTLS13)
			b.ReportAllocs()
			for b.Loop() {
				near, far := inMemory()
				go greet(tls.Server(far, r.config))
				_, _ = io.ReadAll(tls.Client(near, client))
				_ = near.Close()
			}
		})
	}
}
