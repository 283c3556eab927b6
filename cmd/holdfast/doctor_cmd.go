package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
	"github.com/holdfast-server/holdfast/cmd/holdfast/doctor"
	"github.com/holdfast-server/holdfast/conn"
)

// The words and defaults of doctor's flags.
const (
	stagingWord      = "staging"
	stagingDirectory = acme.StagingURL
	resolvConf       = "/etc/resolv.conf"
)

func (cmd *doctorCmd) run(c *call) outcome {
	values, _, faults := c.layers()
	r := &reader{values: values, faults: append(c.faults, faults...)}
	d := cmd.doctor(r, c.env)
	if len(r.faults) > 0 {
		return outcome{exit: report(c.std.err, r.faults)}
	}
	asJSON := cmd.JSON || !isTerminal(c.std.out)
	return outcome{work: func(std streams, signals <-chan os.Signal) int {
		ctx, stop := untilSignal(context.Background(), signals)
		defer stop()
		found := d.Run(ctx)
		if asJSON {
			writeFindingsJSON(std.out, found)
		} else {
			writeFindings(std.out, found)
		}
		var interrupted signalError
		switch {
		case errors.As(context.Cause(ctx), &interrupted):
			return exitSignal + int(interrupted.signal)
		case found.Count(doctor.Fault) > 0:
			return exitCannotStart
		}
		return exitOK
	}}
}

// doctor makes one of the settings. Their faults are the reader's.
func (cmd *doctorCmd) doctor(r *reader, env environment) *doctor.Doctor {
	d := &doctor.Doctor{
		Domains: cmd.domains(r), Resolvers: cmd.resolvers(r),
		HTTPS: doctor.Port{Listen: tcpAddress(r.address("https")), Public: r.port("dial-https-port")},
		HTTP:  doctor.Port{Listen: tcpAddress(r.address("http")), Public: r.port("dial-http-port")},
	}
	directory, _, _ := r.single("acme-directory")
	if directory == stagingWord {
		directory = stagingDirectory
	}
	d.Directory = directory
	state, why := r.stateDir(env)
	d.DryRun = cmd.dryRun(r, d, state)
	store, from, _ := r.single("cert-store")
	path, isDir := strings.CutPrefix(store, "dir:")
	switch {
	case isDir && path != "":
		d.StoreDir = path
	case isDir || store == "" && from != "":
		r.refuse("cert-store", store, from, &flaw{What: "names no directory", Mend: "write dir:PATH"})
	case store == "" && why != "":
		r.faults = append(r.faults, fault{What: why})
	case store == "":
		d.StoreDir = state
	}
	d.Holder = func(ctx context.Context, port uint16) doctor.Holder {
		return holdfastOn(ctx, state, env, port)
	}
	return d
}

func (cmd *doctorCmd) domains(r *reader) (domains []string) {
	refuse := func(text string, f *flaw) {
		r.faults = append(r.faults, fault{What: "DOMAIN " + quote(text) + " " + f.What, Why: f.Why, Mend: f.Mend, Usage: true})
	}
	for _, text := range cmd.Domain {
		_, isAddress := netip.ParseAddr(text)
		name, f := parseLocalName(text)
		switch {
		case f != nil:
			refuse(text, f)
		case isAddress == nil:
			refuse(text, &flaw{What: "is an address", Mend: "give the host name"})
		case strings.HasPrefix(name, "*."):
			refuse(text, &flaw{What: "is a wildcard", Why: "a CA issues for it by a record in the DNS alone, which holdfast does not write", Mend: "name each host"})
		default:
			domains = append(domains, name)
		}
	}
	switch n := len(cmd.Domain); {
	case n == 0:
		r.faults = append(r.faults, fault{What: "no DOMAIN is named", Mend: "name the hosts that need a certificate", Usage: true})
	case n > doctor.DomainsLimit:
		r.faults = append(r.faults, fault{What: strconv.Itoa(n) + " domains are too many", Mend: fmt.Sprintf("name %d at most", doctor.DomainsLimit), Usage: true})
	}
	return domains
}

// resolvers are those that were named, else the system's.
func (cmd *doctorCmd) resolvers(r *reader) (servers []string) {
	texts, from := r.list("resolver")
	for _, text := range texts {
		if addr, err := netip.ParseAddr(text); err == nil {
			text = net.JoinHostPort(addr.String(), "53")
		}
		if _, err := netip.ParseAddrPort(text); err != nil {
			r.refuse("resolver", text, from, &flaw{What: "is no address", Mend: "write one such as 192.0.2.53 or [2001:db8::53]:53"})
			continue
		}
		servers = append(servers, text)
	}
	if len(texts) > 0 {
		return servers
	}
	servers, err := doctor.SystemResolvers(resolvConf)
	if err == nil && len(servers) == 0 {
		err = errors.New("it names no server")
	}
	if err != nil {
		r.faults = append(r.faults, fault{What: "no resolver is known", Where: resolvConf, Why: reason(err), Mend: "name one with --resolver"})
	}
	return servers
}

// port reads a port number.
func (r *reader) port(name string) uint16 {
	const highest = 65535
	return uint16(r.count(name, "", 1, highest))
}

// tcpAddress is the address of a listener that a CA could reach, "" for one on a unix socket.
func tcpAddress(address string) string {
	if strings.HasPrefix(address, conn.UnixPrefix) {
		return ""
	}
	return address
}

// holdfastOn asks the server with this state directory whether it has the port, else the
// system who has.
func holdfastOn(ctx context.Context, state string, env environment, port uint16) doctor.Holder {
	var s serverStatus
	at, err := control.Find(state, env.get)
	if err == nil {
		var a control.Answer
		a, err = control.Ask(ctx, at, control.Request{Verb: "status"})
		if err == nil && len(a.Faults) == 0 {
			err = decodeResult(a, &s)
		}
	}
	for _, l := range s.Listeners {
		if _, text, splitErr := net.SplitHostPort(l.Address); err == nil && splitErr == nil && text == strconv.Itoa(int(port)) {
			h := doctor.Holder{Holdfast: true, PID: s.PID, Name: "holdfast"}
			for _, c := range s.Certificates {
				h.Serials = append(h.Serials, c.Serial)
			}
			return h
		}
	}
	return doctor.ProcessOn(ctx, port)
}

// writeFindings shows the findings as a table, what to do beneath each, and their number.
func writeFindings(w io.Writer, r doctor.Report) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Findings {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Level, f.Check, plain(orDash(f.Domain)), plain(f.What))
		if f.Mend != "" {
			fmt.Fprintf(table, "\t\t\t  %s\n", plain(f.Mend))
		}
	}
	_ = table.Flush()
	fmt.Fprintf(w, "\n%d faults, %d warnings\n", r.Count(doctor.Fault), r.Count(doctor.Warning))
}

func writeFindingsJSON(w io.Writer, r doctor.Report) {
	text, err := json.Marshal(struct {
		doctor.Report
		Faults   int `json:"faults"`
		Warnings int `json:"warnings"`
	}{r, r.Count(doctor.Fault), r.Count(doctor.Warning)})
	if err != nil {
		panic(err) // texts and numbers have a form in JSON
	}
	_, _ = fmt.Fprintf(w, "%s\n", text)
}
