package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
)

// showJSON prints an answer as it came, for a newer server may tell more.
func showJSON(w io.Writer, a control.Answer) { _, _ = fmt.Fprintf(w, "%s\n", a.Result) }

// hostRequest is a request about the one host on the command line.
func (c *call) hostRequest(verb string, force bool) control.Request {
	given := c.given["host"]
	text := ""
	switch len(given) {
	case 0:
		c.faults = append(c.faults, fault{What: "no HOST is named", Mend: "see holdfast certs list for those there are", Usage: true})
		return control.Request{}
	case 1:
		text = given[0]
	default:
		c.faults = append(c.faults, fault{What: plain("unexpected argument " + given[1]), Mend: "name one host", Usage: true})
		return control.Request{}
	}
	host, f := parseLocalName(text)
	if f != nil {
		c.faults = append(c.faults, fault{What: "host " + quote(text) + " " + f.What, Why: f.Why, Mend: f.Mend, Usage: true})
	}
	args, err := json.Marshal(certsHostArgs{Host: host, Force: force})
	if err != nil {
		panic(err) // a string has no form that JSON lacks
	}
	return control.Request{Verb: verb, Args: args}
}

func (cmd *certsListCmd) run(c *call) outcome {
	return c.ask(control.Request{Verb: "certs-list"}, statusAnswerPatience, func(w io.Writer, a control.Answer) (int, error) {
		var l certsListing
		if err := decodeResult(a, &l); err != nil {
			return exitCannotStart, err
		}
		if cmd.JSON {
			showJSON(w, a)
			return exitOK, nil
		}
		l.write(w, time.Now())
		return exitOK, nil
	})
}

func (cmd *certsExplainCmd) run(c *call) outcome {
	return c.ask(c.hostRequest("certs-explain", false), statusAnswerPatience, func(w io.Writer, a control.Answer) (int, error) {
		var e certsExplanation
		if err := decodeResult(a, &e); err != nil {
			return exitCannotStart, err
		}
		if cmd.JSON {
			showJSON(w, a)
			return exitOK, nil
		}
		e.write(w, time.Now())
		return exitOK, nil
	})
}

func (cmd *certsRenewCmd) run(c *call) outcome {
	return c.ask(c.hostRequest("certs-renew", cmd.Force), statusAnswerPatience, func(w io.Writer, a control.Answer) (int, error) {
		var r certsRenewal
		if err := decodeResult(a, &r); err != nil {
			return exitCannotStart, err
		}
		fmt.Fprintf(w, "%s: %s\n", plain(r.Host), plain(r.Outcome))
		return exitOK, nil
	})
}
