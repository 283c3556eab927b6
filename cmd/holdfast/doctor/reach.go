package doctor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// reach dials each address of a domain as the CA would, and says who answers.
func (d *Doctor) reach(ctx context.Context, o *door, domain string, addrs []netip.Addr) (all []Finding) {
	charts := make([]chart, len(addrs))
	var group sync.WaitGroup
	for i, addr := range addrs {
		charts[i] = chart{check: o.check, domain: domain}
		group.Go(func() {
			ctx, cancel := d.step(ctx)
			defer cancel()
			at := netip.AddrPortFrom(addr, o.public)
			if o.check == "https" {
				d.reachTLS(ctx, &charts[i], o, domain, at)
			} else {
				d.reachPage(ctx, &charts[i], o, domain, at)
			}
		})
	}
	group.Wait()
	for _, c := range charts {
		all = append(all, c.findings...)
	}
	return all
}

// reachPage asks for a page by HTTP.
func (d *Doctor) reachPage(ctx context.Context, c *chart, o *door, domain string, at netip.AddrPort) {
	got, err := askPage(ctx, at.String(), domain, o.nonce)
	if err != nil {
		d.notReached(c, at, err)
		return
	}
	if o.listener != nil {
		if got.body == o.nonce {
			c.ok("%v leads to this machine", at)
			return
		}
		c.fault("point the name at this host, or forward the port to it", "%v answers, and is not this machine: %s", at, got.describe())
		return
	}
	here, err := askPage(ctx, o.local, domain, o.nonce)
	switch {
	case err != nil:
		c.warning("", "%v answers, and the holdfast of this machine does not: %v", at, err)
	case got.describe() == here.describe():
		c.ok("%v answers as the holdfast of this machine does", at)
	default:
		c.warning("point the name at this host, or forward the port to it",
			"%v answers otherwise than the holdfast of this machine: %s, here %s", at, got.describe(), here.describe())
	}
}

// page is what is looked at of an answer.
type page struct {
	status                 int
	server, location, body string
}

func (p page) describe() string {
	text := fmt.Sprintf("status %d", p.status)
	if p.location != "" {
		text += fmt.Sprintf(" to %q", p.location)
	}
	if p.server != "" {
		text += fmt.Sprintf(" by %q", p.server)
	}
	return text
}

// askPage asks at an address, as a CA asks for the answer to a challenge (RFC 8555 §8.3),
// without going where a redirect leads.
func askPage(ctx context.Context, addr, domain, nonce string) (page, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+domain+"/.well-known/acme-challenge/holdfast-doctor-"+nonce, nil)
	if err != nil {
		return page{}, err
	}
	request.Close = true
	c, release, err := dial(ctx, addr)
	if err != nil {
		return page{}, err
	}
	defer release()
	if err := request.Write(c); err != nil {
		return page{}, err
	}
	const answerBytes = 64 << 10
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, answerBytes)), request)
	if err != nil {
		return page{}, err
	}
	defer response.Body.Close()
	body := make([]byte, len(nonce)+1)
	n, err := io.ReadFull(response.Body, body)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return page{}, err
	}
	return page{response.StatusCode, response.Header.Get("Server"), response.Header.Get("Location"), string(body[:n])}, nil
}

// reachTLS shakes hands and looks at the certificate.
func (d *Doctor) reachTLS(ctx context.Context, c *chart, o *door, domain string, at netip.AddrPort) {
	state, err := shakeHands(ctx, at.String(), domain)
	if o.listener == nil && isAlert(err) {
		// It has no certificate for the name yet, and shows another to who names none.
		state, err = shakeHands(ctx, at.String(), "")
	}
	var noTLS tls.RecordHeaderError
	switch {
	case isAlert(err) && refusesAlike(ctx, o, err):
		c.warning("look again once it has one: holdfast certs explain "+domain,
			"%v refuses as the holdfast of this machine does, which has no certificate yet: whether it is this machine cannot be seen", at)
		return
	case isAlert(err), errors.As(err, &noTLS):
		c.fault("point the name at this host, or forward the port to it", "%v answers, and is not this machine: %v", at, err)
		return
	case err != nil:
		d.notReached(c, at, err)
		return
	}
	leaf := state.PeerCertificates[0] // TLS servers have one
	serial := fmt.Sprintf("%x", leaf.SerialNumber)
	switch {
	case o.listener != nil && bytes.Equal(leaf.Raw, o.leaf), o.listener == nil && slices.Contains(o.holder.Serials, serial):
		c.ok("%v leads to this machine", at)
	default:
		c.fault("point the name at this host and let TLS through: the challenge tls-alpn-01 is answered inside the handshake",
			"%v answers, and is not this machine: a certificate by %q, serial %s", at, leaf.Issuer.String(), serial)
	}
}

// refusesAlike tells whether the holdfast of this machine answers who names no host with the
// same alert, as one does that has no certificate at all yet.
func refusesAlike(ctx context.Context, o *door, there error) bool {
	if !o.holder.Holdfast {
		return false
	}
	_, here := shakeHands(ctx, o.local, "")
	return isAlert(here) && here.Error() == there.Error()
}

// isAlert tells whether the other end answered with a TLS alert, which crypto/tls has no
// exported type for.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// shakeHands returns the state after a handshake in which any certificate will do: the one
// that is to come is not there yet.
func shakeHands(ctx context.Context, addr, domain string) (tls.ConnectionState, error) {
	c, release, err := dial(ctx, addr)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer release()
	secured := tls.Client(c, &tls.Config{ServerName: domain, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	err = secured.HandshakeContext(ctx)
	return secured.ConnectionState(), err
}

// dial connects until ctx is done, also for what is then read and written.
func dial(ctx context.Context, addr string) (c net.Conn, release func(), err error) {
	var dialer net.Dialer
	c, err = dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return c, func() { stop(); _ = c.Close() }, nil
}

// notReached says what it means that a dial, or what followed, failed. A machine behind NAT
// often cannot reach its own public address, and a CA can.
func (d *Doctor) notReached(c *chart, at netip.AddrPort, err error) {
	reason := bareDialError(err)
	switch {
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH) && at.Addr().Is6():
		c.note("try it from a host that has it", "%v was not tried: this machine has no way there", at)
	case slices.Contains(d.own, at.Addr().Unmap()):
		c.fault("open the port in this machine's firewall, and see that the server's address covers it", "%v is this machine's, and cannot be reached: %s", at, reason)
	default:
		c.warning("forward the port to this host and open it in every firewall. Many routers do not let a host reach itself by its public address: then try from outside",
			"%v cannot be reached from here: %s", at, reason)
	}
}

// bareDialError leaves out the addresses, which the sentence has.
func bareDialError(err error) string {
	var op *net.OpError
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &op) && op.Timeout() {
		return "no answer in time"
	}
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was closed without an answer"
	}
	return err.Error()
}
