package acme

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"time"
)

// storeTimeout bounds each thing that an attempt asks of the store. One that hangs must
// not keep a host from a certificate that this process can prove by itself.
const storeTimeout = 5 * time.Second

// answer is what a challenge gets, as the store keeps it. Nothing of it is secret: it is
// shown to whoever asks.
type answer struct {
	// Response is the key authorization (RFC 8555 §8.1) for HTTP-01, and its SHA-256 in
	// hex for TLS-ALPN-01.
	Response string    `json:"response"`
	Expires  time.Time `json:"expires"`
}

func (a answer) expired(now time.Time) bool { return !now.Before(a.Expires) }

// digest is TLS-ALPN-01's.
func (a answer) digest() ([]byte, bool) {
	digest, err := hex.DecodeString(a.Response)
	return digest, err == nil && len(digest) == sha256.Size
}

func alpnName(host string) string { return "challenge/tls-alpn-01/" + host }

// httpName is without the token, which is in the answer: a host has one order at a time,
// and so a look for whatever token is a look at one name.
func httpName(host string) string { return "challenge/http-01/" + host }

// present gives response to whoever asks for name, here and through the store. It is
// withdrawn by withdraw, or ends by itself.
func (c *Challenges) present(ctx context.Context, name, response string) {
	a := answer{Response: response, Expires: c.now().Add(challengeLife)}
	c.mu.Lock()
	c.own[name] = a
	c.mu.Unlock()
	if c.shared == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	text, err := json.Marshal(a)
	if err == nil {
		err = c.shared.Put(ctx, name, text, nil)
	}
	if err != nil {
		c.log.Warn("the answer to a challenge is not in the store: other replicas cannot give it", "challenge", name, "store", c.shared.String(), "error", err)
	}
}

// withdraw ends what present began, also where ctx has ended already. Another replica's
// answer under the same name stays.
func (c *Challenges) withdraw(ctx context.Context, name string) {
	c.mu.Lock()
	mine := c.own[name]
	delete(c.own, name)
	c.mu.Unlock()
	if c.shared == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	stored, err := c.read(ctx, name)
	if err == nil && stored.Response != mine.Response || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err := c.shared.Delete(ctx, name, nil); err != nil {
		c.log.Warn("the answer to a challenge stays in the store until it ends", "challenge", name, "store", c.shared.String(), "error", err)
	}
}

var errNoAnswer = errors.New("not the answer to a challenge")

func (c *Challenges) read(ctx context.Context, name string) (a answer, err error) {
	text, err := c.shared.Get(ctx, name)
	if err != nil {
		return a, err
	}
	if json.Unmarshal(text, &a) != nil {
		return a, errNoAnswer
	}
	return a, nil
}
