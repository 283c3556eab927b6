package main

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"
)

// slowReader is a client that reads a whole file slowly, but steadily.
type slowReader struct {
	fileBytes      int
	bytesPerSecond int64
	stallTimeout   time.Duration
}

// The real one takes 5 KB/s for 10 MB against a stall timeout of 30 s. This one is as much
// faster as its timeout is shorter, and more: the socket buffers, which do not shrink with it,
// hold the server's writes for longer than the timeout, which is what has to be survived.
var scaledReader = slowReader{fileBytes: 6_000_000, bytesPerSecond: 400_000, stallTimeout: 4 * time.Second}

func TestSlowReaderGetsAll(t *testing.T) {
	testSlowReader(t, scaledReader)
}

// TestSoakSlowReader is the one in the requirements, in its real time of 34 minutes.
func TestSoakSlowReader(t *testing.T) {
	soakOnly(t, "34 minutes")
	testSlowReader(t, slowReader{fileBytes: 10_000_000, bytesPerSecond: 5_000, stallTimeout: 30 * time.Second})
}

func testSlowReader(t *testing.T, r slowReader) {
	content := bulk(r.fileBytes)
	root := site(t, map[string]string{"rope": content})
	for _, c := range []struct {
		name  string
		plain bool
	}{{"over TLS", false}, {"in clear", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			flags := []string{"--stall-timeout", r.stallTimeout.String()}
			if c.plain {
				flags = append(flags, "--https", "off", "--http", "127.0.0.1:0")
			}
			s := launch(t, root, flags...)
			p := s.slowPeer(t, c.plain)
			whole := time.Duration(r.fileBytes) * time.Second / time.Duration(r.bytesPerSecond)
			if err := p.conn.SetDeadline(time.Now().Add(2*whole + patience)); err != nil {
				t.Fatal(err)
			}
			p.get("/rope")
			response := p.head(200)
			got := sha256.New()
			const piecesPerSecond = 20
			n := paced(t, got, response.Body, r.bytesPerSecond/piecesPerSecond, time.Second/piecesPerSecond)
			if n != int64(r.fileBytes) || hex.EncodeToString(got.Sum(nil)) != sum([]byte(content)) {
				t.Errorf("%d bytes arrived, or others than were sent; want all %d", n, r.fileBytes)
			}
			s.stop()
		})
	}
}

// slowPeer connects with a small window.
func (s *server) slowPeer(t testing.TB, plain bool) *peer {
	t.Helper()
	if plain {
		return dialTCP(t, s.http, smallWindowBytes)
	}
	return dialTCP(t, s.https, smallWindowBytes).secure(s.trust())
}

func TestStuckReaderIsCut(t *testing.T) {
	t.Parallel()
	s := launch(t, site(t, map[string]string{"rope": bulk(downloadBytes)}), "--stall-timeout", "1s")
	p := s.slowPeer(t, false)
	p.get("/rope")
	p.head(200)
	eventually(t, "the access log says that the request was aborted", func() bool {
		for _, record := range s.access.records("request") {
			if record["ending"] == "aborted" {
				return true
			}
		}
		return false
	})
	s.stop()
}
