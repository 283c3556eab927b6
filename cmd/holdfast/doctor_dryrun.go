package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/cmd/holdfast/doctor"
)

// dryRun orders certificates that nobody will see: from the staging CA where the production one is
// meant, else from the CA that was named. The account is made anew, and forgotten.
type dryRun struct {
	doctor  *doctor.Doctor
	options acme.Options
}

// validationPatience bounds each connection of a CA that validates.
const validationPatience = 10 * time.Second

// dryRun is what the doctor tries orders with, nil where nobody agreed to the terms.
func (cmd *doctorCmd) dryRun(r *reader, d *doctor.Doctor, state string) func(ctx context.Context, domain, challenge string) error {
	s := &settings{StateDir: state, ACME: acmeSettings{Directory: d.Directory}}
	agreed := r.toggle("acme-agree-tos")
	run := &dryRun{doctor: d, options: acme.Options{Directory: d.Directory, Version: buildVersion().Version, Log: slog.New(slog.DiscardHandler)}}
	if file := r.given("acme-root"); file != "" {
		content, err := os.ReadFile(file)
		run.options.Roots = x509.NewCertPool()
		if err != nil || !run.options.Roots.AppendCertsFromPEM(content) {
			r.faults = append(r.faults, fault{What: "cannot use the CA's roots in " + quote(file), Where: "--acme-root", Why: reason(err), Mend: "give the root of the CA's own server as PEM"})
		}
		d.Client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: run.options.Roots}, Proxy: http.ProxyFromEnvironment}}
	}
	if !agreed && !s.agreedBefore() {
		return nil
	}
	if d.Directory == acme.ProductionURL {
		run.options.Directory = acme.StagingURL
	}
	run.options.TermsAgreed = true
	return run.try
}

// try orders once, and answers the challenge itself.
func (run *dryRun) try(ctx context.Context, domain, challenge string) error {
	options := run.options
	options.Store, options.Challenge = new(store.Memory), challenge
	options.Challenges = acme.NewChallenges([]string{domain}, nil, options.Log, time.Now)
	issuer, err := acme.New(options)
	if err != nil {
		return err
	}
	port := run.doctor.HTTPS
	if challenge == acme.HTTP01 {
		port = run.doctor.HTTP
	}
	if port.Listen == "" {
		return fmt.Errorf("%w: there is no listener for %s", doctor.ErrNotTried, challenge)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", port.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: a server is on %s, which would get the CA's question", doctor.ErrNotTried, port.Listen)
	case err != nil:
		return err
	}
	end := answerValidation(l, options.Challenges, challenge)
	defer end()
	_, err = issuer.Issue(ctx, domain)
	return err
}

// answerValidation answers challenges on l until the function that it returns is called, which
// closes l and waits.
func answerValidation(l net.Listener, challenges *acme.Challenges, challenge string) (end func()) {
	var work sync.WaitGroup
	if challenge == acme.HTTP01 {
		server := &http.Server{ReadTimeout: validationPatience, WriteTimeout: validationPatience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, _ := acme.Token(r.URL.EscapedPath())
			body, ok := challenges.KeyAuthorization(r.Context(), r.Host, token)
			if !ok {
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, body) // a CA that leaves will be back
		})}
		work.Go(func() { _ = server.Serve(l) })
		return func() {
			_ = server.Close()
			work.Wait()
		}
	}
	config := &tls.Config{GetConfigForClient: challenges.ConfigForClient, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(validationPatience))
				_ = tls.Server(c, config).Handshake() // and that was all of it
			})
		}
	})
	return func() {
		_ = l.Close()
		work.Wait()
	}
}
