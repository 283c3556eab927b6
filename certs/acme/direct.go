package acme

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/acme"
)

// errChallengeFailed is an order that is lost because its challenge was not met: with
// another challenge another order may do better.
var errChallengeFailed = errors.New("the challenge failed")

// direct orders without autocert, one challenge after the other, each with an order of
// its own.
func (a *attempt) direct(ctx context.Context) (*tls.Certificate, error) {
	registration := &acme.Account{ExternalAccountBinding: a.binding()}
	if a.options.Email != "" {
		registration.Contact = []string{"mailto:" + a.options.Email}
	}
	_, err := a.client.Register(ctx, registration, acme.AcceptTOS) // Options.TermsAgreed
	if err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, err
	}
	kinds := []string{a.options.Challenge}
	if a.options.Challenge == Auto {
		kinds = []string{TLSALPN01, HTTP01}
	}
	for _, kind := range kinds {
		var certificate *tls.Certificate
		if certificate, err = a.orderBy(ctx, kind); !errors.Is(err, errChallengeFailed) {
			return certificate, err
		}
	}
	return nil, err
}

// orderBy makes one order and meets its challenges of one kind.
func (a *attempt) orderBy(ctx context.Context, kind string) (*tls.Certificate, error) {
	var options []acme.OrderOption
	if a.options.Profile != "" {
		options = append(options, acme.WithOrderIssuanceProfile(acme.ProfileName(a.options.Profile)))
	}
	order, err := a.client.AuthorizeOrder(ctx, acme.DomainIDs(a.host), options...)
	if err != nil {
		return nil, err
	}
	for _, authorization := range order.AuthzURLs {
		if err := a.authorize(ctx, authorization, kind); err != nil {
			return nil, err
		}
	}
	if order, err = a.client.WaitOrder(ctx, order.URI); err != nil {
		return nil, err
	}
	return a.finalize(ctx, order)
}

// authorize gets one authorization (RFC 8555 §7.5).
func (a *attempt) authorize(ctx context.Context, url, kind string) error {
	z, err := a.client.GetAuthorization(ctx, url)
	if err != nil || z.Status == acme.StatusValid {
		return err
	}
	var challenge *acme.Challenge
	for _, c := range z.Challenges {
		if c.Type == kind {
			challenge = c
		}
	}
	if challenge == nil {
		_ = a.client.RevokeAuthorization(ctx, url) // it counts against a limit; if this fails, it ends by itself
		return fmt.Errorf("%w: the CA does not offer %s", errChallengeFailed, kind)
	}
	keyAuthorization, err := a.client.HTTP01ChallengeResponse(challenge.Token)
	if err != nil {
		return err
	}
	name, response := httpName(a.host), keyAuthorization
	if kind == TLSALPN01 {
		name, response = alpnName(a.host), hex.EncodeToString(keyAuthorizationDigest(keyAuthorization))
	}
	a.options.Challenges.present(ctx, name, response)
	defer a.options.Challenges.withdraw(ctx, name)
	if _, err := a.client.Accept(ctx, challenge); err != nil {
		return err
	}
	_, err = a.client.WaitAuthorization(ctx, url)
	if failed := new(acme.AuthorizationError); errors.As(err, &failed) {
		return fmt.Errorf("%w: %w", errChallengeFailed, err)
	}
	return err
}

// finalize hands the key's request in and fetches the chain (RFC 8555 §7.4).
func (a *attempt) finalize(ctx context.Context, order *acme.Order) (*tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{a.host}}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := a.client.CreateCertFromOrder(ctx, order, request, true)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: key}, nil
}
