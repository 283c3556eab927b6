package redisstore

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// config is what a URL says.
type config struct {
	addr           string // HOST:PORT
	user, password string
	db             int
	prefix         string
	tls            *tls.Config // nil for redis://
}

const defaultPrefix = "holdfast:m:"

var (
	errURL      = errors.New("the Redis URL cannot be read: write redis://USER:PASSWORD@HOST:6379/0, with %XX for special characters of the password")
	errScheme   = errors.New("the Redis URL has another scheme: write redis:// or, for TLS, rediss://")
	errHost     = errors.New("the Redis URL has no host: write redis://HOST:6379")
	errFragment = errors.New("the Redis URL has a '#': write %23 for one in the password")
	errDB       = errors.New("the Redis URL has a path that is no database: write a number, as in /0, and %2F for a '/' in the password")
	errSettings = errors.New("the Redis URL has settings that are not known: there are ?prefix=TEXT, without braces, and, with rediss://, ?ca=FILE, each once; write %3F for a '?' in the password")
)

// parse reads what Open documents. None of its errors repeats a part of the URL: a stray "/",
// "?" or "#" in a password would make it that part.
func parse(address string) (*config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" {
		return nil, errURL
	}
	c := &config{user: u.User.Username(), prefix: defaultPrefix, addr: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "6379"))}
	c.password, _ = u.User.Password()
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return nil, errScheme
	case u.Hostname() == "":
		return nil, errHost
	case u.Fragment != "":
		return nil, errFragment
	case u.Scheme == "rediss":
		c.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		if c.db, err = strconv.Atoi(db); err != nil || c.db < 0 {
			return nil, errDB
		}
	}
	settings, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errSettings
	}
	return c, c.set(settings)
}

func (c *config) set(settings url.Values) error {
	for name, values := range settings {
		value := values[0]
		switch {
		case len(values) > 1 || value == "":
			return errSettings
		case name == "prefix" && !strings.ContainsAny(value, "{}"):
			c.prefix = value
		case name == "ca" && c.tls != nil:
			if err := c.trust(value); err != nil {
				return err
			}
		default:
			return errSettings
		}
	}
	return nil
}

// trust takes the PEM roots of a file in place of the system's.
func (c *config) trust(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the ca of the Redis at %s cannot be read: %w", c.addr, err)
	}
	c.tls.RootCAs = x509.NewCertPool()
	if !c.tls.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("the ca of the Redis at %s, %s, holds no PEM certificate", c.addr, file)
	}
	return nil
}

// String is the store for people: no user, no password.
func (c *config) String() string {
	scheme, settings := "redis", ""
	if c.tls != nil {
		scheme = "rediss"
	}
	if c.prefix != defaultPrefix {
		settings = "?prefix=" + url.QueryEscape(c.prefix)
	}
	return fmt.Sprintf("%s://%s/%d%s", scheme, c.addr, c.db, settings)
}
