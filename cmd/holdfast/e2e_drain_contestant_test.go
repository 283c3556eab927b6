package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/rehearsal"
)

// The servers of the proof.
const (
	serverHoldfast = "holdfast"
	serverNetHTTP  = "net/http"
	serverNginx    = "nginx" // in front of a net/http that is not replaced for its clients to see
)

// contestantVariable holds the order of a server to compare ours with: the test binary
// starts itself again to be it.
const contestantVariable = "HOLDFAST_TEST_CONTESTANT"

// A contestantOrder is what such a server is told.
type contestantOrder struct {
	Wait          time.Duration // between the signal and Shutdown, or QUIT
	Cert, Key, CA string        // empty for no TLS
	Nginx, Dir    string        // the program to put in front, and a directory for its files
}

// proofPair is the certificate of servers that are not ours.
type proofPair struct{ cert, key, ca string }

func newProofPair(t *testing.T) *proofPair {
	a := newAuthority(t)
	cert, key, _ := pairFiles(t, a, 1)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	return &proofPair{cert: cert, key: key, ca: writeFile(t, "ca.pem", string(ca))}
}

// contestantCommand is a server that is not ours, with the same log as ours as far as
// replica reads it.
func contestantCommand(t testing.TB, c proofCase, pair *proofPair, dir string) *exec.Cmd {
	t.Helper()
	order := contestantOrder{Wait: c.wait, Dir: dir}
	if pair != nil {
		order.Cert, order.Key, order.CA = pair.cert, pair.key, pair.ca
	}
	if c.server == serverNginx {
		order.Nginx = program(t, "nginx", "nginx-light")
	}
	text, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(childEnvironment(t), contestantVariable+"="+string(text))
	return cmd
}

func init() {
	text := os.Getenv(contestantVariable)
	if text == "" {
		return
	}
	var order contestantOrder
	err := json.Unmarshal([]byte(text), &order)
	if err == nil {
		err = order.serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the contestant failed:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve serves until SIGTERM, and then as long as the order says and requests take.
func (o *contestantOrder) serve() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(answerRehearsal), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- o.accept(server, listener) }()
	addr, quit := listener.Addr().String(), func() error { return nil }
	if o.Nginx != "" {
		if addr, quit, err = o.startNginx(addr); err != nil {
			return err
		}
	}
	o.record("listening", addr)
	select {
	case <-signals:
	case err := <-served:
		return err
	}
	<-time.After(o.Wait)
	err = errors.Join(quit(), server.Shutdown(context.Background()))
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	if err == nil {
		o.record("stopped", addr)
	}
	return err
}

func (o *contestantOrder) accept(server *http.Server, listener net.Listener) error {
	if o.Cert == "" {
		return server.Serve(listener)
	}
	pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
	if err != nil {
		return err
	}
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	return server.ServeTLS(listener, "", "")
}

// record writes what a replica of ours would.
func (o *contestantOrder) record(msg, addr string) {
	r := replicaRecord{Msg: msg, HTTP: addr}
	if o.Cert != "" {
		r.HTTP, r.HTTPS, r.CA = "", addr, o.CA
	}
	_ = json.NewEncoder(os.Stderr).Encode(r)
}

// answerRehearsal is http1/rehearsal as a handler of net/http, as far as the proof asks.
func answerRehearsal(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	switch strings.TrimPrefix(r.URL.Path, rehearsal.Prefix) {
	case "echo":
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rehearsal.EchoLimitBytes))
		if err != nil {
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content)
	case "slow":
		answerSlowly(w, r, r.URL.Query())
	default:
		http.NotFound(w, r)
	}
}

func answerSlowly(w http.ResponseWriter, r *http.Request, query url.Values) {
	const pieces = 100
	n, err := strconv.Atoi(query.Get("bytes"))
	over, err2 := time.ParseDuration(query.Get("over"))
	if errors.Join(err, err2) != nil || over < pieces {
		http.Error(w, "400 Bad Request", http.StatusBadRequest)
		return
	}
	content := rehearsal.Content(n)
	w.Header().Set("Content-Length", strconv.Itoa(n))
	ticker := time.NewTicker(over / pieces)
	defer ticker.Stop()
	for i := range pieces {
		if _, err := w.Write(content[n*i/pieces : n*(i+1)/pieces]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush() // an error shows in the next write
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}
