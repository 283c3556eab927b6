package acme

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme/autocert"
)

// tidyTimeout is how long an attempt waits, once it knows how it ended, for autocert to
// give back authorizations that it did not use.
const tidyTimeout = 10 * time.Second

// byAutocert orders through a Manager that lives for this attempt alone. What the
// Manager does beside ordering is taken from it:
//
//   - It sees no certificate in its cache, hence makes a key; and of what it puts there
//     only answers to challenges are kept.
//   - It asks for the account's key in its cache unless the client has one: it has.
//   - It arms a timer that would renew by itself. The line is closed by then, and the
//     timer's goroutine ends in view.Get.
//   - It gives back authorizations and deletes answers in goroutines that nobody can
//     wait for. They are waited for here, by their contexts and their deletions.
func (a *attempt) byAutocert(ctx context.Context) (*tls.Certificate, error) {
	v := &view{ctx: ctx, attempt: a, deleted: make(chan struct{}, tokenLimit)}
	m := &autocert.Manager{
		Prompt: autocert.AcceptTOS, // Options.TermsAgreed
		Cache:  v, Client: a.client, Email: a.options.Email, ExternalAccountBinding: a.binding(),
		HostPolicy: func(_ context.Context, host string) error {
			if host != a.host {
				return fmt.Errorf("%q is not the host of this attempt", host)
			}
			return nil
		},
	}
	if a.options.Challenge == Auto {
		m.HTTPHandler(nil) // that it was asked for is what makes HTTP-01 possible
	}
	certificate, err := m.GetCertificate(&tls.ClientHelloInfo{
		ServerName:       a.host,
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		SupportedCurves:  []tls.CurveID{tls.CurveP256},
		CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
	a.tidy(ctx, v)
	return certificate, err
}

// tidy ends what autocert left running.
func (a *attempt) tidy(ctx context.Context, v *view) {
	// One caller is GetCertificate itself, and each order has one that gives back its
	// authorizations. First they may still speak with the CA, then no more.
	callers := 1 + a.line.untidied()
	a.line.join(ctx, callers, tidyTimeout)
	a.line.close()
	a.line.join(context.WithoutCancel(ctx), callers, tidyTimeout)
	v.end(ctx)
}

// tokenLimit is how many answers one attempt can present: one for each kind.
const tokenLimit = 2

// view is what a Manager gets for a Cache: it holds nothing.
type view struct {
	ctx     context.Context
	attempt *attempt
	deleted chan struct{}

	mu        sync.Mutex
	ended     bool
	presented []string // names in the store
}

// Get finds nothing. Once the attempt is over, only the renewal timer can ask, in a
// goroutine of its own: that ends here, with its deferred calls, before it sets the
// timer again. Otherwise each certificate would leave one behind for good.
func (v *view) Get(context.Context, string) ([]byte, error) {
	v.mu.Lock()
	ended := v.ended
	v.mu.Unlock()
	if ended {
		runtime.Goexit()
	}
	return nil, autocert.ErrCacheMiss
}

// Put presents answers to challenges, which autocert keeps as "HOST+token" and
// "TOKEN+http-01". The certificate comes by GetCertificate's return.
func (v *view) Put(_ context.Context, key string, data []byte) error {
	host := v.attempt.host
	if strings.HasSuffix(key, "+http-01") {
		v.present(httpName(host), string(data))
	} else if key == host+"+token" {
		digest, err := digestOf(data)
		if err != nil {
			return err
		}
		v.present(alpnName(host), hex.EncodeToString(digest))
	}
	return nil
}

func (v *view) present(name, response string) {
	v.mu.Lock()
	v.presented = append(v.presented, name)
	v.mu.Unlock()
	v.attempt.options.Challenges.present(v.ctx, name, response)
}

// Delete tells that one of autocert's goroutines is at its end. What it would delete is
// withdrawn by end, which waits.
func (v *view) Delete(context.Context, string) error {
	select {
	case v.deleted <- struct{}{}:
	default: // more than were presented: a newer autocert, whose ends we cannot count
	}
	return nil
}

// end withdraws the answers, and waits for the goroutines that wanted to.
func (v *view) end(ctx context.Context) {
	v.mu.Lock()
	v.ended = true
	presented := v.presented
	v.mu.Unlock()
	timeout := time.NewTimer(tidyTimeout)
	defer timeout.Stop()
	for _, name := range presented {
		v.attempt.options.Challenges.withdraw(ctx, name)
		select {
		case <-v.deleted:
		case <-timeout.C:
			return // it ends by itself: it has nothing left to wait for
		}
	}
}
