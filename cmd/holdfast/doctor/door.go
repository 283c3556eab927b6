package doctor

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// doorConnectionsLimit is how many connections an opened door serves at a time. The others
// wait in the kernel: they are strangers' or our own next ones.
const doorConnectionsLimit = 16

// A door is a port of this machine behind which a challenge would be answered. Either the
// doctor has it open, or somebody else holds it.
type door struct {
	check  string // http or https
	public uint16
	local  string // where it is dialled from this machine
	nonce  string // that the page, or the certificate, has
	leaf   []byte // of the certificate; nil for http
	holder Holder // of a port that was taken

	listener net.Listener // nil for one that is held
	ended    chan struct{}
}

// openDoors opens those ports that are free, and says why others are not.
func (d *Doctor) openDoors(ctx context.Context) (findings []Finding) {
	for _, p := range []struct {
		check string
		port  Port
	}{{"http", d.HTTP}, {"https", d.HTTPS}} {
		c := chart{check: p.check}
		if p.port.Listen == "" {
			c.note("", "the server is not to listen there: its challenge cannot be met")
		} else if one := d.openDoor(ctx, &c, p.port); one != nil {
			d.doors = append(d.doors, one)
		}
		findings = append(findings, c.findings...)
	}
	return findings
}

// openDoor is nil where nothing can be tried.
func (d *Doctor) openDoor(ctx context.Context, c *chart, port Port) *door {
	one := &door{check: c.check, public: port.Public, nonce: rand.Text(), ended: make(chan struct{})}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", port.Listen)
	switch {
	case err == nil:
		one.listener, one.local = l, dialable(l.Addr().String())
		if one.public == 0 {
			one.public = uint16(l.Addr().(*net.TCPAddr).Port)
		}
		if err := one.open(d.Patience); err != nil {
			_ = l.Close()
			c.fault("", "no certificate can be made: %v", err)
			return nil
		}
		return one
	case errors.Is(err, syscall.EADDRINUSE):
		return d.heldDoor(ctx, c, one, port)
	case errors.Is(err, syscall.EACCES):
		c.warning("run doctor as the server's user or as root; a systemd unit grants it with AmbientCapabilities=CAP_NET_BIND_SERVICE",
			"this user may not listen on %s, so it was not tried", port.Listen)
	default:
		c.fault("choose another address", "cannot listen on %s: %v", port.Listen, err)
	}
	return nil
}

// heldDoor says who has the port. One of ours may have it.
func (d *Doctor) heldDoor(ctx context.Context, c *chart, one *door, port Port) *door {
	_, text, _ := net.SplitHostPort(port.Listen)
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		c.fault("write it as a number", "the port of %s is no number", port.Listen)
		return nil
	}
	if one.public == 0 {
		one.public = uint16(number)
	}
	ctx, cancel := d.step(ctx)
	defer cancel()
	one.holder, one.local = d.Holder(ctx, uint16(number)), dialable(port.Listen)
	h := one.holder
	switch {
	case h.Holdfast:
		c.ok("holdfast listens on port %d, pid %d", number, h.PID)
		return one
	case h.Name != "":
		c.fault("stop it, or have holdfast listen elsewhere and forward the port", "port %d is held by %s, pid %d", number, h.Name, h.PID)
	default:
		c.fault(fmt.Sprintf("see who has it with ss -ltnp 'sport = :%d'; the server's --state lets doctor know a holdfast", number),
			"port %d is held by another process", number)
	}
	return nil
}

// dialable is where a listener on the address is reached from this machine.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// open answers whoever comes, until close.
func (o *door) open(patience time.Duration) error {
	serve := o.servePage
	if o.check == "https" {
		certificate, err := uniqueCertificate(o.nonce)
		if err != nil {
			return err
		}
		o.leaf = certificate.Certificate[0]
		config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}}
		serve = func(c net.Conn) { _ = tls.Server(c, config).Handshake() }
	}
	go o.accept(patience, serve)
	return nil
}

// accept serves connections until the listener is closed, and then waits for those there
// are, each of which has its patience.
func (o *door) accept(patience time.Duration, serve func(net.Conn)) {
	defer close(o.ended)
	var group sync.WaitGroup
	defer group.Wait()
	var open sync.Map
	defer open.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
	places := make(chan struct{}, doorConnectionsLimit)
	for {
		c, err := o.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(acceptPause) // out of descriptors, most likely
			continue
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		open.Store(c, nil)
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			defer open.Delete(c)
			defer c.Close()
			serve(c)
		})
	}
}

// acceptPause is between two tries to accept.
const acceptPause = 50 * time.Millisecond

// close ends the door and waits for its connections, which are cut.
func (o *door) close() {
	if o.listener == nil {
		return
	}
	_ = o.listener.Close()
	<-o.ended
}

// servePage answers a request, whatever it asks for, with the nonce.
func (o *door) servePage(c net.Conn) {
	const headBytes = 16 << 10
	request, err := http.ReadRequest(bufio.NewReader(io.LimitReader(c, headBytes)))
	if err != nil {
		return
	}
	_ = request.Body.Close()
	_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(o.nonce), o.nonce)
}

// uniqueCertificate signs for itself. Whoever shows it has its key.
func uniqueCertificate(nonce string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		DNSNames:  []string{nonce + ".holdfast.invalid"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(TotalPatience + time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
