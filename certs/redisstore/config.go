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

const (
	defaultPrefix = "holdfast:"
	defaultPort   = "6379"
)

// Config is what a URL says.
type Config struct {
	Addr           string // HOST:PORT
	User, Password string
	DB             int
	Prefix         string      // before every key, "holdfast:" unless the URL says otherwise
	TLS            *tls.Config // nil for redis://
}

// Parse reads redis://[USER][:PASSWORD@]HOST[:PORT][/DB][?prefix=TEXT], or the same with
// rediss:// for TLS 1.2 and newer, where ca=FILE names the PEM roots to trust in place of
// the system's. No error repeats the password, nor anything else: a stray "/", "?" or "#" in a
// password makes it part of the host, the path or a setting.
func Parse(address string) (*Config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" {
		return nil, errURL
	}
	c := &Config{User: u.User.Username(), Prefix: defaultPrefix}
	c.Password, _ = u.User.Password()
	switch u.Scheme {
	case "redis":
	case "rediss":
		c.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	default:
		return nil, errors.New("the Redis URL has another scheme: write redis:// or, for TLS, rediss://")
	}
	if u.Hostname() == "" {
		return nil, errors.New("the Redis URL has no host: write redis://HOST:6379")
	}
	c.Addr = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), defaultPort))
	if u.Fragment != "" {
		return nil, errors.New("the Redis URL has a '#': write %23 for one in the password")
	}
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		if c.DB, err = strconv.Atoi(db); err != nil || c.DB < 0 {
			return nil, errors.New("the Redis URL has a path that is no database: write a number, as in /0, and %2F for a '/' in the password")
		}
	}
	if err := c.readQuery(u.RawQuery); err != nil {
		return nil, err
	}
	return c, nil
}

var (
	errURL      = errors.New("the Redis URL cannot be read: write redis://USER:PASSWORD@HOST:6379/0, with %XX for special characters of the password")
	errSettings = errors.New("the Redis URL has settings that are not known: there are ?prefix=TEXT and, with rediss://, ?ca=FILE, each once; write %3F for a '?' in the password")
)

func (c *Config) readQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errSettings
	}
	for key, values := range query {
		switch {
		case len(values) > 1 || values[0] == "":
			return errSettings
		case key == "prefix":
			c.Prefix = values[0]
		case key == "ca" && c.TLS == nil:
			return errors.New("the Redis URL has a ca and no TLS: write rediss://")
		case key == "ca":
			if err := c.readRoots(values[0]); err != nil {
				return err
			}
		default:
			return errSettings
		}
	}
	return nil
}

func (c *Config) readRoots(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the ca of the Redis at %s cannot be read: %w", c.Addr, err)
	}
	c.TLS.RootCAs = x509.NewCertPool()
	if !c.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("the ca of the Redis at %s, %s, holds no PEM certificate", c.Addr, file)
	}
	return nil
}

// String is the store for people: no user, no password.
func (c *Config) String() string {
	scheme := "redis"
	if c.TLS != nil {
		scheme = "rediss"
	}
	text := fmt.Sprintf("%s://%s/%d", scheme, c.Addr, c.DB)
	if c.Prefix != defaultPrefix {
		text += "?prefix=" + url.QueryEscape(c.Prefix)
	}
	return text
}
