package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// rehearsalState is the variable that makes holdfast rehearse a server of the rehearsal, with this
// directory for its state. Serve does not look at it.
const rehearsalState = "HOLDFAST_REHEARSAL_STATE"

// rehearsed makes of a server's settings those of its rehearsal: on the loopback, with a
// certificate of its own, and nothing that anybody else could see.
func (s *settings) rehearsed(stateDir string) {
	const anyPort = "127.0.0.1:0"
	if s.HTTPS != "" {
		s.HTTPS = anyPort
	}
	if s.HTTP != "" {
		s.HTTP = anyPort
	}
	if s.Admin != "" {
		s.Admin = anyPort
	}
	s.LocalNames = slices.Concat(s.LocalNames, pairNames(s.Pairs), s.ACME.Domains)
	s.Pairs, s.StateDir, s.StateWhy = nil, stateDir, ""
	s.ClientCAs, s.ClusterSecretFile = nil, ""                  // which the clients here have no certificate of
	s.ACME, s.Store = acmeSettings{}, certStore{}               // nothing is ordered for a rehearsal
	s.MaxConnectionsPerIP = 0                                   // all clients come from one address here
	s.DrainReport = ""                                          // the service's own stays what it is
	s.TrustedProxies, s.ProxyProtocol = trustedProxies{}, false // the clients come straight here
	s.Log, s.LogLevel, s.Warnings = jsonForm, min(s.LogLevel, slog.LevelInfo), nil
	s.PIDFile, s.ReusePort, s.Supervisor = "", false, supervisor{} // and this process is not the service
	if s.Accounts != nil {                                         // the service's members stay where they are; all servers here have others
		rehearsed := *s.Accounts
		rehearsed.Store = sqliteBelow(filepath.Dir(stateDir))
		s.Accounts = &rehearsed
	}
	s.Rehearsal = true
}

// rehearsalEnvironment is what a server of the rehearsal gets of ours: all settings, and
// nothing by which it could tell a supervisor that it is the service.
func rehearsalEnvironment(env environment, stateDir string) []string {
	pairs := []string{rehearsalState + "=" + stateDir}
	for _, name := range slices.Sorted(maps.Keys(env.vars)) {
		supervised := strings.HasPrefix(name, "LISTEN_") || strings.HasPrefix(name, "WATCHDOG_")
		if !supervised && name != "NOTIFY_SOCKET" && name != rehearsalState {
			pairs = append(pairs, name+"="+env.vars[name])
		}
	}
	return pairs
}

// A replica is a server of the rehearsal, in a process of its own.
type replica struct {
	*traffic.Endpoint // once it is ready
	number            int
	cmd               *exec.Cmd
	listens           chan replicaRecord // one, when it does
	gone              chan struct{}      // closed once the process was waited for

	// Of the process's last words; read once gone is closed.
	stopped *replicaRecord
	last    []string
}

// replicaRecord is what matters of the records "listening" and "stopped".
type replicaRecord struct {
	Msg    string             `json:"msg"`
	HTTPS  string             `json:"https"`
	HTTP   string             `json:"http"`
	CA     string             `json:"ca"`
	Exit   int                `json:"exit"`
	Cut    int                `json:"cut"`
	Phases map[string]float64 `json:"phases_ms"`
	// Connections are not conn.Ledger whole: other records may use the name otherwise.
	Connections struct {
		Refused int64 `json:"refused"`
	} `json:"connections"`
}

// startReplica starts the process. It ends with ours at the latest.
func startReplica(cmd *exec.Cmd, number int) (*replica, error) {
	c := &replica{number: number, cmd: cmd, listens: make(chan replicaRecord, 1), gone: make(chan struct{})}
	c.cmd.SysProcAttr = replicaProcess()
	words, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.gone)
		c.listen(words)
		_ = c.cmd.Wait() // how it ended is in ProcessState
	}()
	return c, nil
}

// What is kept of a replica's log.
const (
	logLineLimitBytes = 1 << 20
	lastWordsLines    = 5
)

// listen reads the log to its end.
func (c *replica) listen(log io.Reader) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, logLineLimitBytes)
	for lines.Scan() {
		var r replicaRecord
		err := json.Unmarshal(lines.Bytes(), &r)
		switch {
		case err == nil && r.Msg == "listening":
			select {
			case c.listens <- r:
			default: // nobody expects a second one
			}
		case err == nil && r.Msg == "stopped":
			c.stopped = &r
		}
		if c.last = append(c.last, lines.Text()); len(c.last) > lastWordsLines {
			c.last = c.last[1:]
		}
	}
	_, _ = io.Copy(io.Discard, log) // a line too long must not block the process
}

// ready waits until the replica listens.
func (c *replica) ready(ctx context.Context) error {
	select {
	case r := <-c.listens:
		return c.meet(r)
	case <-c.gone:
		return fmt.Errorf("it ended before it listened (%v): %s", c.cmd.ProcessState, strings.Join(c.last, "\n"))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// meet makes the listening replica an endpoint, whose CA its clients trust.
func (c *replica) meet(r replicaRecord) (err error) {
	var config *tls.Config
	if r.HTTPS != "" {
		pool := x509.NewCertPool()
		pem, err := os.ReadFile(r.CA)
		if err != nil {
			return err
		}
		if !pool.AppendCertsFromPEM(pem) {
			return errors.New("its CA is no certificate")
		}
		config = &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
	}
	c.Endpoint, err = traffic.NewEndpoint(cmp.Or(r.HTTPS, r.HTTP), config)
	return err
}

// end waits for a replica that was told to stop, patience at most, and returns what it
// reports.
func (c *replica) end(ctx context.Context, patience time.Duration) (replicaRecord, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it did not stop in time"))
	defer cancel()
	select {
	case <-c.gone:
	case <-ctx.Done():
		return replicaRecord{}, fmt.Errorf("server %d: %w", c.number, context.Cause(ctx))
	}
	if c.stopped == nil {
		return replicaRecord{}, fmt.Errorf("server %d ended without a report (%v): %s", c.number, c.cmd.ProcessState, strings.Join(c.last, "\n"))
	}
	return *c.stopped, nil
}

// kill ends the process, if it has not ended, and waits for it.
func (c *replica) kill() {
	_ = c.cmd.Process.Kill() // an error means that it has ended
	<-c.gone
}
