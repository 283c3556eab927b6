package kubestore

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"
	// accountAge is how old what was read of the account's files may be. A kubelet renews
	// a token at 80 % of its life, which is an hour.
	accountAge = time.Minute

	// callLimit bounds one request; a call that meets conflicts sends several.
	callLimit        = 5 * time.Second
	connectionsLimit = 8
)

// Account is how to reach the API, and as whom.
type Account struct {
	URL       string // https://HOST:PORT
	TokenFile string
	CAFile    string
}

// InCluster returns the account that Kubernetes gives to a pod.
func InCluster(getenv func(string) string) (Account, error) {
	host, port := getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return Account{}, errors.New("this is no pod of Kubernetes (KUBERNETES_SERVICE_HOST and _PORT are unset): keep certificates in a directory or a Redis here")
	}
	return Account{
		URL:       "https://" + net.JoinHostPort(host, port),
		TokenFile: filepath.Join(accountDir, "token"),
		CAFile:    filepath.Join(accountDir, "ca.crt"),
	}, nil
}

// credentials are what the files of an account held when they were read.
type credentials struct {
	Account

	mu     sync.Mutex
	token  string
	ca     []byte
	client *http.Client // trusts ca
	read   time.Time
}

// get returns a client and a token, from files that were read at most a minute ago; fresh
// reads them now.
func (c *credentials) get(fresh bool) (client *http.Client, token string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !fresh && c.client != nil && time.Since(c.read) < accountAge {
		return c.client, c.token, nil
	}
	tokenText, tokenErr := os.ReadFile(c.TokenFile)
	ca, caErr := os.ReadFile(c.CAFile)
	if err := errors.Join(tokenErr, caErr); err != nil {
		if c.client != nil {
			return c.client, c.token, nil // in the middle of a swap, or for good: the API will tell
		}
		// Not wrapped: a token that does not exist is no value that does not.
		return nil, "", fmt.Errorf("the service account's files cannot be read (%v): set automountServiceAccountToken: true in the pod", err)
	}
	if c.client == nil || !bytes.Equal(ca, c.ca) {
		client, err := newClient(ca)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", c.CAFile, err)
		}
		c.close()
		c.client, c.ca = client, ca
	}
	c.token, c.read = string(bytes.TrimSpace(tokenText)), time.Now()
	return c.client, c.token, nil
}

// close is called with the lock.
func (c *credentials) close() {
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}

func newClient(ca []byte) (*http.Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("no PEM certificate in it")
	}
	return &http.Client{
		Timeout: callLimit,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DialContext:         (&net.Dialer{Timeout: callLimit}).DialContext,
			TLSHandshakeTimeout: callLimit,
			MaxConnsPerHost:     connectionsLimit,
			IdleConnTimeout:     time.Minute,
		},
		// An API does not redirect, and the token is for it alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// authorized sends a request, a second time with a token just read when the first was
// refused: it may have been rotated.
func (c *credentials) authorized(ctx context.Context, make func(ctx context.Context) (*http.Request, error)) (*http.Response, error) {
	for _, fresh := range []bool{false, true} {
		client, token, err := c.get(fresh)
		if err != nil {
			return nil, err
		}
		request, err := make(ctx)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := client.Do(request)
		if err != nil || response.StatusCode != http.StatusUnauthorized || fresh {
			return response, err
		}
		_ = response.Body.Close() // what a refusal says does not matter yet
	}
	panic("unreachable: the second round returns")
}
