package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// typeCAA is the record that names CAs (RFC 8659 §4).
const typeCAA dnsmessage.Type = 257

// Limits of a lookup.
const (
	messageBytes = 65535 // RFC 1035 §4.2.2
	aliasLimit   = 8     // CNAMEs in a row
	rounds       = 2     // tries of each server, since a datagram can be lost
)

// rcodeError is a resolver's refusal.
type rcodeError struct{ code dnsmessage.RCode }

func (e rcodeError) Error() string {
	switch e.code {
	case dnsmessage.RCodeNameError:
		return "there is no such name (NXDOMAIN)"
	case dnsmessage.RCodeServerFailure:
		return "the resolver failed (SERVFAIL)"
	case dnsmessage.RCodeRefused:
		return "the resolver refused (REFUSED)"
	}
	return fmt.Sprintf("the resolver answered with code %d", e.code)
}

// isRcode tells whether err is this refusal.
func isRcode(err error, code dnsmessage.RCode) bool {
	var refusal rcodeError
	return errors.As(err, &refusal) && refusal.code == code
}

// errNoResolver is that nobody can be asked.
var errNoResolver = errors.New("no resolver is configured")

// A resolver asks recursive resolvers. net.Resolver does not do for CAA, and hides whether
// a name is missing or a server failed, on which it hangs what a CA does.
type resolver struct {
	servers  []string
	patience time.Duration // for one lookup, whatever it takes
}

// lookup returns the records of the kind that name has, through CNAMEs. None is no error;
// that the name does not exist is one.
func (r resolver) lookup(ctx context.Context, name string, kind dnsmessage.Type) ([]dnsmessage.ResourceBody, error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	for range aliasLimit {
		m, err := r.ask(ctx, name, kind)
		if err != nil {
			return nil, err
		}
		target, records := follow(m.Answers, name, kind)
		if len(records) > 0 || strings.EqualFold(target, name) {
			return records, nil
		}
		name = target // an answer that ends at an alias: its target has to be asked for
	}
	return nil, fmt.Errorf("more than %d aliases in a row", aliasLimit)
}

// follow goes along the aliases in an answer, and returns where they end and what is there.
func follow(answers []dnsmessage.Resource, name string, kind dnsmessage.Type) (target string, records []dnsmessage.ResourceBody) {
	for range aliasLimit {
		next := ""
		for _, a := range answers {
			if !strings.EqualFold(strings.TrimSuffix(a.Header.Name.String(), "."), name) {
				continue
			}
			if alias, ok := a.Body.(*dnsmessage.CNAMEResource); ok {
				next = strings.TrimSuffix(alias.CNAME.String(), ".")
			} else if a.Header.Type == kind {
				records = append(records, a.Body)
			}
		}
		if len(records) > 0 || next == "" {
			break
		}
		name = next
	}
	return name, records
}

// ask asks one server after another until one answers. A SERVFAIL is kept for last: the
// next server may know better.
func (r resolver) ask(ctx context.Context, name string, kind dnsmessage.Type) (*dnsmessage.Message, error) {
	if len(r.servers) == 0 {
		return nil, errNoResolver
	}
	share := r.patience / time.Duration(rounds*len(r.servers))
	var last error
	for range rounds {
		for _, server := range r.servers {
			if ctx.Err() != nil {
				return nil, errors.Join(last, ctx.Err())
			}
			one, cancel := context.WithTimeout(ctx, share)
			m, err := query(one, server, name, kind)
			cancel()
			if err == nil || isRcode(err, dnsmessage.RCodeNameError) {
				return m, err
			}
			last = err
		}
	}
	return nil, last
}

// query asks one server by UDP, and by TCP where the answer does not fit.
func query(ctx context.Context, server, name string, kind dnsmessage.Type) (*dnsmessage.Message, error) {
	qname, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, fmt.Errorf("%q is too long for a name", name)
	}
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(rand.Uint32()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: qname, Type: kind, Class: dnsmessage.ClassINET}},
	}
	m, err := exchange(ctx, "udp", server, &q)
	if err == nil && m.Truncated {
		m, err = exchange(ctx, "tcp", server, &q)
	}
	switch {
	case err != nil:
		return nil, err
	case m.RCode != dnsmessage.RCodeSuccess:
		return nil, rcodeError{m.RCode}
	}
	return m, nil
}

// exchange sends q and waits for what answers it.
func exchange(ctx context.Context, network, server string, q *dnsmessage.Message) (*dnsmessage.Message, error) {
	packed, err := q.Pack()
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	}
	if _, err := c.Write(packed); err != nil {
		return nil, err
	}
	for {
		raw, err := receive(c, network)
		if err != nil {
			return nil, fmt.Errorf("%s does not answer: %w", server, err)
		}
		m := new(dnsmessage.Message)
		if err := m.Unpack(raw); err == nil && answers(m, q) {
			return m, nil
		}
		// Not what was asked for: somebody guesses, or an answer came late. Read on.
	}
}

func receive(c net.Conn, network string) ([]byte, error) {
	b := make([]byte, messageBytes)
	if network == "udp" {
		n, err := c.Read(b)
		return b[:n], err
	}
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return nil, err
	}
	b = b[:binary.BigEndian.Uint16(b)]
	_, err := io.ReadFull(c, b)
	return b, err
}

// answers tells whether m is an answer to q (RFC 5452 §9.1).
func answers(m, q *dnsmessage.Message) bool {
	if !m.Response || m.ID != q.ID || len(m.Questions) != 1 {
		return false
	}
	got, asked := m.Questions[0], q.Questions[0]
	return got.Type == asked.Type && got.Class == asked.Class && strings.EqualFold(got.Name.String(), asked.Name.String())
}
