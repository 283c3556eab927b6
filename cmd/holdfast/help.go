package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Measures of the help, in columns.
const (
	helpWidth  = 100
	helpIndent = 34 // where the text beside a flag begins
)

// examples show the usual uses of a command.
var examples = map[string]string{
	"": "  holdfast serve ./public\n" +
		"  holdfast serve --help",
	"demo": "  holdfast demo\n" +
		"  holdfast demo --https :8443 --drain-delay 5s",
	"rehearse": "  holdfast rehearse ./public --drain-delay 1s\n" +
		"  holdfast rehearse --config holdfast.toml --rounds 20 --endpoint-lag 5s --json",
	"serve": "  holdfast serve ./public\n" +
		"  holdfast serve /srv/site --domain example.org --acme-agree-tos",
	"doctor": "  sudo holdfast doctor example.org www.example.org\n" +
		"  holdfast doctor example.org --https :8443 --http :8080 --acme-directory staging",
	"certs trust": "  holdfast certs trust --dry-run\n" +
		"  sudo holdfast certs trust --state /var/lib/holdfast --only system --yes",
	"users add": "  holdfast users add ann --email ann@example.org\n" +
		"  sudo -u holdfast holdfast users add ann --generate --config /etc/holdfast/holdfast.toml",
	"users quota": "  holdfast users quota ann\n" +
		"  holdfast users quota ann 1000/1h",
	"users export": "  holdfast users export --output members.jsonl\n" +
		"  holdfast users export --config old.toml | holdfast users import --config new.toml",
	"status": "  holdfast status\n" +
		"  sudo holdfast status --state /var/lib/holdfast --json",
	"stop": "  holdfast stop --wait\n" +
		"  holdfast stop --wait --timeout 1m --config /etc/holdfast/holdfast.toml",
	"check": "  holdfast check ./public --config holdfast.toml\n" +
		"  kubectl kustomize deploy/kubernetes | holdfast check --kubernetes -",
}

// wantedHelp is the help text that args ask for: -h for the short one, --help for the
// whole, as a flag anywhere or "help" as the first word. No arguments ask for it too.
func wantedHelp(args []string) (text string, ok bool) {
	whole, asked := false, len(args) == 0
	if len(args) > 0 && args[0] == "help" {
		args, whole, asked = args[1:], true, true
	}
	for _, arg := range args {
		if arg == "--" {
			break
		}
		whole = whole || arg == "--help"
		asked = asked || arg == "--help" || arg == "-h"
	}
	node, _ := findCommand(declared(), args)
	// A word that only groups commands, such as certs, does nothing by itself.
	bare := !node.Leaf() && commandPath(node) == words(args...)
	if !asked && !bare {
		return "", false
	}
	return helpText(node, whole), true
}

// helpText is the help of a command, or of the program for the topmost node.
func helpText(node *kong.Node, whole bool) string {
	var b strings.Builder
	path := commandPath(node)
	fmt.Fprintf(&b, "Usage: %s\n", words("holdfast", path, usage(node)))
	if path == "" {
		b.WriteString("\nHoldfast is an HTTPS server that keeps every request it has accepted.\n")
	} else {
		fmt.Fprintf(&b, "\n%s\n", node.Help)
	}
	writeCommands(&b, node)
	writeArguments(&b, node)
	writeFlags(&b, node, whole)
	if text := remarks[path]; whole && text != "" {
		b.WriteString("\n" + text)
	}
	if text := examples[path]; text != "" {
		b.WriteString("\nExamples:\n" + text + "\n")
	}
	if !node.Leaf() {
		b.WriteString("\nholdfast COMMAND -h is the short help of a command, --help the whole one.\n")
	}
	return b.String()
}

// remarks stand behind the flags of the whole help.
var remarks = map[string]string{"serve": settingsText, "reload": reloadText}

const reloadText = `Read are the certificate files, the clients' CAs, the cluster's secret and the members' own pages;
what cannot be read stays as it was. Roots are found anew, and one that is not there is a fault.
The settings are not read: that is what holdfast upgrade does. Exit status: 0 all went well, 1 not.
`

const settingsText = `A setting comes from its flag, else from the environment, else from the file of --config, else
it is the default. In the environment, values of a repeatable flag are separated by commas, and
an empty variable counts as unset. Paths are relative to the working directory. Sizes are in
bytes or have a unit: 16KiB, 1GiB, 1MB, 1_000_000. Durations have one: 500ms, 30s, 1m30s.

Exit status: 0 stopped cleanly, 1 cannot start, 2 wrong usage, 3 the drain timeout cut something,
4 a part of the server failed, 5 the books do not balance, 128+n forced by a second signal n.
`

// usage is what follows the command's name.
func usage(node *kong.Node) string {
	if !node.Leaf() {
		return "COMMAND"
	}
	var parts []string
	for _, p := range positional(node) {
		parts = append(parts, argument(p))
	}
	if commandPath(node) == "check" {
		parts = []string{"[ROOT | URL...]"}
	}
	if len(node.Flags) > 0 {
		parts = append(parts, "[flags]")
	}
	return words(parts...)
}

// argument is how usage shows one: in brackets unless it is needed.
func argument(p *kong.Positional) string {
	text := strings.ToUpper(p.Name)
	if p.Tag.Has("many") {
		text += "..."
	}
	if !p.Tag.Has("needed") {
		text = "[" + text + "]"
	}
	return text
}

// positional are a command's arguments: the demo declares those of serve, and takes none.
func positional(node *kong.Node) []*kong.Positional {
	if commandPath(node) == "demo" {
		return nil
	}
	return node.Positional
}

func writeCommands(b *strings.Builder, node *kong.Node) {
	if node.Leaf() {
		return
	}
	b.WriteString("\nCommands:\n")
	for _, leaf := range node.Leaves(true) {
		writeEntry(b, words(commandPath(leaf), usage(leaf)), leaf.Help)
	}
}

func writeArguments(b *strings.Builder, node *kong.Node) {
	if len(positional(node)) == 0 {
		return
	}
	b.WriteString("\nArguments:\n")
	for _, p := range positional(node) {
		writeEntry(b, strings.ToUpper(p.Name), p.Help+origin(p, ""))
	}
	if commandPath(node) == "check" {
		writeEntry(b, "URL", "Print where it goes in place of that: its status, the file or the redirect, the site and the rule. Repeatable.")
	}
}

// writeFlags writes the flags by group: those for a newcomer, or all, each with its
// variable and default.
func writeFlags(b *strings.Builder, node *kong.Node, whole bool) {
	if len(node.Flags) == 0 {
		return
	}
	if !whole {
		b.WriteString("\nFlags:\n")
	}
	group := ""
	for _, f := range node.Flags {
		if !whole && !f.Tag.Has("brief") {
			continue
		}
		if whole && f.Group != nil && f.Group.Title != group {
			group = f.Group.Title
			fmt.Fprintf(b, "\n%s:\n", group)
		}
		if whole && f.Group == nil {
			b.WriteString("\nFlags:\n")
		}
		text := briefText(f)
		if whole {
			text = f.Help + origin(f.Value, defaultText(f))
		}
		writeEntry(b, words("--"+f.Name, f.PlaceHolder), text)
	}
	if !whole {
		writeEntry(b, "--help", "All flags, with their defaults and environment names.")
	}
}

// origin is where else a setting comes from, and its default. What is alone has no variable.
func origin(v *kong.Value, standard string) string {
	if standard == "" {
		standard = v.Default
	}
	var parts []string
	if !v.Tag.Has("alone") {
		parts = append(parts, variable(v.Name))
	}
	if standard != "" {
		parts = append(parts, "default "+standard)
	}
	if v.IsBool() || len(parts) == 0 {
		return ""
	}
	return " [" + strings.Join(parts, "; ") + "]"
}

func defaultText(f *kong.Flag) string {
	text := f.Default
	if text == "" {
		text = f.Tag.Get("computed")
	}
	if kube := f.Tag.Get("kube"); kube != "" {
		text += "; in Kubernetes " + kube
	}
	if public := f.Tag.Get("public"); public != "" {
		text += "; elsewhere with --domain " + public // in Kubernetes a Service has the public ports
	}
	return text
}

// briefText is what the short help says of a flag: its first clause, and the default.
func briefText(f *kong.Flag) string {
	text := f.Help
	for _, end := range []string{". ", "; ", ": "} {
		text, _, _ = strings.Cut(text, end)
	}
	text = strings.TrimSuffix(text, ".") + "."
	if f.Default != "" {
		text += " [" + f.Default + "]"
	}
	return text
}

// writeEntry writes a name and, beside or below it, its wrapped text.
func writeEntry(b *strings.Builder, name, text string) {
	column := len("  " + name)
	b.WriteString("  " + name)
	if column > helpIndent-2 {
		b.WriteString("\n")
		column = 0
	}
	for _, line := range wrap(text, helpWidth-helpIndent) {
		b.WriteString(strings.Repeat(" ", helpIndent-column) + line + "\n")
		column = 0
	}
}

// wrap breaks text into lines of at most width bytes, at spaces.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
