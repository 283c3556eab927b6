package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/acme"
)

// termsFile is where a yes to a CA's terms is kept in the state directory: a line for each CA,
// with its directory, the terms, and when.
const termsFile = "acme-terms-agreed"

// letsEncryptTerms is where those of Let's Encrypt are, also while it cannot be asked.
const letsEncryptTerms = "https://letsencrypt.org/repository/"

// termsPatience is how long the CA may take to say where its terms are.
const termsPatience = 10 * time.Second

// agreedBefore tells whether an earlier start was told yes.
func (s *settings) agreedBefore() bool {
	if s.StateDir == "" {
		return false
	}
	// Not through certs.OpenState, which makes the directory: this only reads settings.
	content, err := os.ReadFile(filepath.Join(s.StateDir, termsFile))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(content)) {
		if directory, _, _ := strings.Cut(strings.TrimSpace(line), " "); directory == s.ACME.Directory {
			return true
		}
	}
	return false
}

// agreedByPredecessor tells whether the process that we succeed was told yes, which it may not have
// been able to keep.
func (s *settings) agreedByPredecessor() bool {
	return s.Inherited.succeeds() && s.Inherited.agreed == s.ACME.Directory
}

// agreed is the directory of the CA whose terms somebody agreed to, for a successor to know; "" where
// none is asked.
func (a *acmeSettings) agreed() string {
	if len(a.Domains) == 0 || !a.TermsAgreed {
		return ""
	}
	return a.Directory
}

// canAsk tells whether somebody sits there who could agree.
func canAsk(std streams) bool {
	in, ok := std.in.(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) && isTerminal(std.err)
}

// checkTerms wants somebody to have agreed, or to be there to be asked. A rehearsal orders nothing.
// A successor asks nobody: whoever started its predecessor may sit there, and has something else to
// do than to wait for a question; and the server waits for no answer.
func (s *settings) checkTerms(r *reader, c *call) {
	if len(s.ACME.Domains) == 0 || s.ACME.TermsAgreed || commandPath(c.node) == "rehearse" {
		return
	}
	if r.elsewhere || s.Inherited.succeeds() || !canAsk(c.std) {
		r.faults = append(r.faults, s.termsFault())
	}
}

// termsFault is that nobody has agreed, and nobody can be asked.
func (s *settings) termsFault() fault {
	terms := "the terms that its directory names"
	if s.ACME.Directory == acme.ProductionURL || s.ACME.Directory == acme.StagingURL {
		terms = letsEncryptTerms
	}
	return fault{
		What: "nobody agreed to the terms of service of the CA", Where: "--domain", Why: "it issues to nobody else (" + plain(s.ACME.Directory) + ")",
		Mend: "read " + terms + " and add --acme-agree-tos, or start once on a terminal", Usage: true,
	}
}

// askTerms asks whoever started the server to agree, and keeps a yes for the next start.
func askTerms(s *settings, std streams, options acme.Options, log *slog.Logger) *fault {
	ctx, cancel := context.WithTimeout(context.Background(), termsPatience)
	defer cancel()
	directory, err := acme.FetchDirectory(ctx, options)
	if err != nil {
		return &fault{What: "the CA does not say what its terms of service are", Where: "--acme-directory", Why: plain(err.Error()),
			Mend: "try again, or read them elsewhere and add --acme-agree-tos"}
	}
	terms := cmp.Or(directory.Terms, "its directory names none that can be opened")
	fmt.Fprintf(std.err, "\nCertificates for %s come from %s.\nIts terms of service: %s\nDo you agree to them? [y/N] ",
		strings.Join(s.ACME.Domains, ", "), plain(s.ACME.Directory), plain(terms))
	answer, err := bufio.NewReader(std.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return &fault{What: "the answer cannot be read", Why: reason(err)}
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return keepTerms(s, terms, log)
	}
	return &fault{What: "nobody agreed to the terms of service of the CA", Why: "it issues to nobody else", Mend: "agree, or leave out --domain", Usage: true}
}

// keepTerms remembers a yes. One that cannot be kept counts all the same, this once.
func keepTerms(s *settings, terms string, log *slog.Logger) *fault {
	s.ACME.TermsAgreed = true
	err := errors.New(s.StateWhy)
	if s.StateDir != "" {
		err = addTerms(s.StateDir, fmt.Sprintf("%s %s %s\n", s.ACME.Directory, plain(terms), time.Now().UTC().Format(time.RFC3339)))
	}
	if err != nil {
		log.Warn("the yes to the CA's terms is not kept: the next start asks again", "error", err)
	}
	return nil
}

func addTerms(dir, line string) error {
	state, err := certs.OpenState(dir)
	if err != nil {
		return err
	}
	before, err := state.ReadFile(termsFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return state.WriteFile(termsFile, append(before, line...), 0o600)
}
